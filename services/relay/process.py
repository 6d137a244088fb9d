"""The relay process: publishes decisions to the log, and appends the network's ticks."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from services.eventlog.connection import LOST
from services.eventlog.log import Log, LogUnavailable
from services.eventlog.relay import Relay
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.eventlog.ticks import LISTENING_GAP, Ticker, last_tick
from services.operation.connections import check_log, log_of, pool_of
from services.operation.health import NotReady, health_app
from services.operation.metrics import Metrics
from services.operation.process import Work, persist, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings

POOL_SIZE = 8
_LOOK_SECONDS = 5.0
_AWAY = (*LOST, LogUnavailable, StoreUnavailable)


async def run(settings: Settings) -> None:
    """Relay and tick until told to stop. Any number may run at once."""
    metrics = Metrics.new()
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_relay", size=POOL_SIZE)
        )
        log = await resources.enter_async_context(log_of(settings, pool))
        await check_log(log)
        pages = health_app({"ticks": partial(check_ticks, pool)}, metrics)
        place = listen(settings.host, settings.port)
        await run_until_stopped(
            {**works(pool, log, metrics), "pages": partial(serve, pages, place)}
        )


def works(pool: asyncpg.Pool, log: Log, metrics: Metrics) -> dict[str, Work]:
    """What the process does, for one that does more beside it."""
    ticker = Ticker(pool, log)
    return {
        "ticker": partial(persist, ticker.run, name="ticker", through=_AWAY),
        "relay": partial(persist, partial(_relay, pool, log), name="relay", through=_AWAY),
        "tick_age": partial(
            persist,
            partial(_look, pool, metrics),
            name="tick_age",
            through=_AWAY,
            pause_seconds=_LOOK_SECONDS,
        ),
    }


async def check_ticks(pool: asyncpg.Pool) -> None:
    """Ticks are being appended, by whichever relay.

    Raises:
        NotReady: none was for longer than the network may be deaf.
    """
    tick = await last_tick(pool)
    now = await pool.fetchval("SELECT clock_timestamp()")
    if tick is None or now - tick.time > LISTENING_GAP:
        raise NotReady("no tick is being appended")


async def _relay(pool: asyncpg.Pool, log: Log) -> None:
    store = DecisionStore(pool)
    try:
        await Relay(pool, log, store).run()
    finally:
        await asyncio.shield(store.close())


async def _look(pool: asyncpg.Pool, metrics: Metrics) -> None:
    """The last tick's age, whichever relay appended it."""
    if tick := await last_tick(pool):
        metrics.ticked(tick.time)
