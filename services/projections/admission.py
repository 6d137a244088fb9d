"""Which events have effect: the first of each identity, a correction once its original is here.

All of it is settled by one unique index, so workers on different slots agree without talking: a
correction that comes first leaves a placeholder, the original that finds one fetches what waited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from schemas.events.record import EventCorrected, EventSealed, EventWithdrawn
from services.projections.arrival import Arrival, Key, arrival_of_row
from services.projections.fact import Fact
from services.projections.identities import Admission, columns, keep, look_up
from services.projections.reason import reason_of

_EXPECT = """
INSERT INTO {events}.identities (realm, source, id, sealed)
SELECT realm, source, id, false
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id)
ORDER BY realm, source, id
ON CONFLICT DO NOTHING
"""

_WAITING = """
SELECT w.slot, w.position, w.headers, w.value FROM {events}.waiting w
JOIN unnest($1::text[], $2::text[], $3::text[]) AS e (realm, source, id)
  ON (w.realm, w.original_source, w.original_id) = (e.realm, e.source, e.id)
"""

_SEAL = """
INSERT INTO {events}.identities AS known (realm, source, id, sealed) VALUES ($1, $2, $3, true)
ON CONFLICT (realm, source, id) DO UPDATE SET sealed = true, subject = NULL
RETURNING known.slot, known.position
"""

_CORRECTIONS = (EventCorrected, EventWithdrawn)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An arrival that cannot have the effect it asks for, and why."""

    arrival: Arrival
    reason: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a batch comes to."""

    facts: Sequence[Fact]
    roots: Sequence[tuple[int, int]]
    """Places of originals that got a correction or were withdrawn."""
    seals: Sequence[tuple[int, int]]
    """Places of originals that were sealed."""
    unreadable: Sequence[Unreadable]


async def admit(
    connection: asyncpg.pool.PoolConnectionProxy,
    admission: Admission,
    events: str,
    arrivals: Sequence[Arrival],
) -> Admitted:
    """Settle a batch: its facts, what it corrects, what it seals, what it cannot do."""
    fresh, awaited = await admission.first(connection, arrivals)
    facts = [fact_of(arrival) for arrival in fresh if not isinstance(arrival.event, _CORRECTIONS)]
    versions = [arrival for arrival in fresh if isinstance(arrival.event, _CORRECTIONS)]
    if awaited:
        versions += await _fetch_waiting(connection, events, awaited)
    seals = [
        (arrival.envelope.realm, arrival.event.sealed_source, arrival.event.sealed_id)
        for arrival in fresh
        if isinstance(arrival.event, EventSealed)
    ]
    corrected, roots, unreadable = await _apply_versions(connection, events, versions)
    return Admitted(facts + corrected, roots, await _seal(connection, events, seals), unreadable)


async def _apply_versions(
    connection: asyncpg.pool.PoolConnectionProxy, events: str, versions: Sequence[Arrival]
) -> tuple[list[Fact], list[tuple[int, int]], list[Unreadable]]:
    """Give each correction and withdrawal its original, or let it wait for it."""
    if not versions:
        return [], [], []
    originals = sorted({version.original for version in versions})
    # A placeholder for what is not here: its insertion waits for whoever is just bringing it.
    await connection.execute(_EXPECT.replace("{events}", events), *columns(originals))
    known = await look_up(connection, events, originals)
    facts: list[Fact] = []
    applied: list[tuple[Arrival, asyncpg.Record]] = []
    waiting: list[Arrival] = []
    unreadable: list[Unreadable] = []
    for version in versions:
        root = known[version.original]
        if root["sealed"]:
            continue
        if root["slot"] is None:
            waiting.append(version)
        elif reason := _misfit(version.event, root["type"]):
            unreadable.append(Unreadable(version, reason))
        else:
            applied.append((version, root))
            facts.extend(_corrected_fact(version, root))
    await keep(connection, events, "waiting", [_waiting_row(version) for version in waiting])
    await keep(connection, events, "versions", [_version_row(*pair) for pair in applied])
    return facts, [(root["slot"], root["position"]) for _, root in applied], unreadable


def _misfit(event: EventModel, original_type: str) -> str | None:
    """Why an event of the original's type cannot be corrected or withdrawn so, or None."""
    if original_type in (EventCorrected.type, EventWithdrawn.type):
        return "names a correction or withdrawal; it must name the original event itself"
    if isinstance(event, EventCorrected):
        if _stem(event.corrected_type) != _stem(original_type):
            return f"corrects an event of type {original_type} as {event.corrected_type}"
        try:
            decode(event.corrected_type, msgspec.json.encode(event.corrected_data))
        except ValueError as unreadable:
            return f"corrected_data is not of type {event.corrected_type}: {reason_of(unreadable)}"
    return None


def _corrected_fact(version: Arrival, root: asyncpg.Record) -> list[Fact]:
    event = version.event
    if not isinstance(event, EventCorrected):
        return []
    accepted_at, revision = _both_known(version.envelope, root)
    return [
        Fact(
            realm=version.envelope.realm,
            slot=version.slot,
            position=version.position,
            root_slot=root["slot"],
            root_position=root["position"],
            time=root["time"],
            source=root["source"],
            sequence=root["sequence"],
            id=root["id"],
            accepted_at=accepted_at,
            archive_revision=revision,
            key=_parks_as(version.envelope, f"{root['source']}#{root['id']}"),
            event=decode(event.corrected_type, msgspec.json.encode(event.corrected_data)),
        )
    ]


def _both_known(envelope: Envelope, root: asyncpg.Record) -> tuple[datetime | None, int | None]:
    """From when an archive's correction counts: when it and its original are known."""
    if envelope.acceptedtime is None:
        return None, None
    accepted = max(envelope.acceptedtime, root["accepted_at"] or envelope.acceptedtime)
    return accepted, max(envelope.archiverevision or 0, root["archive_revision"] or 0)


async def _fetch_waiting(
    connection: asyncpg.pool.PoolConnectionProxy, events: str, keys: Sequence[Key]
) -> list[Arrival]:
    """The corrections that waited for these originals."""
    rows = await connection.fetch(_WAITING.replace("{events}", events), *columns(keys))
    return [arrival_of_row(row) for row in rows]


async def _seal(
    connection: asyncpg.pool.PoolConnectionProxy, events: str, seals: Sequence[Key]
) -> list[tuple[int, int]]:
    """Seal identities, here or still to come; the places of those that are here."""
    places: list[tuple[int, int]] = []
    for realm, source, id_ in seals:
        row = await connection.fetchrow(_SEAL.replace("{events}", events), realm, source, id_)
        if row is not None and row["slot"] is not None:
            places.append((row["slot"], row["position"]))
    return places


def fact_of(arrival: Arrival) -> Fact:
    """What an original states."""
    envelope = arrival.envelope
    return Fact(
        realm=envelope.realm,
        slot=arrival.slot,
        position=arrival.position,
        root_slot=arrival.slot,
        root_position=arrival.position,
        time=envelope.time,
        source=envelope.source,
        sequence=arrival.sequence,
        id=envelope.id,
        accepted_at=envelope.acceptedtime,
        archive_revision=envelope.archiverevision,
        key=_parks_as(envelope, f"{envelope.source}#{envelope.id}"),
        event=arrival.event,
    )


def _parks_as(envelope: Envelope, itself: str) -> str:
    """Behind what it waits when that cannot be applied: never behind another realm's."""
    key = envelope.subject or itself
    return key if envelope.realm == "actual" else f"{envelope.realm}:{key}"


def _version_row(version: Arrival, root: asyncpg.Record) -> tuple[object, ...]:
    accepted_at, revision = _both_known(version.envelope, root)
    return (
        root["slot"],
        root["position"],
        version.slot,
        version.position,
        version.envelope.time,
        version.envelope.source,
        version.sequence,
        version.envelope.id,
        isinstance(version.event, EventWithdrawn),
        accepted_at,
        revision,
    )


def _waiting_row(version: Arrival) -> tuple[object, ...]:
    texts = {name: value.decode() for name, value in version.headers}
    return (
        version.slot,
        version.position,
        *version.original,
        msgspec.json.encode(texts).decode(),
        version.value,
    )


def _stem(type_: str) -> str:
    """An event type without its version."""
    return type_.rsplit(".", 1)[0]
