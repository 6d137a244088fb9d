"""The door as an application: what centres post first, everything else behind it.

`Ingest` holds what one process's door is made of; `create_app` serves it alone, `DoorFirst` puts it
in front of another application.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.eventlog.log import Log
from services.eventlog.position import PositionTokens
from services.eventlog.ticks import Door as TickedDoor
from services.identity.rates import Meter, Rate
from services.identity.tokens import Verifier
from services.ingest.describe import router
from services.ingest.door import Door
from services.ingest.endpoint import PATHS, EventsEndpoint
from services.ingest.identities import Identities
from services.ingest.inbox import Inboxes
from services.ingest.readiness import Readiness
from services.ingest.verifying import Verifiers
from services.operation import health, problems
from services.operation.health import Check
from services.operation.metrics import Metrics
from services.operation.process import Work
from services.readmodels.registry_reader import RegistryReader


@dataclass(frozen=True)
class Surroundings:
    """What a door stands in: opened by who starts the process, and closed there."""

    name: str
    """This process among all others."""
    pool: asyncpg.Pool
    """Connections as `kamkap_ingest`."""
    log: Log
    verifier: Verifier
    tokens: PositionTokens
    metrics: Metrics
    rate: Rate | None = None
    """How many events one centre may hand in; None is as many as it likes."""


@dataclass(frozen=True)
class Ingest:
    """One process's door: what answers, what works beside it, and when it can serve."""

    surroundings: Surroundings
    endpoint: EventsEndpoint
    registry: RegistryReader
    readiness: Readiness
    inboxes: Inboxes

    @classmethod
    @asynccontextmanager
    async def open(cls, surroundings: Surroundings) -> AsyncIterator["Ingest"]:
        """A door in these surroundings; `works` is what has to run beside it."""
        pool, log, metrics = surroundings.pool, surroundings.log, surroundings.metrics
        registry = RegistryReader(pool)
        identities = Identities(pool)
        verifiers = Verifiers()
        door = Door(log, registry, identities, metrics, verifiers=verifiers)
        inbox_door = Door(log, registry, identities, metrics, way="inbox", verifiers=verifiers)
        try:
            yield cls(
                surroundings,
                EventsEndpoint(
                    door,
                    surroundings.verifier,
                    surroundings.tokens,
                    meter=None if surroundings.rate is None else Meter(surroundings.rate),
                ),
                registry,
                Readiness(log, TickedDoor(pool, surroundings.name), door),
                Inboxes(pool, inbox_door, name=surroundings.name),
            )
        finally:
            await verifiers.close()
            await identities.close()

    @property
    def works(self) -> Mapping[str, Work]:
        """What runs beside the answers, what others rest on first."""
        return {
            "registry": self.registry.run,
            "inboxes": self.inboxes.run,
            "readiness": self.readiness.run,
        }

    @property
    def checks(self) -> Mapping[str, Check]:
        """What must hold before events can be taken in."""
        return {"log": self.readiness.check_log, "registry": self.readiness.check_registry}


class DoorFirst:
    """Hands what centres post to the endpoint, before any middleware, and the rest on."""

    def __init__(self, endpoint: EventsEndpoint, rest: ASGIApp) -> None:
        self._endpoint = endpoint
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in PATHS:
            await self._endpoint(scope, receive, send)
        else:
            await self._rest(scope, receive, send)


def create_app(ingest: Ingest) -> ASGIApp:
    """The door alone, with the pages every process has and its OpenAPI."""
    app = FastAPI(
        title="Kamkap, the centres' door",
        version="1",
        docs_url="/docs",
        redoc_url=None,
        # Behind a proxy it would lead from https to http.
        redirect_slashes=False,
    )
    problems.install(app)
    app.include_router(health.router(ingest.checks, ingest.surroundings.metrics))
    app.include_router(router(ingest.endpoint))
    return DoorFirst(ingest.endpoint, app)
