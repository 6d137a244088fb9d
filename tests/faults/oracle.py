"""What must be so after a storm, by code that shares nothing with the system it judges.

It knows three things: what clients were told (their own record), the raw log (read with kcat or
SQL), and the rows and answers of the read models. It folds the log by itself and compares.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import asyncpg

FIGURES = (
    "dead", "injured", "missing", "displaced", "households", "routes_closed", "routes_affected",
    "damage_baht",
)  # fmt: skip
DECISIONS_SLOT = 64

type Identity = tuple[str, str]
type Place = tuple[int, int]
type Json = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A message of the raw log: where it lies, what it says."""

    slot: int
    position: int
    attributes: Mapping[str, str]
    payload: str

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self.slot, self.position

    @property
    def identity(self) -> Identity:
        """Sent twice, it is one event."""
        return self.attributes["ce_source"], self.attributes["ce_id"]

    @property
    def type(self) -> str:
        """What kind of event."""
        return self.attributes["ce_type"]

    @cached_property
    def time(self) -> datetime:
        """When it was so."""
        return datetime.fromisoformat(self.attributes["ce_time"])

    @cached_property
    def data(self) -> Json:
        """What it states."""
        stated: Json = json.loads(self.payload)
        return stated

    @property
    def content(self) -> tuple[object, ...]:
        """What makes it the same event when its identity comes again."""
        named = [self.attributes.get(f"ce_{name}") for name in ("type", "subject", "originalid")]
        return (*named, self.time, self.payload)


@dataclass
class Acknowledged:
    """The clients' own record: what the door, and the store, said is kept for ever."""

    events: list[Json] = field(default_factory=list)
    decisions: list[Identity] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """A situation report that counts, in its latest version."""

    place: Place
    root: Place
    incident: str
    province: str
    source: str
    id: str
    time: datetime
    figures: tuple[Decimal | None, ...]


async def read_kafka(bootstrap: str, topic: str) -> list[Entry]:
    """Everything in a topic, by kcat."""
    kcat = await asyncio.create_subprocess_exec(
        *("kcat", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-J"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaints = await kcat.communicate()
    assert kcat.returncode == 0, complaints.decode()
    return [_kafka_entry(json.loads(line)) for line in output.decode().splitlines()]


def _kafka_entry(message: Json) -> Entry:
    named = iter(message["headers"])
    attributes = dict(zip(named, named, strict=True))
    return Entry(message["partition"], message["offset"], attributes, message["payload"])


async def read_postgres(connection: asyncpg.Connection, topic: str) -> list[Entry]:
    """Everything in a topic, by SQL."""
    rows = await connection.fetch(
        'SELECT m.partition, m."offset", m.headers, m.value FROM log.messages m '
        "JOIN log.topics t USING (topic) WHERE t.name = $1",
        topic,
    )
    return [Entry(row[0], row[1], json.loads(row[2]), row[3].decode()) for row in rows]


async def read_store(connection: asyncpg.Connection) -> list[Entry]:
    """Every decision, in the order of the decisions, by SQL."""
    rows = await connection.fetch(
        "SELECT position, headers, data FROM decisions.events ORDER BY position"
    )
    return [Entry(DECISIONS_SLOT, row[0], json.loads(row[1]), row[2].decode()) for row in rows]


async def read_commits(connection: asyncpg.Connection) -> dict[Identity, datetime]:
    """When each decision was committed, as the database has it."""
    rows = await connection.fetch(
        "SELECT source, id, pg_xact_commit_timestamp(xmin) FROM decisions.events"
    )
    return {(row[0], row[1]): row[2] for row in rows}


def nothing_acknowledged_is_lost(acknowledged: Iterable[Json], log: Iterable[Entry]) -> None:
    """Every event that a client was told is taken lies in the log, as it was sent."""
    kept: dict[Identity, list[tuple[object, ...]]] = {}
    for entry in log:
        kept.setdefault(entry.identity, []).append((entry.type, entry.time, entry.data))
    lost = [
        event
        for event in acknowledged
        if (event["type"], datetime.fromisoformat(event["time"]), event["data"])
        not in kept.get((event["source"], event["id"]), [])
    ]
    assert not lost, f"{len(lost)} acknowledged events are not in the log: {lost[:3]}"


def positions_are_gapless(log: Iterable[Entry]) -> None:
    """No position of a slot is missing or given twice."""
    slots: dict[int, list[int]] = {}
    for entry in log:
        slots.setdefault(entry.slot, []).append(entry.position)
    for slot, positions in slots.items():
        assert sorted(positions) == list(range(len(positions))), f"slot {slot} has gaps"


@dataclass(frozen=True)
class Folded:
    """What the log of the centres comes to."""

    firsts: dict[Identity, Entry]
    conflicts: set[Place]
    versions: dict[Identity, list[Entry]]
    """Corrections and withdrawals of an original, the latest last."""

    @classmethod
    def of(cls, log: Iterable[Entry]) -> "Folded":
        """The first of each identity has effect; a version has, once its original is there."""
        firsts: dict[Identity, Entry] = {}
        conflicts: set[Place] = set()
        for entry in sorted(log, key=lambda entry: entry.place):
            first = firsts.setdefault(entry.identity, entry)
            if first.content != entry.content:
                conflicts.add(entry.place)
        versions: dict[Identity, list[Entry]] = {}
        for entry in firsts.values():
            if "ce_originalid" in entry.attributes:
                named = entry.attributes
                source = named.get("ce_originalsource", named["ce_source"])
                original = source, named["ce_originalid"]
                if original in firsts:
                    versions.setdefault(original, []).append(entry)
        for of_one in versions.values():
            of_one.sort(key=_precedence)
        return cls(firsts, conflicts, versions)

    @property
    def identities(self) -> set[tuple[str, str, int, int]]:
        """Which events there are, and where the one with effect lies."""
        return {(*identity, *entry.place) for identity, entry in self.firsts.items()}

    @property
    def version_rows(self) -> set[tuple[int, int, int, int, bool]]:
        """Root, place and kind of every correction and withdrawal."""
        return {
            (*self.firsts[original].place, *entry.place, entry.type == "event.withdrawn.v1")
            for original, entries in self.versions.items()
            for entry in entries
        }

    def reports(self) -> list[Report]:
        """Every situation report ever stated, corrected ones in each of their versions."""
        found = []
        for identity, first in self.firsts.items():
            if first.type == "situation.reported.v1":
                found.append(_report(first, first, first.data))
                found += [
                    _report(first, version, version.data["corrected_data"])
                    for version in self.versions.get(identity, [])
                    if version.type == "event.corrected.v1"
                ]
        return found

    def counting(self) -> list[Report]:
        """The reports that count: of each the latest version, unless that is a withdrawal."""
        latest = {
            self.firsts[original].place: entries[-1].place
            for original, entries in self.versions.items()
        }
        return [r for r in self.reports() if latest.get(r.root, r.root) == r.place]

    def changes(self) -> set[tuple[int, int, str, str]]:
        """Every opening, update and closing of an incident."""
        return {
            (*entry.place, entry.data["incident"], entry.type.split(".")[1])
            for entry in self.firsts.values()
            if entry.type.startswith("incident.")
        }

    def open_incidents(self) -> dict[str, set[str]]:
        """The incidents whose latest word is not that they closed, with their provinces."""
        words = sorted(
            (e for e in self.firsts.values() if e.type.startswith("incident.")), key=_precedence
        )
        provinces: dict[str, set[str]] = {}
        state: dict[str, str] = {}
        for word in words:
            incident, change = word.data["incident"], word.type.split(".")[1]
            if change != "updated":
                state[incident] = change
            if word.data.get("provinces"):
                provinces[incident] = set(word.data["provinces"])
        return {name: provinces[name] for name, word in state.items() if word == "opened"}

    def latest_figures(self) -> dict[tuple[str, str, str, str], tuple[str, Decimal]]:
        """By province, incident, figure and source: the report that stated it last, and its value.

        A figure left out of a report keeps what its source last said.
        """
        found: dict[tuple[str, str, str, str], tuple[str, Decimal]] = {}
        ordered = sorted(self.counting(), key=lambda r: (r.time, r.source, r.id))
        for report in ordered:
            for name, value in zip(FIGURES, report.figures, strict=True):
                if value is not None:
                    key = (report.province, report.incident, name, report.source)
                    found[key] = (report.id, value)
        return found


def known_by(log: Iterable[Entry], ends: Sequence[int], as_of: datetime) -> Iterator[Entry]:
    """What lay below these ends of the log and was so at that moment; versions are never too late.

    A version has no moment of its own: it says again what was so at its original's.
    """
    for entry in log:
        if entry.position < ends[entry.slot] and (
            entry.time <= as_of or "ce_originalid" in entry.attributes
        ):
            yield entry


def _precedence(entry: Entry) -> tuple[datetime, str, int, str]:
    source, id_ = entry.identity
    return entry.time, source, int(entry.attributes.get("ce_sequence", "-1")), id_


def _report(original: Entry, version: Entry, data: Json) -> Report:
    source, id_ = original.identity
    figures = tuple(Decimal(data[name]) if name in data else None for name in FIGURES)
    return Report(
        version.place,
        original.place,
        data["incident"],
        data["place"],
        source,
        id_,
        original.time,
        figures,
    )


async def tables_equal(connection: asyncpg.Connection, folded: Folded) -> None:
    """The read models hold exactly what the log comes to: nothing is missing, nothing twice."""
    compared: Sequence[tuple[str, str, set[Any]]] = (
        (
            "identities",
            "SELECT source, id, slot, position FROM events.identities WHERE slot < 64",
            folded.identities,
        ),
        (
            "versions",
            "SELECT root_slot, root_position, slot, position, withdrawn FROM events.versions",
            folded.version_rows,
        ),
        ("conflicts", "SELECT slot, position FROM events.conflicts", folded.conflicts),
        (
            "reports",
            "SELECT slot, position, root_slot, root_position, incident, place, source, id, time, "
            "figures FROM situations.reports",
            {
                (*r.place, *r.root, r.incident, r.province, r.source, r.id, r.time, r.figures)
                for r in folded.reports()
            },
        ),
        ("changes", "SELECT slot, position, incident, change FROM incidents.changes",
         folded.changes()),
        ("parked", "SELECT model, key FROM projections.parked", set()),
        ("quarantine", 'SELECT topic, partition, "offset" FROM projections.quarantine', set()),
    )  # fmt: skip
    for name, query, expected in compared:
        rows = [_plain(row) for row in await connection.fetch(query)]
        assert len(rows) == len(set(rows)), f"{name}: a row stands there twice"
        missing, surplus = expected - set(rows), set(rows) - expected
        assert not missing, f"{name}: {len(missing)} missing: {sorted(map(str, missing))[:3]}"
        assert not surplus, f"{name}: {len(surplus)} too many: {sorted(map(str, surplus))[:3]}"


def _plain(row: Iterable[object]) -> tuple[object, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


async def decisions_are_whole(
    connection: asyncpg.Connection,
    published: Sequence[Entry],
    acknowledged: Iterable[Identity],
    *,
    end: int,
) -> None:
    """The store is gapless, holds what it acknowledged, and all of it was published in order.

    `end` was its end before the topic was read: a timer may have stated one more silence since.
    """
    rows = await connection.fetch(
        "SELECT position, source, id FROM decisions.events WHERE position < $1 ORDER BY position",
        end,
    )
    assert [row["position"] for row in rows] == list(range(len(rows))), "the store has gaps"
    stored = [(row["source"], row["id"]) for row in rows]
    assert not set(acknowledged) - set(stored), "an acknowledged decision is not in the store"
    fresh: list[Identity] = []
    for entry in sorted(published, key=lambda entry: entry.position):
        position = int(entry.attributes["ce_position"])
        assert position <= len(fresh), f"a relay skipped decision {len(fresh)}"
        if position == len(fresh):
            fresh.append(entry.identity)
    assert fresh[:end] == stored, "the topic of decisions is not the store"
    applied = await connection.fetch(
        "SELECT position, source, id FROM events.identities WHERE slot = 64 AND position < $1 "
        "ORDER BY position",
        end,
    )
    assert [(row[1], row[2]) for row in applied] == stored, "a decision was not applied once"


async def silences_stated(connection: asyncpg.Connection) -> list[tuple[str, bool]]:
    """Which centre fell silent (true) or was heard again, in the order of the decisions."""
    return [
        (entry.data["centre"], entry.type == "centre.silent.v1")
        for entry in await read_store(connection)
        if entry.type in ("centre.silent.v1", "centre.heard.v1")
    ]


async def silences_alternate(connection: asyncpg.Connection) -> int:
    """A centre falls silent once, is heard once, and so on; returns how many were stated."""
    stated = await silences_stated(connection)
    last: dict[str, bool] = {}
    for centre, is_silent in stated:
        assert last.get(centre, False) != is_silent, f"{centre}: silent {is_silent}, twice"
        last[centre] = is_silent
    kept = await connection.fetchval("SELECT count(*) FROM centres.silences")
    assert kept == len(stated), f"{len(stated)} were stated, {kept} are in the table"
    return len(stated)


def answer_equals(province: str, answer: Json, folded: Folded) -> None:
    """The gateway's situation of a province says what the log comes to."""
    expected_open = {
        name for name, provinces in folded.open_incidents().items() if province in provinces
    }
    told = {incident["id"]: incident for incident in answer["incidents"]}
    assert set(told) == expected_open, f"{province}: {set(told) ^ expected_open} open or not"
    expected = {
        (incident, name, source): stated
        for (place, incident, name, source), stated in folded.latest_figures().items()
        if place == province and incident in expected_open
    }
    found = {
        (incident["id"], name, line["source"]): (line["id"], Decimal(str(line["value"])))
        for incident in told.values()
        for name, figure in incident["figures"].items()
        for line in figure["sources"]
    }
    assert found == expected, (
        f"{province}: {sorted(map(str, found.items() ^ expected.items()))[:6]}"
    )
