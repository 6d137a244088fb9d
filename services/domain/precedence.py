"""Whose figure is shown when sources contradict each other: the first pattern that matches.

`precedence.set.v1` states the patterns from a day on: `poc` means the place's own centre, a
centre's id means that centre, a level (`PMOC`, `MOC`, `DOC`, `POC`, `other`) any centre of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.ids import CentreId, centre_of_source

_LEVELS = {"pmoc": "PMOC", "moc": "MOC", "doc": "DOC", "poc": "POC"}


@dataclass(frozen=True, slots=True)
class Statement[Value]:
    """What one source says of one figure of a place, and when."""

    source: str
    time: datetime
    sequence: int | None
    id: str
    value: Value

    @property
    def tie(self) -> tuple[datetime, str, int, str]:
        """Among equals the greatest of these is shown."""
        return self.time, self.source, -1 if self.sequence is None else self.sequence, self.id


def shown[Value](
    statements: Sequence[Statement[Value]], place: str, patterns: Sequence[str]
) -> Statement[Value]:
    """The statement that is shown of a place: of the first pattern matched, the latest.

    Sources that no pattern matches come last.

    Raises:
        ValueError: there are no statements.
    """
    if len(statements) == 1:
        return statements[0]
    return max(statements, key=lambda one: (-rank(one.source, place, patterns), one.tie))


def rank(source: str, place: str, patterns: Sequence[str]) -> int:
    """The place in the list of the first pattern that this source matches; its length for none."""
    centre = centre_of_source(source)
    if centre is None:
        return len(patterns)
    names = _names(centre, place)
    return next((nth for nth, pattern in enumerate(patterns) if pattern in names), len(patterns))


def _names(centre: CentreId, place: str) -> frozenset[str]:
    """Every pattern that means this centre when it speaks of this place."""
    kind, _, name = centre.partition(":")
    names = {centre, _LEVELS.get(kind, "other")}
    if name == place:
        # Bangkok's own centre is `city:TH-10`: a place's own is the one that is named by it.
        names.add("poc")
    return frozenset(names)
