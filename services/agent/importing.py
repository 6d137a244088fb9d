"""An archive taken over: facts and decisions from before the network's opening, as one revision.

The operator's alone. Everything carries the accepted time that its record states, and the number of
the revision it came with; the revision counts once `archive.imported.v1` says that it is complete.
A run that broke off is finished by running it again: what is there already is a duplicate.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import batched
from pathlib import Path
from uuid import UUID, uuid5

from schemas.envelope import STATUS_TOPIC, Envelope, to_headers
from schemas.events.order import OrderIssued
from schemas.events.record import ArchiveImported
from schemas.slots import slot_of
from services.agent.archive import events_of
from services.agent.network import SOURCE, Known, Network, opened
from services.agent.record import Event
from services.agent.taking import (
    Key,
    Stated,
    Taking,
    Unfit,
    check_entitled,
    is_decision,
    read,
)
from services.domain.orders import contradictions
from services.eventlog.log import Message
from services.eventlog.store import Appended, Decision, NewEvent
from services.readmodels.registry_reader import RegistryReader

STREAM = "archive"
"""The stream of the revisions: its version is the number of the last one."""

AT_ONCE = 1_000
"""Records judged, looked up and appended together."""

_DECISIONS_AT_ONCE = 100
_PART_BYTES = 2 * 1024 * 1024
_APPEND_SECONDS = 60.0
_NAMES = UUID("3f6f3f0c-5d5b-5b57-a2c4-0c3c4d1d7b52")


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and where it stands."""

    place: str
    event: Event


@dataclass(frozen=True)
class Archive:
    """What is taken over. `records` is asked twice: for the decisions, then for the facts."""

    name: str
    records: Callable[[], Iterable[Placed]]

    @classmethod
    def of_files(cls, name: str, paths: Sequence[Path]) -> "Archive":
        """The events of these files and folders, in their order."""

        def records() -> Iterable[Placed]:
            for path in paths:
                for number, event in enumerate(events_of(path), start=1):
                    yield Placed(f"{path.name} event {number}", event)

        return cls(name, records)


@dataclass(frozen=True, slots=True)
class Done:
    """How far an import is: records settled, of how many."""

    settled: int
    total: int


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of one record, and why."""

    place: str
    id: str | None
    reason: str


@dataclass
class Report:
    """What became of all records. Those in `flagged` are taken over and contradict a rule."""

    facts: int = 0
    decisions: int = 0
    duplicates: int = 0
    refused: list[Remark] = field(default_factory=list)
    conflicts: list[Remark] = field(default_factory=list)
    flagged: list[Remark] = field(default_factory=list)
    revision: int | None = None
    """None when the archive brought nothing new."""


class NotOpened(Exception):
    """The network has no opening yet, so nothing can be said to lie before it."""


class Moved(Exception):
    """Others kept deciding on a stream of the archive. Run the import again."""


async def import_archive(
    network: Network,
    archive: Archive,
    *,
    clock: Callable[[], datetime],
    report: Callable[[Done], None],
    at_once: int = AT_ONCE,
) -> Report:
    """Take an archive over; returns when the read models answer from it.

    `report` is told after every `at_once` records.

    Raises:
        NotOpened, ImportUnderWay: nothing was done.
        UnknownShape, BrokenLine: a file is not what it must be; nothing was done.
        LogUnavailable, StoreUnavailable, NotApplied, Moved: run it again, it goes on from there.
    """
    async with network.alone():
        opened_at = await opened(network.store)
        if opened_at is None:
            raise NotOpened("the network has not been opened: nothing lies before its opening")
        # What an import before this one left behind must be known, or it would be taken anew.
        await network.applied(await network.ends())
        revision = await network.store.version(STREAM) + 1
        run = _Run(network, archive, Taking(opened_at, revision), report, at_once)
        return await run.take_over(clock)


@dataclass
class _Run:
    """One run of an import."""

    network: Network
    archive: Archive
    taking: Taking
    tell: Callable[[Done], None]
    at_once: int
    report: Report = field(default_factory=Report)
    total: int = 0
    settled: int = 0
    facts: int = 0
    decisions: int = 0
    """With `facts`: what belongs to this revision, whichever run took it over."""
    met: dict[Key, bytes] = field(default_factory=dict)

    async def take_over(self, clock: Callable[[], datetime]) -> Report:
        """Decisions first: facts are judged by what they register."""
        decisions, digest = self._survey()
        for some in batched(decisions, self.at_once):
            await self._take_decisions(some)
        if decisions:
            await self.network.applied(await self.network.ends())
        registry = RegistryReader(self.network.pool)
        await registry.refresh()
        facts = (placed for placed in self.archive.records() if not is_decision(placed.event))
        for some in batched(facts, self.at_once):
            await self._take_facts(some, registry)
        if self.facts or self.decisions:
            await self._complete(digest, clock())
        return self.report

    def _survey(self) -> tuple[list[Placed], str]:
        """Every record is looked at once, so that a broken file is refused before anything."""
        said = sha256()
        decisions: list[Placed] = []
        for placed in self.archive.records():
            self.total += 1
            said.update(json.dumps(placed.event, sort_keys=True).encode() + b"\n")
            if is_decision(placed.event):
                decisions.append(placed)
        return decisions, f"sha256:{said.hexdigest()}"

    async def _take_decisions(self, records: Sequence[Placed]) -> None:
        new = await self._new([stated for placed in records if (stated := self._read(placed))])
        streams: dict[str, list[Stated]] = {}
        for stated in new:
            self._flag(stated)
            streams.setdefault(stated.stream, []).append(stated)
        versions = await self.network.versions(streams)
        outcomes = await asyncio.gather(
            *(
                self._decide(stream, versions.get(stream, 0), of_stream)
                for stream, of_stream in streams.items()
            ),
            return_exceptions=True,
        )
        # Only when all are done: what still appends would cross the next run.
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._settle(len(records))

    async def _decide(self, stream: str, version: int, new: Sequence[Stated]) -> None:
        for some in batched(new, _DECISIONS_AT_ONCE):
            appended = await self._append(stream, version, some)
            if appended.verdict != "appended":
                raise Moved(f"{stream} is no longer at version {version}: {appended.verdict}")
            version += len(some)
            self._count(some)

    async def _append(self, stream: str, version: int, some: Sequence[Stated]) -> Appended:
        events = [NewEvent(stated.envelope, stated.data) for stated in some]
        decision = Decision(stream, version, events)
        return await self.network.store.append(decision, timeout=_APPEND_SECONDS)

    async def _take_facts(self, records: Sequence[Placed], registry: RegistryReader) -> None:
        read = [stated for placed in records if (stated := self._read(placed))]
        new = await self._new([stated for stated in read if self._is_entitled(stated, registry)])
        for part in _parts(new):
            batches: dict[int, list[Message]] = {}
            for stated in part:
                source = stated.envelope.source
                message = Message(source.encode(), stated.data, to_headers(stated.envelope))
                batches.setdefault(slot_of(source), []).append(message)
            await self.network.log.append(STATUS_TOPIC, batches, timeout=_APPEND_SECONDS)
            self._count(part)
        self._settle(len(records))

    def _read(self, placed: Placed) -> Stated | None:
        try:
            return read(placed.place, placed.event, self.taking)
        except Unfit as unfit:
            id_ = placed.event.get("id")
            named = id_ if isinstance(id_, str) else None
            self.report.refused.append(Remark(placed.place, named, unfit.reason))
            return None

    def _is_entitled(self, stated: Stated, registry: RegistryReader) -> bool:
        try:
            check_entitled(stated, registry.registry)
        except Unfit as unfit:
            self.report.refused.append(Remark(stated.place, stated.envelope.id, unfit.reason))
            return False
        return True

    async def _new(self, records: Sequence[Stated]) -> list[Stated]:
        """Those that the network does not have, each identity once; the others are reported."""
        known = await self.network.known({stated.key for stated in records})
        return [stated for stated in records if self._is_new(stated, known.get(stated.key))]

    def _is_new(self, stated: Stated, known: Known | None) -> bool:
        if stated.key in self.met:
            self._repeat(stated, self.met[stated.key])
            return False
        self.met[stated.key] = stated.digest
        if known is None:
            return True
        if known.sealed:
            self.report.refused.append(Remark(stated.place, stated.envelope.id, "it is sealed"))
            return False
        if self._repeat(stated, known.digest) and known.revision == self.taking.revision:
            # An earlier run of this revision took it over and broke off.
            self._belongs(stated)
        return False

    def _repeat(self, stated: Stated, digest: bytes | None) -> bool:
        """Report a known identity: the same again, or other content under it."""
        if stated.digest == digest:
            self.report.duplicates += 1
            return True
        reason = "the network has other content under this source and id, which stays"
        self.report.conflicts.append(Remark(stated.place, stated.envelope.id, reason))
        return False

    def _flag(self, stated: Stated) -> None:
        if isinstance(stated.event, OrderIssued):
            self.report.flagged.extend(
                Remark(
                    stated.place,
                    stated.envelope.id,
                    f"order {stated.event.number} gives {one.dimension} {one.target} "
                    f"({one.power}) to {' and '.join(one.deputies)}",
                )
                for one in contradictions(stated.event)
            )

    def _count(self, new: Sequence[Stated]) -> None:
        for stated in new:
            self._belongs(stated)
        decisions = sum(stated.is_decision for stated in new)
        self.report.decisions += decisions
        self.report.facts += len(new) - decisions

    def _belongs(self, stated: Stated) -> None:
        if stated.is_decision:
            self.decisions += 1
        else:
            self.facts += 1

    def _settle(self, records: int) -> None:
        self.settled += records
        self.tell(Done(self.settled, self.total))

    async def _complete(self, digest: str, now: datetime) -> None:
        """State the revision, once the read models hold all of it; wait until they know it."""
        ends = await self.network.ends()
        await self.network.applied(ends)
        revision = self.taking.revision
        imported = ArchiveImported(
            revision=revision,
            name=self.archive.name,
            digest=digest,
            events=self.facts,
            decisions=self.decisions,
            ends=ends,
        )
        envelope = Envelope(
            id=str(uuid5(_NAMES, f"{revision}/{digest}")),
            source=SOURCE,
            type=imported.type,
            time=now,
            subject=f"archives/{revision}",
        )
        event = NewEvent(envelope, imported.model_dump_json().encode())
        appended = await self.network.store.append(Decision(STREAM, revision - 1, [event]))
        if appended.verdict != "appended":
            raise Moved(f"revision {revision} was stated meanwhile: {appended.verdict}")
        self.report.revision = revision
        await self.network.applied(await self.network.ends())


def _parts(new: Iterable[Stated]) -> Iterator[list[Stated]]:
    """As many of them together as one append takes with ease."""
    part: list[Stated] = []
    size = 0
    for stated in new:
        if part and size + len(stated.data) > _PART_BYTES:
            yield part
            part, size = [], 0
        part.append(stated)
        size += len(stated.data)
    if part:
        yield part
