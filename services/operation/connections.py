"""How a process reaches the database, in its own role, and the log, whatever its home."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

from schemas.envelope import DECISIONS_TOPIC, SLOTS, STATUS_TOPIC
from services.eventlog.connection import PLANNED_ONCE, leave_as_it_is, open_until_left
from services.eventlog.homes import open_log
from services.eventlog.log import Log, LogUnavailable, TopicSpec
from services.operation.logs import describe
from services.operation.settings import Role, Settings

TOPICS = (TopicSpec(STATUS_TOPIC, SLOTS), TopicSpec(DECISIONS_TOPIC, 1))
"""The topics every network has."""

_RETRY_SECONDS = 1.0

logger = structlog.get_logger()


@asynccontextmanager
async def pool_of(settings: Settings, role: Role, *, size: int) -> AsyncIterator[asyncpg.Pool]:
    """Connections of this role, at most so many; the first is made when it is needed."""
    pool = asyncpg.create_pool(
        settings.dsn(role),
        min_size=0,
        max_size=size,
        reset=leave_as_it_is,
        server_settings={"application_name": role, **PLANNED_ONCE},
    )
    async with open_until_left(pool):
        yield pool


@asynccontextmanager
async def log_of(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[Log]:
    """The log, in Kafka where the settings name brokers, else in this pool's database."""
    log = open_log(settings.log_url, pool, security=settings.kafka_security)
    try:
        yield log
    finally:
        await log.close()


async def check_log(log: Log) -> None:
    """The log keeps for ever what it is given; waits while it is away.

    Raises:
        LogMisconfigured: it would forget; the process must not start.
    """
    while True:
        try:
            await log.check([topic.name for topic in TOPICS])
        except LogUnavailable as away:
            logger.warning("log_away", error=describe(away))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
