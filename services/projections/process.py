"""The projections process: keeps every read model up to date."""

from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from services.eventlog.connection import LOST
from services.eventlog.log import Log, LogUnavailable
from services.eventlog.store import StoreUnavailable
from services.operation.connections import check_log, log_of, pool_of
from services.operation.health import health_app
from services.operation.metrics import Metrics
from services.operation.process import Work, instance, persist, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings
from services.operation.starting import begun
from services.projections import retries, runner
from services.projections.figures import measure, show
from services.projections.tried import AWAY

POOL_SIZE = 10
_FIGURES_SECONDS = 5.0
_RETRY_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_AWAY = (*LOST, LogUnavailable, StoreUnavailable)


async def run(settings: Settings) -> None:
    """Project until told to stop. Any number may run at once; they share the slots."""
    metrics = Metrics.new()
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_projections", size=POOL_SIZE)
        )
        log = await resources.enter_async_context(log_of(settings, pool))
        place = listen(settings.host, settings.port)
        await begun(check_log(log), place, metrics)
        pages = health_app({"database": partial(check_database, pool)}, metrics)
        await run_until_stopped(
            {**works(pool, log, metrics), "pages": partial(serve, pages, place)}
        )


def works(pool: asyncpg.Pool, log: Log, metrics: Metrics) -> dict[str, Work]:
    """What the process does, for one that does more beside it. The pool is `kamkap_projections`."""
    name = instance()
    return {
        "projections": partial(
            persist, partial(runner.run, pool, log, name=name), name="projections", through=_AWAY
        ),
        "parked": partial(
            persist,
            partial(retries.retry_parked, pool, log, runner.LIVE),
            name="parked",
            through=AWAY,
            pause_seconds=_RETRY_SECONDS,
        ),
        "retries": partial(
            persist,
            partial(retries.work_off, pool, log, runner.LIVE),
            name="retries",
            through=AWAY,
            pause_seconds=_LOOK_SECONDS,
        ),
        "figures": partial(
            persist,
            partial(_show, pool, log, metrics),
            name="figures",
            through=_AWAY,
            pause_seconds=_FIGURES_SECONDS,
        ),
    }


async def check_database(pool: asyncpg.Pool) -> None:
    """The progress can be read.

    Raises:
        OSError, or what asyncpg raises: the database is away.
    """
    await pool.fetchval("SELECT next_position FROM projections.progress WHERE slot = 0")


async def _show(pool: asyncpg.Pool, log: Log, metrics: Metrics) -> None:
    show(await measure(pool, log), metrics)
