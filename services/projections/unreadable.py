"""Messages that could not be read, tried again: what newer code can read has its effect, at the
place in the log that it has."""

from collections.abc import Sequence

import asyncpg
import msgspec

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, STATUS_TOPIC
from services.eventlog.decisions import position_of
from services.eventlog.log import Log, Record
from services.eventlog.store import DecisionStore
from services.projections.apply import Read, apply
from services.projections.arrival import Arrival
from services.projections.identities import Again, look_up
from services.projections.reason import reason_of
from services.projections.schemas import Target
from services.projections.tried import AWAY, Tried, arrival_at

_PAGE = 500
_LISTED = """
SELECT topic, partition, "offset" FROM projections.quarantine
WHERE resolved_at IS NULL AND topic = ANY ($1::text[])
  AND (topic, partition, "offset") > ($2, $3, $4)
ORDER BY topic, partition, "offset" LIMIT $5
"""
_TAKE = """
SELECT topic, partition, "offset", headers FROM projections.quarantine
WHERE (topic, partition, "offset") = ($1, $2, $3) AND resolved_at IS NULL FOR UPDATE
"""
_RESOLVE = """
UPDATE projections.quarantine SET resolved_at = now(), note = $4
WHERE (topic, partition, "offset") = ($1, $2, $3)
"""
_REFUSE = """
UPDATE projections.quarantine SET reason = $4 WHERE (topic, partition, "offset") = ($1, $2, $3)
"""


async def retry(
    pool: asyncpg.Pool, log: Log, store: DecisionStore, target: Target
) -> Sequence[Tried]:
    """Try every message of the network's own topics again, in the order of each partition.

    What was in an inbox was refused by the door, and never was in the log: its centre sends it
    again.
    """
    tried: list[Tried] = []
    last: tuple[str, int, int] = ("", -1, -1)
    topics = [DECISIONS_TOPIC, STATUS_TOPIC]
    while page := await pool.fetch(_LISTED, topics, *last, _PAGE):
        for row in page:
            last = (row["topic"], row["partition"], row["offset"])
            if (found := await _retry_one(pool, log, store, target, last)) is not None:
                tried.append(found)
    return tried


async def _retry_one(
    pool: asyncpg.Pool,
    log: Log,
    store: DecisionStore,
    target: Target,
    place: tuple[str, int, int],
) -> Tried | None:
    """Try one message; None when somebody has resolved it meanwhile."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_TAKE, *place)
            if row is None:
                return None
            arrival = await arrival_at(log, store, *_slot_and_position(row))
            refused, note = await _settle(connection, target, arrival)
            await connection.execute(_REFUSE if refused else _RESOLVE, *place, note)
    except AWAY:
        raise
    except Exception as problem:  # noqa: BLE001 -- whatever it is, it stands beside the message
        refused, note = True, reason_of(problem)
        await pool.execute(_REFUSE, *place, note)
    return Tried("unreadable", *place, None, not refused, note)


async def _settle(
    connection: asyncpg.pool.PoolConnectionProxy, target: Target, arrival: Arrival
) -> tuple[bool, str]:
    """Give the message its effect; whether it still has none, and what is to be said of it."""
    refused = await apply(connection, target, Again(target.events), Read([arrival], []))
    for one in refused:
        if (one.arrival.slot, one.arrival.position) == (arrival.slot, arrival.position):
            return True, one.reason
    known = (await look_up(connection, target.events, [arrival.key]))[arrival.key]
    if known["sealed"]:
        return False, "its identity is sealed"
    if (known["slot"], known["position"]) == (arrival.slot, arrival.position):
        return False, "applied"
    if known["digest"] == arrival.digest:
        return False, "a duplicate of an event that was applied"
    return False, "its id was taken by other content meanwhile: listed as a conflict"


def _slot_and_position(row: asyncpg.Record) -> tuple[int, int]:
    if row["topic"] == STATUS_TOPIC:
        return row["partition"], row["offset"]
    texts: list[tuple[str, str]] = msgspec.json.decode(row["headers"])
    headers = [(name, value.encode()) for name, value in texts]
    return DECISIONS_SLOT, position_of(
        Record(row["topic"], row["partition"], row["offset"], b"", b"", headers)
    )
