"""The registry in the memory of a process, read again when its table has changed.

No request asks the database for reference data; a change is seen within about a second.
"""

import asyncio
from collections.abc import Iterable

import asyncpg

from services.domain.registry import MODELS, Entry, Registry, registry_of
from services.eventlog.connection import LOST, heed_cancellation

_POLL_SECONDS = 1.0

# Rebuilt, the table is another one, whatever its number.
_STATE = "SELECT number, 'registry.revision'::regclass::oid FROM registry.revision"
_ENTRIES = """
SELECT subject, entry, valid_from, valid_to, body::text AS body FROM registry.entries
WHERE realm = 'actual' ORDER BY position
"""
_NOT_THERE_YET = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


class RegistryReader:
    """Holds the registry as it was last read; `registry` never waits."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._registry = Registry()
        self._state: tuple[int, int] | None = None

    @property
    def registry(self) -> Registry:
        """The registry as it was last read."""
        return self._registry

    @property
    def is_loaded(self) -> bool:
        """Whether anything was ever read: without a registry nobody may state anything."""
        return bool(self._registry.versions)

    async def refresh(self) -> bool:
        """The registry is the table's from now on; returns whether it had changed."""
        try:
            row = await self._pool.fetchrow(_STATE)
            state = tuple(row) if row else None
            if state == self._state:
                return False
            entries = await self._pool.fetch(_ENTRIES)
        except _NOT_THERE_YET:
            return False
        self._registry = registry_of(entries_of(entries))
        self._state = state
        return True

    async def run(self) -> None:
        """Refresh for ever; while the database is away, what was read last stays."""
        while True:
            try:
                await self.refresh()
            except LOST:
                heed_cancellation()
                self._state = None
            await asyncio.sleep(_POLL_SECONDS)


def entries_of(rows: Iterable[asyncpg.Record]) -> Iterable[Entry]:
    """The entries that these rows hold; `body` is JSON text."""
    for row in rows:
        # A subject that this code does not know is one that newer code registered.
        if (model := MODELS.get(row["subject"])) is not None:
            yield Entry(
                row["subject"],
                row["entry"],
                row["valid_from"],
                row["valid_to"],
                model.model_validate_json(row["body"]),
            )
