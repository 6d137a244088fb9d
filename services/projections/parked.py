"""Facts that could not be applied, tried again in order: after a fix they make the state they would
have made."""

import asyncpg

from schemas.envelope import DECISIONS_SLOT, STATUS_TOPIC, to_headers
from services.eventlog.log import Log
from services.eventlog.store import DecisionStore
from services.projections.admission import Arrival, Recall, admit, read_arrival
from services.projections.apply import write
from services.projections.fact import ReadModel
from services.projections.models import MODELS
from services.projections.schemas import EVENTS, Target

_KEYS = "SELECT DISTINCT model, key FROM projections.parked ORDER BY model, key"
_OF_KEY = """
SELECT slot, position FROM projections.parked WHERE model = $1 AND key = $2
ORDER BY slot, position FOR UPDATE SKIP LOCKED
"""
_UNPARK = """
DELETE FROM projections.parked WHERE model = $1 AND key = $2 AND slot = $3 AND position = $4
"""


async def retry(pool: asyncpg.Pool, log: Log, store: DecisionStore, target: Target) -> int:
    """Try every parked key; returns how many facts were applied. A key stops at its first failure.

    Raises:
        Exception: what failed is left parked, and the first failure is raised at the end.
    """
    models = {model.name: model for model in MODELS}
    applied = 0
    failures: list[Exception] = []
    for row in await pool.fetch(_KEYS):
        try:
            applied += await _retry_key(pool, log, store, target, models[row["model"]], row["key"])
        except Exception as failure:  # noqa: BLE001 -- the others are tried; then it is raised
            failures.append(failure)
    if failures:
        raise failures[0]
    return applied


async def _retry_key(
    pool: asyncpg.Pool,
    log: Log,
    store: DecisionStore,
    target: Target,
    model: ReadModel,
    key: str,
) -> int:
    async with pool.acquire() as connection, connection.transaction():
        places = [
            (row["slot"], row["position"])
            for row in await connection.fetch(_OF_KEY, model.name, key)
        ]
        for slot, position in places:
            arrival = await _arrival(log, store, slot, position)
            admitted = await admit(connection, Recall(EVENTS), EVENTS, [arrival])
            facts = [f for f in admitted.facts if (f.slot, f.position) == (slot, position)]
            await write(connection, target, model, facts)
            await connection.execute(_UNPARK, model.name, key, slot, position)
        return len(places)


async def _arrival(log: Log, store: DecisionStore, slot: int, position: int) -> Arrival:
    if slot == DECISIONS_SLOT:
        (event,) = await store.read(position, limit=1)
        return read_arrival(slot, position, to_headers(event.envelope), event.data)
    record = await log.at(STATUS_TOPIC, slot, position)
    if record is None:
        raise LookupError(f"slot {slot} of the log has nothing at {position}")
    return read_arrival(slot, position, record.headers, record.value)
