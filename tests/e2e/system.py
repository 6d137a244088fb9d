"""A whole network in one event loop: every process's work, one port, on any home of the log."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from cryptography.fernet import Fernet

from schemas.envelope import Envelope
from services.agent import network as operator_network
from services.agent.importing import Archive, Report, import_archive
from services.api.app import Gateway, create_app
from services.api.app import Surroundings as GatewaySurroundings
from services.api.database import readers_of
from services.eventlog.homes import open_log
from services.eventlog.log import Log
from services.eventlog.position import PositionTokens
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.ingest.app import DoorFirst, Ingest
from services.ingest.app import Surroundings as DoorSurroundings
from services.ingest.describe import router as door_pages
from services.operation.connections import TOPICS
from services.operation.metrics import Metrics
from services.operation.process import Work
from services.operation.serving import listen, serve
from services.operation.settings import Role, Settings
from services.projections import process as projections
from services.projections import runner
from services.relay import process as relay
from services.timers import process as timers
from tests.database import Database

type Json = Any

STRUCTURED = "application/cloudevents+json"
_STOP_SECONDS = 15.0


@dataclass
class System:
    """A network that serves, asked and told over HTTP by whoever a test names."""

    log_url: str
    address: str
    issuer: Issuer
    client: httpx.AsyncClient
    operator: operator_network.Network
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, identity: str) -> str:
        """A token of this identity for the next hours."""
        if identity not in self._tokens:
            self._tokens[identity] = self.issuer.issue(
                Identity.parse(identity), now=datetime.now(UTC), lifetime=timedelta(hours=6)
            )
        return self._tokens[identity]

    async def get(self, path: str, identity: str = "pm", **query: Json) -> httpx.Response:
        """The gateway's answer."""
        stated = {name: value for name, value in query.items() if value is not None}
        headers = {"Authorization": f"Bearer {self.token(identity)}"}
        return await self.client.get(path, params=stated, headers=headers)

    async def ask(self, path: str, identity: str = "pm", **query: Json) -> Json:
        """The body of an answer that is right."""
        answer = await self.get(path, identity, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self,
        body: bytes | str,
        content_type: str = STRUCTURED,
        *,
        speaker: str = "poc:TH-83",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The door's answer."""
        stated = {
            "Authorization": f"Bearer {self.token(speaker)}",
            "Content-Type": content_type,
            **(headers or {}),
        }
        return await self.client.post("/v1/events", content=body, headers=stated)

    async def tell(self, event: Json, *, speaker: str = "poc:TH-83") -> Json:
        """One event, taken in."""
        answer = await self.post(json.dumps(event, ensure_ascii=False), speaker=speaker)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def decide(self, stream: str, *events: tuple[Envelope, bytes]) -> None:
        """Decisions on a stream, which the read models hold when this returns."""
        store = self.operator.store
        new = [NewEvent(envelope, data) for envelope, data in events]
        done = await store.append(Decision(stream, await store.version(stream), new))
        assert done.verdict == "appended"
        await self.operator.applied(await self.operator.ends())

    async def take_over(self, archive: Archive) -> Report:
        """What became of an archive that was imported."""
        now = datetime.now(UTC)
        return await import_archive(
            self.operator, archive, clock=lambda: now, report=lambda _done: None
        )


@asynccontextmanager
async def open_system(database: Database, home: Path, *, log_url: str) -> AsyncIterator[System]:
    """A network on this database and log, opened now, ready to take events in."""
    async with AsyncExitStack() as resources:
        building = _Building(database, log_url, Settings(home=home), resources)
        operator, store = await building.operator()
        place = resources.enter_context(listen("127.0.0.1", 0))
        address = f"http://127.0.0.1:{place.getsockname()[1]}"
        works = await building.works()
        works["answers"] = partial(serve, await building.app(works), place)
        client = httpx.AsyncClient(base_url=address, timeout=60)
        await resources.enter_async_context(client)
        async with _running(works):
            await operator_network.open_network(store, now=datetime.now(UTC))
            issuer = Issuer.open(building.settings)
            yield System(log_url, address, issuer, client, operator)


@dataclass(frozen=True)
class _Building:
    """How the parts are opened, each in the database role it has when it runs alone."""

    database: Database
    log_url: str
    settings: Settings
    resources: AsyncExitStack
    metrics: Metrics = field(default_factory=Metrics.new)
    secret: bytes = field(default_factory=Fernet.generate_key)

    async def pool(self, role: Role, size: int) -> asyncpg.Pool:
        opened = self.database.pool(role, size=size)
        return await self.resources.enter_async_context(opened)

    async def log(self, pool: asyncpg.Pool) -> Log:
        log = open_log(self.log_url, pool)
        self.resources.push_async_callback(log.close)
        return log

    async def operator(self) -> tuple[operator_network.Network, DecisionStore]:
        """The operator's way in, and the topics, which are the operator's to make."""
        pool = await self.pool("kamkap_operator", 6)
        log = await self.log(pool)
        await log.ensure(TOPICS)
        store = DecisionStore(pool)
        self.resources.push_async_callback(store.close)
        return operator_network.Network(pool, log, store), store

    async def works(self) -> dict[str, Work]:
        """What runs behind the door and the gateway."""
        relaying = await self.pool("kamkap_relay", relay.POOL_SIZE)
        projecting = await self.pool("kamkap_projections", projections.POOL_SIZE)
        timing = await self.pool("kamkap_timers", timers.POOL_SIZE)
        await runner.prepare(projecting)
        return {
            **relay.works(relaying, await self.log(relaying), self.metrics),
            **projections.works(projecting, await self.log(projecting), self.metrics),
            **timers.works(timing),
        }

    async def app(self, works: dict[str, Work]) -> DoorFirst:
        """The door in front of the gateway; their own works are added."""
        ingest, gateway = await self._door(), await self._gateway()
        works.update(ingest.works)
        works.update(gateway.works)
        pages = [door_pages(ingest.endpoint)]
        rest = create_app(gateway, checks=ingest.checks, routers=pages)
        return DoorFirst(ingest.endpoint, rest)

    async def _door(self) -> Ingest:
        pool = await self.pool("kamkap_ingest", 12)
        surroundings = DoorSurroundings(
            name="door-1",
            pool=pool,
            log=await self.log(pool),
            verifier=verifier_of(self.settings),
            tokens=PositionTokens(self.secret, epoch=1),
            metrics=self.metrics,
        )
        return await self.resources.enter_async_context(Ingest.open(surroundings))

    async def _gateway(self) -> Gateway:
        reading = readers_of(self.database.dsn("kamkap_api"))
        log = await self.log(await self.pool("kamkap_api", 2))
        surroundings = GatewaySurroundings(
            pool=await self.resources.enter_async_context(reading),
            log=log,
            verifier=verifier_of(self.settings),
            sealing_key=self.secret,
            epoch=1,
            metrics=self.metrics,
        )
        return Gateway.at(surroundings)


@asynccontextmanager
async def _running(works: Mapping[str, Work]) -> AsyncIterator[None]:
    """The works run meanwhile; one that fails fails the test."""
    tasks = [asyncio.create_task(work(), name=name) for name, work in works.items()]
    try:
        yield
    finally:
        await _stop(tasks)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in reversed(tasks):
        task.cancel()
        await asyncio.wait([task], timeout=_STOP_SECONDS)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in results if isinstance(one, Exception)]
    assert not failed, failed
