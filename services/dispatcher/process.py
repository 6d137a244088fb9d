"""The dispatcher process: brings what was decided to who has a right to it, and states it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import asyncpg
import structlog

from services.dispatcher.audiences import AudienceReader
from services.dispatcher.calling import Caller
from services.dispatcher.feeds import Feeds
from services.dispatcher.topics import Topics
from services.dispatcher.webhooks import Webhooks
from services.eventlog.connection import LOST
from services.eventlog.homes import EMBEDDED
from services.eventlog.log import Log
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.eventlog.transact import Contended
from services.identity.signing import SecretSeal
from services.operation.connections import log_of, pool_of
from services.operation.health import health_app
from services.operation.metrics import Metrics
from services.operation.process import Work, instance, persist, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings

POOL_SIZE = 12
_AWAY = (*LOST, StoreUnavailable, Contended, asyncpg.UndefinedTableError,
         asyncpg.InvalidSchemaNameError, asyncpg.InvalidCachedStatementError)  # fmt: skip

logger = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Dispatch until told to stop. Any number may run at once."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_dispatcher", size=POOL_SIZE)
        )
        log = await resources.enter_async_context(log_of(settings, pool))
        store = DecisionStore(pool)
        resources.push_async_callback(store.close)
        pages = health_app({"database": partial(check_database, pool)}, Metrics.new())
        place = listen(settings.host, settings.port)
        await run_until_stopped(
            {**works(pool, log, store, settings), "pages": partial(serve, pages, place)}
        )


def works(
    pool: asyncpg.Pool, log: Log, store: DecisionStore, settings: Settings
) -> dict[str, Work]:
    """What the process does, for one that does more beside it. The pool is of its role."""
    audiences = AudienceReader(pool, store, _now)
    feeds = Feeds(pool, store, audiences, clock=_now)
    webhooks = Webhooks(
        pool,
        store,
        Caller(loopback=settings.webhooks_loopback),
        SecretSeal(settings.sealing_key),
        audiences,
        clock=_now,
    )
    stating: dict[str, Work] = {
        "feeds": partial(persist, feeds.run, name="feeds", through=_AWAY),
        **webhooks.works,
    }
    if settings.log_url == EMBEDDED:
        logger.info("no_topics", why="the log is in the database: centres read the feed")
        return stating
    topics = Topics(pool, log, store, audiences, name=instance(), clock=_now)
    return {**stating, "topics": topics.run}


async def check_database(pool: asyncpg.Pool) -> None:
    """The dispatcher can read what it sends.

    Raises:
        OSError, or what asyncpg raises: the database is away, or lacks what this code needs.
    """
    await pool.fetchval("SELECT count(*) FROM outward.topics")


def _now() -> datetime:
    return datetime.now(UTC)
