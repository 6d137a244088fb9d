"""The gateway as an application: the contract's reads and decisions, its documents and pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.responses import RedirectResponse, Response

from schemas.asyncapi import asyncapi
from services.api import (
    alerts,
    archive,
    away,
    cap,
    centres,
    changes,
    clocks,
    deliveries,
    deputies,
    directive_steps,
    directive_times,
    directives,
    events,
    feed,
    incidents,
    indicators,
    keys,
    nation,
    openapi,
    orders,
    oversight,
    overview,
    policies,
    provinces,
    quarantine,
    session,
    subscriptions,
)
from services.api.cursors import Cursors
from services.api.database import Pool, snapshot_of
from services.api.places import Places
from services.api.problems import of_rejected
from services.api.progress import Progress
from services.api.reading import Resources
from services.api.reference import ReferenceCache, snapshot
from services.api.streams import Streams
from services.domain.rejected import Rejected
from services.eventlog.log import Log
from services.eventlog.position import PositionTokens
from services.eventlog.store import DecisionStore
from services.identity.caller import Reception
from services.identity.rates import Meter, Rate
from services.identity.sessions import Sessions
from services.identity.signing import SecretSeal
from services.identity.tokens import Verifier
from services.operation import health, problems
from services.operation.health import Check
from services.operation.metrics import Metrics
from services.operation.process import Work
from services.operation.requests import Requests

ROUTERS = (
    events.router,
    centres.router,
    keys.router,
    provinces.router,
    incidents.router,
    indicators.router,
    alerts.router,
    cap.router,
    deputies.router,
    overview.router,
    nation.router,
    changes.router,
    oversight.router,
    orders.router,
    policies.router,
    clocks.router,
    # Before `/v1/directives/{id}`, which would take their words for ids.
    directive_times.router,
    feed.router,
    directives.router,
    directive_steps.router,
    subscriptions.router,
    deliveries.router,
    archive.router,
    quarantine.router,
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Surroundings:
    """What a gateway stands in: opened by who starts the process, and closed there."""

    pool: Pool
    """Connections as `kamkap_api`, by `readers_of`."""
    log: Log
    store: DecisionStore
    """Where decisions are appended, as `kamkap_api`."""
    verifier: Verifier
    sealing_key: bytes
    epoch: int
    metrics: Metrics
    rate: Rate | None = None
    """How often one identity may ask; None is as often as it likes."""
    public_origin: str | None = None
    """What browsers call this address; None is what they sent the request to."""
    webhooks_loopback: bool = False
    """Development: webhooks may lead to this machine."""
    clock: Callable[[], datetime] = _now


@dataclass(frozen=True)
class Gateway:
    """One process's gateway: what answers, what works beside it, and when it can serve."""

    surroundings: Surroundings
    resources: Resources

    @classmethod
    def at(cls, surroundings: Surroundings) -> "Gateway":
        """A gateway in these surroundings; nothing runs and nothing is connected yet."""
        key, epoch = surroundings.sealing_key, surroundings.epoch
        pool, clock, tokens = (
            surroundings.pool,
            surroundings.clock,
            PositionTokens(key, epoch=epoch),
        )
        progress, reference = Progress(pool), ReferenceCache()
        resources = Resources(
            pool=pool,
            log=surroundings.log,
            store=surroundings.store,
            progress=progress,
            tokens=tokens,
            cursors=Cursors(key, epoch=epoch),
            seal=SecretSeal(key),
            clock=clock,
            reference=reference,
            streams=Streams(pool, progress, reference, Places(tokens), clock),
            webhooks_loopback=surroundings.webhooks_loopback,
        )
        return cls(surroundings, resources)

    @property
    def works(self) -> Mapping[str, Work]:
        """What runs beside the answers."""
        return {"progress": self.resources.progress.run, "streams": self.resources.streams.run}

    def stop(self) -> None:
        """What would never end by itself ends: the server waits for its answers."""
        self.resources.streams.close()

    @property
    def checks(self) -> Mapping[str, Check]:
        """What must hold before anything can be answered."""
        return {"read_models": self._check_read_models}

    async def _check_read_models(self) -> None:
        async with snapshot_of(self.resources.pool) as connection:
            await snapshot(connection, "")


def create_app(
    gateway: Gateway,
    *,
    checks: Mapping[str, Check] | None = None,
    routers: Iterable[APIRouter] = (),
) -> FastAPI:
    """The gateway's application; `checks` and `routers` are those of processes on the same port."""
    surroundings = gateway.surroundings
    app = FastAPI(
        title="Kamkap",
        version="1",
        summary="Oversight of a country's operations centres, at any moment.",
        redoc_url=None,
        # Behind a proxy it would lead from https to http.
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.resources = gateway.resources
    app.state.reception = _reception(surroundings)
    problems.install(app)
    away.install(app)
    app.add_exception_handler(Rejected, _refused)
    app.add_middleware(Requests, metrics=surroundings.metrics)
    app.include_router(health.router({**gateway.checks, **(checks or {})}, surroundings.metrics))
    for router in (*ROUTERS, *routers):
        app.include_router(router)
    app.get("/", include_in_schema=False)(_documents)
    app.get("/asyncapi.json", include_in_schema=False)(_asyncapi)
    app.include_router(session.router)
    openapi.install(app)
    return app


def _reception(surroundings: Surroundings) -> Reception:
    rate = surroundings.rate
    return Reception(
        surroundings.verifier,
        Sessions(surroundings.sealing_key),
        surroundings.metrics,
        meter=None if rate is None else Meter(rate),
        public_origin=surroundings.public_origin,
    )


async def _refused(_request: object, rejected: Exception) -> Response:
    assert isinstance(rejected, Rejected)  # noqa: S101 -- how the framework types its handlers
    return of_rejected(rejected).response()


async def _documents() -> Response:
    """Whoever opens the bare address is shown what there is."""
    return RedirectResponse("/docs", status_code=307)


async def _asyncapi() -> Response:
    """The events of the network and the topics they travel by, as AsyncAPI 3."""
    return Response(msgspec.json.encode(asyncapi()), media_type="application/json")
