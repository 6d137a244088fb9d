"""The timers process: what happens because time has passed."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from services.eventlog.connection import LOST
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.eventlog.transact import Contended
from services.operation.connections import pool_of
from services.operation.health import health_app
from services.operation.metrics import Metrics
from services.operation.process import Work, persist, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings
from services.timers.deadlines import DeadlineTimer
from services.timers.silence import SilenceTimer

POOL_SIZE = 8
_AWAY = (*LOST, StoreUnavailable, Contended)


async def run(settings: Settings) -> None:
    """Keep the timers until told to stop. Any number may run at once."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_timers", size=POOL_SIZE)
        )
        pages = health_app({"database": partial(check_database, pool)}, Metrics.new())
        place = listen(settings.host, settings.port)
        await run_until_stopped({**works(pool), "pages": partial(serve, pages, place)})


def works(pool: asyncpg.Pool) -> dict[str, Work]:
    """What the process does, for one that does more beside it. The pool is of `kamkap_timers`."""
    timers: dict[str, type[SilenceTimer | DeadlineTimer]] = {
        "silence": SilenceTimer,
        "deadlines": DeadlineTimer,
    }
    return {
        name: partial(persist, partial(_keep, timer, pool), name=name, through=_AWAY)
        for name, timer in timers.items()
    }


async def check_database(pool: asyncpg.Pool) -> None:
    """The timers can read what they act on.

    Raises:
        OSError, or what asyncpg raises: the database is away.
    """
    await pool.fetchval("SELECT next_position FROM projections.progress WHERE slot = 0")


async def _keep(timer: type[SilenceTimer | DeadlineTimer], pool: asyncpg.Pool) -> None:
    store = DecisionStore(pool)
    try:
        await timer(pool, store).run()
    finally:
        await asyncio.shield(store.close())
