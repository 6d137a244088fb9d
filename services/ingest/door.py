"""The door: what centres state is judged, told from what is known already, and put into the log.

Nothing is acknowledged before it is durable. When the log does not acknowledge, nothing is
remembered either: the centre sends again, and one identity has one effect.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from schemas.envelope import STATUS_TOPIC, digest, to_headers
from schemas.ids import CentreId
from schemas.slots import slot_of
from services.domain.entitlement import Statement, check
from services.domain.rejected import Rejected
from services.eventlog.log import Log, LogUnavailable, Message
from services.eventlog.position import Position
from services.ingest.identities import Found, Identities, IdentitiesUnavailable
from services.ingest.reading import Refused, Stated
from services.ingest.recent import Key, Known, Recent
from services.ingest.refusals import CONFLICT, conflict, of_rule, sealed
from services.ingest.verifying import Indexed, Verifiers
from services.operation.metrics import Metrics
from services.readmodels.registry_reader import RegistryReader

APPEND_SECONDS = 10.0
"""How long the log has to acknowledge before the centre is told to send again."""

_SLICE_EVENTS = 500
_SLICE_BYTES = 2 * 1024 * 1024
"""What is judged and appended at once: more would hold up the requests behind it."""

_HEADER_NAMES = 400
"""Bytes that the names of an event's headers take, at most about."""

logger = structlog.get_logger()


class Taken(msgspec.Struct, frozen=True, gc=False):
    """An event that is in the log, durably; `duplicate` when it was there before."""

    id: str
    slot: int
    position: int
    duplicate: bool


type Outcome = Taken | Refused
"""What became of one event."""


class _Candidate(msgspec.Struct):
    stated: Stated
    digest: bytes
    index: int
    again: list[int]


@dataclass
class _Slice:
    """Some events of a request between their judgement and their place in the log."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    candidates: dict[Key, _Candidate] = field(default_factory=dict)

    def add(self, index: int, stated: Stated) -> None:
        """The event may be stated: it is a candidate, unless the slice has its identity already."""
        envelope = stated.envelope
        said = digest(envelope, stated.data)
        key = (envelope.realm, envelope.source, envelope.id)
        first = self.candidates.setdefault(key, _Candidate(stated, said, index, []))
        if first.index == index:
            return
        if first.digest == said:
            first.again.append(index)
        else:
            self.outcomes[index] = Refused(envelope.id, conflict(envelope.id))

    def settle(self, candidate: _Candidate, taken: Taken) -> None:
        """The candidate is in the log; so are its repetitions in the same judged."""
        self.outcomes[candidate.index] = taken
        for index in candidate.again:
            self.outcomes[index] = Taken(taken.id, taken.slot, taken.position, duplicate=True)

    def refuse(self, candidate: _Candidate, refused: Refused) -> None:
        """The candidate and its repetitions are not taken in."""
        self.outcomes.update(dict.fromkeys((candidate.index, *candidate.again), refused))


@dataclass
class Door:
    """One process's door to one log."""

    log: Log
    registry: RegistryReader
    identities: Identities
    metrics: Metrics
    way: str = "http"
    """How events came: the label of what is counted as accepted."""
    verifiers: Verifiers = field(default_factory=Verifiers)
    recent: Recent = field(default_factory=Recent)
    failed_at: float = float("-inf")
    """When the log last failed to acknowledge, by the loop's clock."""

    async def take(
        self, readings: Iterable[Stated | Refused], *, centre: CentreId
    ) -> list[Outcome]:
        """What became of each event, in their order. Those taken are durable in the log.

        Events are read, judged and appended slice by slice: a request of 16 MiB needs no more room
        than its bytes, and others get their turn between two slices.

        Raises:
            LogUnavailable: no acknowledgement; some may be in the log, send all of them again.
        """
        outcomes: list[Outcome] = []
        for some in _slices(readings):
            outcomes += await self._take_slice(some, centre)
        self._count(outcomes)
        return outcomes

    async def _take_slice(
        self, readings: Sequence[Stated | Refused], centre: CentreId
    ) -> list[Outcome]:
        judged = _Slice()
        entitled = self._entitled(readings, centre, judged)
        keys = self.registry.registry.signing(centre)
        judged.outcomes |= await self.verifiers.refused(entitled, keys)
        for index, stated in entitled:
            if index not in judged.outcomes:
                judged.add(index, stated)
        if judged.candidates:
            found = await self._look_up(judged)
            await self.recent.settled(judged.candidates)
            # No await between here and the append: two requests never both find an event new.
            new = self._not_known(judged, found)
            if new:
                with self.recent.on_their_way(new):
                    await self._append(judged, new)
        return [judged.outcomes[index] for index in range(len(readings))]

    def _entitled(
        self, readings: Sequence[Stated | Refused], centre: CentreId, judged: _Slice
    ) -> list[Indexed]:
        """What may be stated; the outcome of the rest is settled."""
        entitled: list[Indexed] = []
        registry = self.registry.registry
        for index, reading in enumerate(readings):
            if isinstance(reading, Refused):
                judged.outcomes[index] = reading
                continue
            envelope = reading.envelope
            try:
                check(Statement(centre, envelope, reading.event), registry)
            except Rejected as rejected:
                judged.outcomes[index] = Refused(envelope.id, of_rule(rejected))
                continue
            entitled.append((index, reading))
        return entitled

    async def _look_up(self, judged: _Slice) -> Found:
        try:
            return await self.identities.look_up(judged.candidates)
        except IdentitiesUnavailable:
            logger.warning("identities_away", events=len(judged.candidates))
            return Found({}, frozenset())

    def _not_known(self, judged: _Slice, found: Found) -> dict[Key, _Candidate]:
        """The candidates that go into the log; the outcome of the others is settled."""
        new: dict[Key, _Candidate] = {}
        for key, candidate in judged.candidates.items():
            known = self.recent.find(key) or found.known.get(key)
            if key in found.sealed:
                judged.refuse(candidate, Refused(key[2], sealed()))
            elif known is None:
                new[key] = candidate
            elif known.digest == candidate.digest:
                judged.settle(candidate, Taken(key[2], known.slot, known.position, duplicate=True))
            else:
                judged.refuse(candidate, Refused(key[2], conflict(key[2])))
        return new

    async def _append(self, judged: _Slice, new: dict[Key, _Candidate]) -> None:
        batches: dict[int, list[Message]] = {}
        placed: list[tuple[Key, _Candidate, int, int]] = []
        for key, candidate in new.items():
            slot = slot_of(key[1])
            batch = batches.setdefault(slot, [])
            placed.append((key, candidate, slot, len(batch)))
            batch.append(message_of(candidate.stated))
        firsts = await self._acknowledged(batches)
        for key, candidate, slot, place in placed:
            position = firsts[slot] + place
            self.recent.remember(key, Known(candidate.digest, slot, position))
            judged.settle(candidate, Taken(key[2], slot, position, duplicate=False))

    async def _acknowledged(self, batches: dict[int, list[Message]]) -> dict[int, int]:
        began = time.perf_counter()
        try:
            firsts = await self.log.append(STATUS_TOPIC, batches, timeout=APPEND_SECONDS)
        except LogUnavailable:
            self.failed_at = asyncio.get_running_loop().time()
            raise
        took = time.perf_counter() - began
        self.metrics.append_seconds.labels(STATUS_TOPIC).observe(took)
        return firsts

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        accepted = duplicates = 0
        for outcome in outcomes:
            if isinstance(outcome, Refused):
                self._count_refused(outcome)
            elif outcome.duplicate:
                duplicates += 1
            else:
                accepted += 1
        self.metrics.accepted.labels(self.way).inc(accepted)
        self.metrics.duplicates.inc(duplicates)

    def _count_refused(self, refused: Refused) -> None:
        self.metrics.refused.labels(refused.problem.kind.slug).inc()
        if refused.problem.kind is CONFLICT:
            self.metrics.conflicts.inc()


def _slices(readings: Iterable[Stated | Refused]) -> Iterator[list[Stated | Refused]]:
    """The readings in runs that are bounded in number and in bytes, each read when asked for."""
    some: list[Stated | Refused] = []
    size = 0
    for reading in readings:
        some.append(reading)
        if isinstance(reading, Stated):
            size += reading.size + _HEADER_NAMES
        if len(some) == _SLICE_EVENTS or size >= _SLICE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def message_of(stated: Stated) -> Message:
    """The event as the log carries it: the source is the key, `data` are the centre's bytes."""
    envelope = stated.envelope
    return Message(envelope.source.encode(), stated.data, to_headers(envelope))


def position_after(outcomes: Iterable[Outcome]) -> Position | None:
    """What a reader waits for to see all that was taken; None when nothing was."""
    ends: dict[int, int] = {}
    for outcome in outcomes:
        if isinstance(outcome, Taken):
            ends[outcome.slot] = max(ends.get(outcome.slot, 0), outcome.position + 1)
    return Position(ends) if ends else None
