"""What an operator asked to try again, worked off: the gateway asks, one process at a time does."""

import asyncio
from collections.abc import Sequence

import asyncpg
import msgspec
import structlog

from services.eventlog.log import Log
from services.eventlog.store import DecisionStore
from services.projections import parked, unreadable
from services.projections.schemas import Target
from services.projections.tried import Tried
from services.projections.turn import turn_if_free

LISTED = 500
"""So many of what was tried are named in an outcome; all of it is counted."""

_WAITING = "SELECT number FROM projections.retries WHERE done_at IS NULL"
_DONE = "UPDATE projections.retries SET done_at = now(), outcome = $2 WHERE number = $1"
_ANY_PARKED = "SELECT EXISTS (SELECT FROM projections.parked)"

logger = structlog.get_logger()


async def work_off(pool: asyncpg.Pool, log: Log, target: Target) -> bool:
    """Do what was asked for, if anything was and it is our turn; returns whether it is done.

    Raises:
        AWAY: something is away; the request still waits.
    """
    number = await pool.fetchval(_WAITING)
    if number is None:
        return False
    async with turn_if_free(pool) as mine:
        if not mine:
            return False
        store = DecisionStore(pool)
        try:
            tried = [
                *await unreadable.retry(pool, log, store, target),
                *await parked.retry(pool, log, store, target),
            ]
        finally:
            await asyncio.shield(store.close())
        await pool.execute(_DONE, number, msgspec.json.encode(_outcome(tried)).decode())
    _tell(tried)
    return True


async def retry_parked(pool: asyncpg.Pool, log: Log, target: Target) -> None:
    """Try what is parked, unasked: whoever fixed what parked a fact starts a process.

    Raises:
        AWAY: something is away; nothing is lost.
    """
    if not await pool.fetchval(_ANY_PARKED):
        return
    async with turn_if_free(pool) as mine:
        if not mine:
            return
        store = DecisionStore(pool)
        try:
            _tell(await parked.retry(pool, log, store, target))
        finally:
            await asyncio.shield(store.close())


def _outcome(tried: Sequence[Tried]) -> dict[str, object]:
    counts = {
        word: {
            kind: sum(one.kind == kind and one.resolved is resolved for one in tried)
            for kind in ("unreadable", "parked")
        }
        for word, resolved in (("resolved", True), ("refused", False))
    }
    return {**counts, "items": tried[:LISTED]}


def _tell(tried: Sequence[Tried]) -> None:
    refused = [one for one in tried if not one.resolved]
    logger.info("tried_again", resolved=len(tried) - len(refused), refused=len(refused))
    for one in refused[:LISTED]:
        # It stays where it is, which is what the alarm is for.
        logger.warning("refused_again", of=one.of, place=one.place, reason=one.note)
