"""Which events the network has already: one look-up a request, answered by one index."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from services.eventlog.connection import LOST, KeptConnection
from services.eventlog.groupcommit import GroupCommit, WriterClosed
from services.ingest.recent import Key, Known

_LOOK_UP = """
SELECT i.realm, i.source, i.id, i.digest, i.slot, i.position, i.sealed
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id)
JOIN events.identities i USING (realm, source, id)
"""
_NOT_THERE_YET = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


_MAX_KEYS = 2_000


class IdentitiesUnavailable(Exception):
    """The read model did not answer: what it would know is settled downstream."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the read model knows of some identities."""

    known: dict[Key, Known]
    sealed: frozenset[Key]


class Identities:
    """The table `events.identities`, read only; on one connection of the pool, kept.

    Requests that ask at the same time share one question: for a request of one event, taking a
    connection from the pool and giving it back costs more than all that the door does besides.
    Make it inside the event loop that uses it.
    """

    def __init__(self, pool: asyncpg.Pool, *, timeout: float = 2.0) -> None:
        self._connection = KeptConnection(pool)
        self._timeout = timeout
        self._questions: GroupCommit[Collection[Key], Found] = GroupCommit(
            self._ask, max_size=_MAX_KEYS
        )

    async def look_up(self, keys: Collection[Key]) -> Found:
        """Those of the identities that were admitted, and those that were sealed, among others.

        Raises:
            IdentitiesUnavailable: the database is away.
        """
        try:
            return await self._questions.write(keys, size=len(keys))
        except (*LOST, WriterClosed) as away:
            raise IdentitiesUnavailable(repr(away)) from away

    async def close(self) -> None:
        """Give the connection back."""
        await self._questions.close()
        await self._connection.close()

    async def _ask(self, questions: Sequence[Collection[Key]]) -> list[Found]:
        keys = [key for asked in questions for key in asked]
        try:
            async with self._connection.use(timeout=self._timeout) as connection:
                rows = await connection.fetch(_LOOK_UP, *map(list, zip(*keys, strict=True)))
        except _NOT_THERE_YET:
            rows = []
        return [_found(rows)] * len(questions)


def _found(rows: Iterable[asyncpg.Record]) -> Found:
    known: dict[Key, Known] = {}
    sealed: set[Key] = set()
    for realm, source, id_, digest, slot, position, is_sealed in rows:
        if is_sealed:
            sealed.add((realm, source, id_))
        elif slot is not None:
            known[realm, source, id_] = Known(digest, slot, position)
    return Found(known, frozenset(sealed))
