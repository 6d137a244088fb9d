"""Who is the first of an identity: one row per (realm, source, id), settled by one unique index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from services.projections.arrival import Arrival, Key

_ADMIT = """
INSERT INTO {events}.identities AS known
SELECT * FROM unnest($1::{events}.identities[])
ON CONFLICT (realm, source, id) DO UPDATE SET
    slot = excluded.slot, position = excluded.position, time = excluded.time,
    sequence = excluded.sequence, type = excluded.type, subject = excluded.subject,
    digest = excluded.digest, accepted_at = excluded.accepted_at,
    archive_revision = excluded.archive_revision
WHERE known.slot IS NULL AND NOT known.sealed
RETURNING known.realm, known.source, known.id, old.id IS NOT NULL AS awaited
"""

_LOOK_UP = """
SELECT i.realm, i.source, i.id, i.slot, i.position, i.time, i.sequence, i.type, i.digest,
       i.accepted_at, i.archive_revision, i.sealed
FROM {events}.identities i
JOIN unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id) USING (realm, source, id)
"""

_KEEP = (
    "INSERT INTO {events}.{table} SELECT * FROM unnest($1::{events}.{table}[]) "
    "ON CONFLICT DO NOTHING"
)


class Admission(Protocol):
    """How a runner learns which arrivals are the first of their identity."""

    async def first(
        self, connection: asyncpg.pool.PoolConnectionProxy, arrivals: Sequence[Arrival]
    ) -> tuple[list[Arrival], list[Key]]:
        """The arrivals that have effect, and the identities that something may wait for."""
        ...


@dataclass(frozen=True)
class Admit:
    """Admission of what is new: writes the identities."""

    events: str

    async def first(
        self, connection: asyncpg.pool.PoolConnectionProxy, arrivals: Sequence[Arrival]
    ) -> tuple[list[Arrival], list[Key]]:
        """Admit each identity's first arrival; what conflicts with it is listed."""
        firsts: dict[Key, Arrival] = {}
        for arrival in arrivals:
            firsts.setdefault(arrival.key, arrival)
        rows = [identity_row(arrival) for arrival in firsts.values()]
        admitted = await connection.fetch(_ADMIT.replace("{events}", self.events), rows)
        new = {(row["realm"], row["source"], row["id"]) for row in admitted}
        fresh = [arrival for key, arrival in firsts.items() if key in new]
        if len(fresh) < len(arrivals):
            again = [arrival for arrival in arrivals if firsts[arrival.key] is not arrival]
            again += [arrival for key, arrival in firsts.items() if key not in new]
            await self._list_conflicts(connection, again)
        return fresh, [
            (row["realm"], row["source"], row["id"]) for row in admitted if row["awaited"]
        ]

    async def _list_conflicts(
        self, connection: asyncpg.pool.PoolConnectionProxy, again: Sequence[Arrival]
    ) -> None:
        """The same content again is nothing; other content under a taken id is kept in a list."""
        known = await look_up(connection, self.events, {arrival.key for arrival in again})
        rows = [
            (arrival.slot, arrival.position, *arrival.key, arrival.digest)
            for arrival in again
            if not known[arrival.key]["sealed"] and known[arrival.key]["digest"] != arrival.digest
        ]
        await keep(connection, self.events, "conflicts", rows)


@dataclass(frozen=True)
class Recall:
    """Admission of what was admitted before: reads the live identities, writes none."""

    events: str

    async def first(
        self, connection: asyncpg.pool.PoolConnectionProxy, arrivals: Sequence[Arrival]
    ) -> tuple[list[Arrival], list[Key]]:
        """The arrivals that the live identities name, and all their identities."""
        known = await look_up(connection, self.events, {arrival.key for arrival in arrivals})
        fresh = [
            arrival
            for arrival in arrivals
            if (row := known.get(arrival.key)) is not None
            and (row["slot"], row["position"]) == (arrival.slot, arrival.position)
            and not row["sealed"]
        ]
        return fresh, [arrival.key for arrival in fresh]


@dataclass(frozen=True)
class Again:
    """Admission of what is tried again: what was admitted at its place, and what is new."""

    events: str

    async def first(
        self, connection: asyncpg.pool.PoolConnectionProxy, arrivals: Sequence[Arrival]
    ) -> tuple[list[Arrival], list[Key]]:
        """The arrivals that had effect or have it now; what conflicts is listed."""
        known, keys = await Recall(self.events).first(connection, arrivals)
        places = {(arrival.slot, arrival.position) for arrival in known}
        rest = [one for one in arrivals if (one.slot, one.position) not in places]
        fresh, awaited = await Admit(self.events).first(connection, rest)
        return known + fresh, keys + awaited


async def look_up(
    connection: asyncpg.pool.PoolConnectionProxy, events: str, keys: Iterable[Key]
) -> dict[Key, asyncpg.Record]:
    """The identities that are known, of these."""
    realms, sources, ids = columns(keys)
    rows = await connection.fetch(_LOOK_UP.replace("{events}", events), realms, sources, ids)
    return {(row["realm"], row["source"], row["id"]): row for row in rows}


async def keep(
    connection: asyncpg.pool.PoolConnectionProxy,
    events: str,
    table: str,
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Add rows to a table of the events; a row that is there already stays."""
    if rows:
        await connection.execute(_KEEP.replace("{events}", events).replace("{table}", table), rows)


def columns(keys: Iterable[Key]) -> tuple[list[str], list[str], list[str]]:
    """Keys as the three arrays that a statement takes."""
    realms, sources, ids = [], [], []
    for realm, source, id_ in keys:
        realms.append(realm)
        sources.append(source)
        ids.append(id_)
    return realms, sources, ids


def identity_row(arrival: Arrival) -> tuple[object, ...]:
    """The row that says who came first."""
    envelope = arrival.envelope
    return (
        *arrival.key,
        arrival.slot,
        arrival.position,
        envelope.time,
        arrival.sequence,
        envelope.type,
        envelope.subject,
        arrival.digest,
        envelope.acceptedtime,
        envelope.archiverevision,
        False,
    )
