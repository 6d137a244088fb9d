"""Facts that could not be applied, tried again in order: after a fix they make the state they would
have made."""

from collections.abc import Sequence

import asyncpg

from services.eventlog.log import Log
from services.eventlog.store import DecisionStore
from services.projections.admission import admit
from services.projections.apply import write
from services.projections.fact import ReadModel
from services.projections.identities import Recall
from services.projections.models import MODELS
from services.projections.reason import reason_of
from services.projections.schemas import EVENTS, Target
from services.projections.tried import AWAY, Tried, arrival_at

type Place = tuple[int, int]
"""(slot, position)"""

_KEYS = "SELECT DISTINCT model, key FROM projections.parked ORDER BY model, key"
_OF_KEY = """
SELECT slot, position FROM projections.parked WHERE model = $1 AND key = $2
ORDER BY slot, position FOR UPDATE SKIP LOCKED
"""
_UNPARK = """
DELETE FROM projections.parked WHERE model = $1 AND key = $2 AND slot = $3 AND position = $4
"""
_REFUSE = """
UPDATE projections.parked SET reason = $5
WHERE model = $1 AND key = $2 AND slot = $3 AND position = $4
"""


async def retry(
    pool: asyncpg.Pool, log: Log, store: DecisionStore, target: Target
) -> Sequence[Tried]:
    """Try every parked key. A key is applied whole, or stays parked from its first failure on."""
    models = {model.name: model for model in MODELS}
    tried: list[Tried] = []
    for row in await pool.fetch(_KEYS):
        key = _Key(models[row["model"]], row["key"])
        tried.extend(await key.retry(pool, log, store, target))
    return tried


class _Key:
    """What is parked together in one read model."""

    def __init__(self, model: ReadModel, key: str) -> None:
        self._model = model
        self._key = key
        self._at: Place | None = None

    async def retry(
        self, pool: asyncpg.Pool, log: Log, store: DecisionStore, target: Target
    ) -> list[Tried]:
        """Apply all of it in order; what fails is named, and everything of the key stays."""
        try:
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_OF_KEY, self._model.name, self._key)
                for slot, position in rows:
                    self._at = slot, position
                    arrival = await arrival_at(log, store, slot, position)
                    admitted = await admit(connection, Recall(EVENTS), EVENTS, [arrival])
                    facts = [f for f in admitted.facts if (f.slot, f.position) == self._at]
                    await write(connection, target, self._model, facts)
                    await connection.execute(_UNPARK, self._model.name, self._key, *self._at)
        except AWAY:
            raise
        except Exception as problem:
            if self._at is None:
                raise
            reason = reason_of(problem)
            await pool.execute(_REFUSE, self._model.name, self._key, *self._at, reason)
            return [self._tried(self._at, resolved=False, note=reason)]
        return [self._tried((slot, at), resolved=True, note="applied") for slot, at in rows]

    def _tried(self, place: Place, *, resolved: bool, note: str) -> Tried:
        return Tried("parked", self._model.name, *place, self._key, resolved, note)
