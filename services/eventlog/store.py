"""The decision store: appends guarded by stream versions, in one total gapless order.

A decision is appended whole, at the expected version of its own stream and under guards on the
versions of others, or not at all. Position order is commit order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg
import msgspec

from schemas.envelope import Envelope, from_headers, header_texts
from services.eventlog.connection import LOST, KeptConnections
from services.eventlog.groupcommit import GroupCommit, WriterClosed

_MAX_FLUSH = 500
_FLUSHES = 2
_FLUSH_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_APPEND = """
SELECT verdict, first_position
FROM decisions.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ORDER BY item
"""
_STREAM = "SELECT * FROM decisions.events WHERE stream = $1 ORDER BY version"
_HEADS = """
SELECT stream, max(version) AS version, max(position) AS position FROM decisions.events
WHERE stream = ANY ($1::text[]) GROUP BY stream
"""
_FROM = "SELECT * FROM decisions.events WHERE position >= $1 ORDER BY position LIMIT $2"

_JSON = msgspec.json.Encoder()

type Verdict = Literal["appended", "conflict", "duplicate"]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that a decision makes: its envelope and its `data` bytes."""

    envelope: Envelope
    data: bytes


@dataclass(frozen=True, slots=True)
class Guard:
    """Another stream must still be at this version when the decision is appended."""

    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a stream: its version and its position."""

    version: int
    position: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What is appended whole or not at all."""

    stream: str
    expected_version: int
    events: Sequence[NewEvent]
    guards: Sequence[Guard] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a decision; `first_position` is None unless it was appended."""

    verdict: Verdict
    first_position: int | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a stream, as it was stored."""

    position: int
    stream: str
    version: int
    envelope: Envelope
    data: bytes


class StoreUnavailable(Exception):
    """The store did not answer. What was handed over may or may not be in it: load and see."""


class Unstorable(Exception):
    """The database refuses this decision whatever its state, as a text with a null byte."""


class DecisionStore:
    """The schema `decisions` of one database, with one group-commit writer per process.

    Keeps two of the pool's connections. Every call raises `StoreUnavailable` when it is away.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connections = KeptConnections(pool, _FLUSHES)
        self._writer: GroupCommit[Decision, Appended] = GroupCommit(
            self._flush, max_size=_MAX_FLUSH, flushers=_FLUSHES, admission=_independent
        )

    async def append(self, decision: Decision, *, timeout: float = 10.0) -> Appended:
        """Append a decision durably, or say why not.

        Raises:
            StoreUnavailable: no answer within `timeout` seconds.
            Unstorable: nothing of it is written, and never could be.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._writer.write(decision, size=len(decision.events))
        except (*LOST, WriterClosed) as away:
            raise StoreUnavailable(repr(away)) from away

    async def load(self, stream: str) -> list[StoredEvent]:
        """Every event of a stream, oldest first."""
        return [_stored(row) for row in await self._fetch(_STREAM, stream)]

    async def read(self, position: int, *, limit: int) -> list[StoredEvent]:
        """Events in the order of their positions, from this one on."""
        return [_stored(row) for row in await self._fetch(_FROM, position, limit)]

    async def read_all(self, position: int = 0) -> AsyncIterator[StoredEvent]:
        """Every event from this position on, in pages."""
        while page := await self.read(position, limit=1_000):
            for event in page:
                yield event
            position = page[-1].position + 1

    async def version(self, stream: str) -> int:
        """The stream's version; 0 when nothing was ever decided on it."""
        rows = await self._fetch("SELECT version FROM decisions.streams WHERE stream = $1", stream)
        return rows[0]["version"] if rows else 0

    async def heads(self, streams: Iterable[str]) -> dict[str, Head]:
        """How far each of these streams has got; of what was never decided on, nothing."""
        rows = await self._fetch(_HEADS, list(streams))
        return {row["stream"]: Head(row["version"], row["position"]) for row in rows}

    async def next_position(self) -> int:
        """The position that the next decision will have."""
        found: int = (await self._fetch("SELECT next_position FROM decisions.head"))[0][0]
        return found

    async def close(self) -> None:
        """Finish what is under way."""
        await self._writer.close()
        await self._connections.close()

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            return await self._pool.fetch(query, *arguments, timeout=_ANSWER_SECONDS)
        except LOST as away:
            raise StoreUnavailable(repr(away)) from away

    async def _flush(self, decisions: Sequence[Decision]) -> Sequence[Appended | Exception]:
        try:
            return await self._write(decisions)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as refused:
            if len(decisions) == 1:
                return [Unstorable(str(refused))]
            # One of them cannot be written. The others must not fail with it.
            return [(await self._flush([decision]))[0] for decision in decisions]

    async def _write(self, decisions: Sequence[Decision]) -> list[Appended]:
        guards = [(n, g) for n, d in enumerate(decisions, 1) for g in d.guards]
        events = [event for decision in decisions for event in decision.events]
        async with self._connections.use(timeout=_FLUSH_SECONDS) as connection:
            rows = await connection.fetch(
                _APPEND,
                [decision.stream for decision in decisions],
                [decision.expected_version for decision in decisions],
                [len(decision.events) for decision in decisions],
                [n for n, _ in guards],
                [guard.stream for _, guard in guards],
                [guard.version for _, guard in guards],
                [event.envelope.source for event in events],
                [event.envelope.id for event in events],
                _header_lines(events),
                [event.data for event in events],
            )
        return [Appended(row["verdict"], row["first_position"]) for row in rows]


def _independent() -> Callable[[Decision], bool]:
    """Which decisions one flush may carry together.

    The store checks all of a flush against what stood before it. That is right as long as no
    stream is written twice in one flush, nor written by one item and guarded on by another.
    """
    written: set[str] = set()
    guarded: set[str] = set()
    ids: set[tuple[str, str]] = set()

    def admits(decision: Decision) -> bool:
        guards = {guard.stream for guard in decision.guards}
        new = {(event.envelope.source, event.envelope.id) for event in decision.events}
        if decision.stream in written or decision.stream in guarded:
            return False
        if guards & written or new & ids:
            return False
        written.add(decision.stream)
        guarded.update(guards)
        ids.update(new)
        return True

    return admits


def _header_lines(events: Sequence[NewEvent]) -> str:
    """JSON, a line an event: in JSON a line break is written otherwise."""
    headers = [header_texts(event.envelope) for event in events]
    return _JSON.encode_lines(headers).decode().removesuffix("\n")


def _stored(row: asyncpg.Record) -> StoredEvent:
    headers: dict[str, str] = msgspec.json.decode(row["headers"])
    envelope = from_headers([(name, value.encode()) for name, value in headers.items()])
    return StoredEvent(row["position"], row["stream"], row["version"], envelope, row["data"])
