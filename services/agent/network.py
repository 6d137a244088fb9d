"""The network as an operator's import meets it: where it writes, and what it waits for."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

import asyncpg

from schemas.envelope import STATUS_TOPIC, Envelope
from schemas.events.record import NetworkOpened
from schemas.ids import CentreId, source_of_centre
from services.agent.registry import REGISTRAR
from services.agent.taking import Key
from services.domain import opening
from services.eventlog.log import Log
from services.eventlog.store import DecisionStore
from services.eventlog.transact import state_of, transact

OPENING = "opening"
SOURCE = source_of_centre(CentreId(REGISTRAR))

PATIENCE_SECONDS = 60.0
"""How long the read models may stand still before an import gives up waiting for them."""

_LOCK = 784127
_POLL_SECONDS = 0.02
_NAMES = UUID("6d3a3b52-8a55-5c0e-9a67-2f7e0f4f9f0b")
_PROGRESS = "SELECT next_position FROM projections.progress ORDER BY slot"
_VERSIONS = "SELECT stream, version FROM decisions.streams WHERE stream = ANY ($1::text[])"
_KNOWN = """
SELECT i.realm, i.source, i.id, i.digest, i.archive_revision, i.sealed
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id)
JOIN events.identities i USING (realm, source, id)
WHERE i.slot IS NOT NULL OR i.sealed
"""


class ImportUnderWay(Exception):
    """Another import is at work: revisions follow one another."""


class NotApplied(Exception):
    """The read models stand still. What was taken over is kept; run the import again."""


@dataclass(frozen=True, slots=True)
class Known:
    """An event that the network has."""

    digest: bytes | None
    revision: int | None
    sealed: bool


@dataclass(frozen=True)
class Network:
    """A network's log, its decisions and its database, open in the operator's role."""

    pool: asyncpg.Pool
    log: Log
    store: DecisionStore
    patience_seconds: float = PATIENCE_SECONDS

    async def ends(self) -> list[int]:
        """The next position of every slot, decisions last."""
        return [*await self.log.ends(STATUS_TOPIC), await self.store.next_position()]

    async def applied(self, ends: Sequence[int]) -> None:
        """The read models hold everything below these ends.

        Raises:
            NotApplied: they did not move for as long as patience lasts.
        """
        loop = asyncio.get_running_loop()
        seen, deadline = [-1], loop.time() + self.patience_seconds
        while True:
            progress = [row["next_position"] for row in await self.pool.fetch(_PROGRESS)]
            if all(done >= end for done, end in zip(progress, ends, strict=True)):
                return
            if progress != seen:
                seen, deadline = progress, loop.time() + self.patience_seconds
            elif loop.time() > deadline:
                raise NotApplied(
                    "the read models stand still: are the relay and the projections running?"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def known(self, keys: Collection[Key]) -> dict[Key, Known]:
        """Those of the identities that the network has."""
        realms, sources, ids = map(list, zip(*keys, strict=True)) if keys else ([], [], [])
        rows = await self.pool.fetch(_KNOWN, realms, sources, ids)
        return {
            (row["realm"], row["source"], row["id"]): Known(
                row["digest"], row["archive_revision"], row["sealed"]
            )
            for row in rows
        }

    async def versions(self, streams: Collection[str]) -> dict[str, int]:
        """The version of each of these streams that was ever decided on."""
        rows = await self.pool.fetch(_VERSIONS, list(streams))
        return {row["stream"]: row["version"] for row in rows}

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """No other import is at work meanwhile.

        Raises:
            ImportUnderWay: one is.
        """
        async with self.pool.acquire() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                raise ImportUnderWay("another import is at work; wait until it is done")
            try:
                yield
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def open_network(store: DecisionStore, *, now: datetime) -> datetime:
    """The network is open, from now on unless it was before; returns since when."""
    envelope = Envelope(
        id=str(uuid5(_NAMES, OPENING)),
        source=SOURCE,
        type=NetworkOpened.type,
        time=now,
        subject="network",
    )
    await transact(
        store,
        opening.DECIDER,
        OPENING,
        lambda state: opening.open_at(state, now),
        envelope=lambda _event, _version: envelope,
    )
    return await opened(store) or now


async def opened(store: DecisionStore) -> datetime | None:
    """Since when the network is open; None when it is not yet."""
    stored = await store.load(opening.DECIDER.stream(OPENING))
    return state_of(opening.DECIDER, stored).opened_at
