"""All processes' parts in one process, each in the database role it has when it runs alone."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
from fastapi import APIRouter

from services.agent.network import Network
from services.api.app import Gateway
from services.api.app import Surroundings as GatewaySurroundings
from services.api.database import readers_of
from services.api.process import WRITING_CONNECTIONS
from services.dispatcher import process as dispatcher_process
from services.eventlog.log import Log
from services.eventlog.position import PositionTokens
from services.eventlog.store import DecisionStore
from services.identity.issuer import Issuer, verifier_of
from services.identity.pages import discovery_pages
from services.identity.rates import events_of, reads_of
from services.identity.tokens import Verifier
from services.ingest import process as ingest_process
from services.ingest.app import Ingest
from services.ingest.app import Surroundings as DoorSurroundings
from services.operation.connections import check_log, log_of, pool_of
from services.operation.metrics import Metrics
from services.operation.process import Work, instance
from services.operation.settings import Role, Settings
from services.projections import process as projections_process
from services.projections import runner
from services.relay import process as relay_process
from services.timers import process as timers_process

_OPERATOR_CONNECTIONS = 6


@dataclass(frozen=True)
class Parts:
    """Opens parts; what they hold is closed with `resources`."""

    settings: Settings
    resources: AsyncExitStack
    metrics: Metrics
    verifier: Verifier

    async def background(self) -> dict[str, Work]:
        """Relay and ticks, read models, timers, dispatcher."""
        relay, relay_log = await self._writing("kamkap_relay", relay_process.POOL_SIZE)
        await check_log(relay_log)
        projections, read_log = await self._writing(
            "kamkap_projections", projections_process.POOL_SIZE
        )
        # Before anybody answers: a reader must find its tables.
        await runner.prepare(projections)
        timers = await self._pool("kamkap_timers", timers_process.POOL_SIZE)
        dispatcher, out_log = await self._writing("kamkap_dispatcher", dispatcher_process.POOL_SIZE)
        store = DecisionStore(dispatcher)
        self.resources.push_async_callback(store.close)
        return {
            **relay_process.works(relay, relay_log, self.metrics),
            **projections_process.works(projections, read_log, self.metrics),
            **timers_process.works(timers),
            **dispatcher_process.works(dispatcher, out_log, store, self.settings),
        }

    async def door(self) -> Ingest:
        """The centres' door."""
        pool, log = await self._writing("kamkap_ingest", ingest_process.POOL_SIZE)
        surroundings = DoorSurroundings(
            name=instance(),
            pool=pool,
            log=log,
            verifier=self.verifier,
            tokens=PositionTokens(self.settings.sealing_key, epoch=await _epoch(pool)),
            metrics=self.metrics,
            rate=events_of(self.settings),
        )
        return await self.resources.enter_async_context(Ingest.open(surroundings))

    async def gateway(self) -> Gateway:
        """Every read, and the decisions of people with powers."""
        dsn = self.settings.dsn("kamkap_api")
        pool = await self.resources.enter_async_context(readers_of(dsn))
        log_pool, log = await self._writing("kamkap_api", WRITING_CONNECTIONS)
        store = DecisionStore(log_pool)
        self.resources.push_async_callback(store.close)
        return Gateway.at(
            GatewaySurroundings(
                pool=pool,
                log=log,
                store=store,
                verifier=self.verifier,
                sealing_key=self.settings.sealing_key,
                epoch=await _epoch(log_pool),
                metrics=self.metrics,
                rate=reads_of(self.settings),
                public_origin=self.settings.public_origin,
                webhooks_loopback=self.settings.webhooks_loopback,
            )
        )

    async def network(self) -> Network:
        """The network as its operator writes to it."""
        pool, log = await self._writing("kamkap_operator", _OPERATOR_CONNECTIONS)
        store = DecisionStore(pool)
        self.resources.push_async_callback(store.close)
        return Network(pool, log, store)

    def issuer_pages(self) -> list[APIRouter]:
        """The embedded issuer's, unless the settings name another issuer."""
        if not self.settings.has_embedded_issuer:
            return []
        return [discovery_pages(Issuer.open(self.settings), self.metrics)]

    async def _pool(self, role: Role, size: int) -> asyncpg.Pool:
        return await self.resources.enter_async_context(pool_of(self.settings, role, size=size))

    async def _writing(self, role: Role, size: int) -> tuple[asyncpg.Pool, Log]:
        pool = await self._pool(role, size)
        return pool, await self.resources.enter_async_context(log_of(self.settings, pool))


def parts_of(settings: Settings, resources: AsyncExitStack) -> Parts:
    """Parts under these settings, with one verifier and one set of figures.

    Raises:
        IssuerRefused: the home's issuer does not serve under these settings.
    """
    return Parts(settings, resources, Metrics.new(), verifier_of(settings))


async def _epoch(pool: asyncpg.Pool) -> int:
    epoch: int = await pool.fetchval("SELECT epoch FROM eventlog.epoch")
    return epoch
