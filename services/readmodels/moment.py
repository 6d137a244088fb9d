"""The pair every answer is for: what was so (`as_of`), and what was known (`known_at`).

`known_at` is a cut of the log. At or after the network's opening it is the ends of the last tick
not after it; before the opening it is the accepted times that an archive's records state, up to a
named revision. `Moment.counts` writes the predicate; no other place does.
"""

from dataclasses import dataclass
from datetime import datetime

from services.readmodels.facts import span


@dataclass(frozen=True, slots=True)
class Live:
    """Everything that has been applied, now."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the tick at this time had covered: below `ends[slot]` in every slot."""

    time: datetime
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """What archive records say was known at this time, up to this revision."""

    time: datetime
    revision: int


type Known = Live | Cut | Archive


@dataclass(frozen=True, slots=True)
class Moment:
    """The pair a question is about, in one realm."""

    as_of: datetime
    known: Known
    realm: str = "actual"

    @property
    def parameters(self) -> dict[str, object]:
        """What the predicate's names stand for."""
        named: dict[str, object] = {"realm": self.realm, "as_of": self.as_of}
        match self.known:
            case Live():
                return named
            case Cut(ends=ends):
                return {**named, "cut": list(ends)}
            case Archive(time=time, revision=revision):
                return {**named, "known_at": time, "revision": revision}

    def known_by(self, row: str) -> str:
        """SQL: this row (an alias with slot, position, accepted_at, archive_revision) was known."""
        match self.known:
            case Live():
                return "TRUE"
            case Cut():
                return f"{row}.position < (CAST(:cut AS bigint[]))[{row}.slot + 1]"
            case Archive():
                return f"({row}.accepted_at <= :known_at AND {row}.archive_revision <= :revision)"

    def counts(self, row: str) -> str:
        """SQL: this fact was so and known, and no known later version replaces it."""
        return f"""(
            {row}.realm = :realm AND {row}.time <= :as_of AND {self.known_by(row)}
            AND {self._root_known(row)} AND NOT EXISTS (
                SELECT FROM events.versions later
                WHERE later.root_slot = {row}.root_slot
                  AND later.root_position = {row}.root_position
                  AND {self.known_by("later")} AND {_is_later("later", row)}
            )
        )"""

    def may_span(self, begun: str, ended: str) -> str:
        """SQL: this row's time had begun, and no known word had ended it: a filter by index.

        `begun` and `ended` name columns: `{begun}_at`, and `{ended}_at` with the ending word's
        `{ended}_slot` and `{ended}_position`. Of an archive's moment such words are not known here.
        """
        has_begun = f"{begun}_at <= :as_of"
        match self.known:
            case Live():
                return f"{span(f'{begun}_at', f'{ended}_at')} @> CAST(:as_of AS timestamptz)"
            case Cut():
                return (
                    f"{has_begun} AND ({ended}_at > :as_of OR "
                    f"{ended}_position >= (CAST(:cut AS bigint[]))[{ended}_slot + 1])"
                )
            case Archive():
                return has_begun

    def _root_known(self, row: str) -> str:
        """A correction counts only once its original is known too."""
        if not isinstance(self.known, Cut):
            return "TRUE"
        return f"{row}.root_position < (CAST(:cut AS bigint[]))[{row}.root_slot + 1]"


def _is_later(version: str, row: str) -> str:
    """Every version is later than the original; among versions (time, source, sequence, id)."""
    return f"""(
        ({row}.slot, {row}.position) = ({row}.root_slot, {row}.root_position)
        OR ({version}.time, {version}.source, coalesce({version}.sequence, -1), {version}.id) > (
            SELECT v.time, v.source, coalesce(v.sequence, -1), v.id FROM events.versions v
            WHERE (v.root_slot, v.root_position, v.slot, v.position)
                = ({row}.root_slot, {row}.root_position, {row}.slot, {row}.position))
    )"""
