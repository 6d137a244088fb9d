"""What `known_at` means for a request: everything, a cut of the log, or an archive's revision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import SLOTS
from schemas.events.record import ArchiveImported
from services.api.database import Connection
from services.api.moments import Pair
from services.api.progress import behind
from services.api.reference import Snapshot
from services.domain.registry import Registry
from services.readmodels.moment import Archive, Cut, Known, Live
from services.readmodels.statements import fetch

_NOTHING = (0,) * (SLOTS + 1)

# The last tick not after the moment, and whether one after it is there: only then can no other
# tick come in between, and the answer stay as it is.
_TICK = """
SELECT time, ends, EXISTS (SELECT FROM eventlog.ticks WHERE time > :known_at) AS passed
FROM eventlog.ticks WHERE time <= :known_at ORDER BY time DESC LIMIT 1
"""

# A tick is applied when no slot lacks anything of it: the one before the first that covers
# something not applied yet.
_APPLIED = """
SELECT time, ends FROM eventlog.ticks
WHERE number < (SELECT min(eventlog.tick_of(slot, next_position)) FROM projections.progress)
ORDER BY number DESC LIMIT 1
"""


class Lacking(Exception):
    """What was known then has not all been applied yet; `ends` says what has to be."""

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = ends


@dataclass(frozen=True, slots=True)
class Knowing:
    """What a request is answered from, and the `known_at` that the answer states."""

    known: Known
    known_at: datetime


async def knowing(
    connection: Connection, pair: Pair, registry: Registry, seen: Snapshot, *, now: datetime
) -> Knowing:
    """What the pair's `known_at` means in this transaction.

    Raises:
        Lacking: not all that was known then is applied; `settled` answers all the same.
    """
    if pair.known_at is None:
        return Knowing(Live(), now)
    opened_at = registry.opened_at
    if opened_at is not None and pair.known_at < opened_at:
        revision = _revision(pair, registry, seen)
        return Knowing(Archive(pair.known_at, revision), pair.known_at)
    ticks = await fetch(connection, _TICK, {"known_at": pair.known_at})
    if not ticks:
        return Knowing(Cut(pair.known_at, _NOTHING), pair.known_at)
    row = ticks[0]
    if behind(seen.progress, row.ends):
        raise Lacking(row.ends)
    # Without a later tick the moment is not over: the answer is for the tick's own.
    known_at = pair.known_at if row.passed else row.time
    return Knowing(Cut(row.time, tuple(row.ends)), known_at)


async def settled(connection: Connection, pair: Pair, *, now: datetime) -> Knowing:
    """The last tick not after `known_at` that has been applied: the answer states its time."""
    ticks = await fetch(connection, _APPLIED, {})
    if not ticks:
        return Knowing(Cut(pair.known_at or now, _NOTHING), pair.known_at or now)
    row = ticks[0]
    return Knowing(Cut(row.time, tuple(row.ends)), row.time)


def revisions(registry: Registry) -> Iterable[ArchiveImported]:
    """Every import that is complete, the oldest first."""
    imported = [
        version.model
        for (subject, _), versions in registry.versions.items()
        if subject == "archive"
        for version in versions
        if isinstance(version.model, ArchiveImported)
    ]
    return sorted(imported, key=lambda archive: archive.revision)


def _revision(pair: Pair, registry: Registry, seen: Snapshot) -> int:
    """The revision named, or the last one that is complete and applied; 0 before the first."""
    applied = [
        archive.revision
        for archive in revisions(registry)
        if not behind(seen.progress, archive.ends)
    ]
    if pair.archive_revision is not None and pair.archive_revision in applied:
        return pair.archive_revision
    return max(applied, default=0)
