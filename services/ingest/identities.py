"""Which events the network has already: one look-up a request, answered by one index."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import asyncpg

from services.eventlog.connection import LOST
from services.ingest.recent import Key, Known

_LOOK_UP = """
SELECT i.realm, i.source, i.id, i.digest, i.slot, i.position, i.sealed
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id)
JOIN events.identities i USING (realm, source, id)
"""
_NOT_THERE_YET = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


class IdentitiesUnavailable(Exception):
    """The read model did not answer: what it would know is settled downstream."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the read model knows of some identities."""

    known: dict[Key, Known]
    sealed: frozenset[Key]


class Identities:
    """The table `events.identities`, read only."""

    def __init__(self, pool: asyncpg.Pool, *, timeout: float = 2.0) -> None:
        self._pool = pool
        self._timeout = timeout

    async def look_up(self, keys: Collection[Key]) -> Found:
        """Those of the identities that were admitted, and those that were sealed.

        Raises:
            IdentitiesUnavailable: the database is away.
        """
        if not keys:
            return Found({}, frozenset())
        try:
            async with asyncio.timeout(self._timeout):
                rows = await self._pool.fetch(_LOOK_UP, *map(list, zip(*keys, strict=True)))
        except _NOT_THERE_YET:
            return Found({}, frozenset())
        except LOST as away:
            raise IdentitiesUnavailable(repr(away)) from away
        known: dict[Key, Known] = {}
        sealed: set[Key] = set()
        for realm, source, id_, digest, slot, position, is_sealed in rows:
            if is_sealed:
                sealed.add((realm, source, id_))
            elif slot is not None:
                known[realm, source, id_] = Known(digest, slot, position)
        return Found(known, frozenset(sealed))
