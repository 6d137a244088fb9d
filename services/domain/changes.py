"""What changed between two ends: two states of one view side by side, and why each thing differs.

A state is what a reader sees at one end, by key. What is compared is an entry's `value`; which
versions of which events said it tells a later word from a corrected and from a withdrawn one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.events.order import Assignment, CabinetEnd, OrderIssued, PartRevoked, TenureEnd
from services.domain.matrix import Holding, Matrix
from services.domain.validity import rank_of

type Kind = Literal["new", "changed", "corrected", "withdrawn", "silent", "heard", "moved"]
type Key = tuple[str, ...]
type Place = tuple[int, int]
"""Where an event lies in the log: its slot and position."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one event: the event's own source and id, and where both lie in the log."""

    source: str
    id: str
    root: Place
    at: Place


@dataclass(frozen=True, slots=True)
class Standing:
    """How an event stands at one end: in which version, and by whose word."""

    at: Place
    withdrawn: bool = False
    by: tuple[str, str] | None = None
    """Source and id of the correction or withdrawal; None while the original stands."""


type Standings = Mapping[Place, Standing]
"""How events stand at one end, by root; what was not so or not known there is missing."""


@dataclass(frozen=True, slots=True)
class Entry[Detail]:
    """One thing seen at one end."""

    value: object
    """What is compared: two entries are equal when their values are."""
    detail: Detail = field(compare=False)
    places: frozenset[str] = field(default=frozenset(), compare=False)
    """The provinces of the view that it lies in."""
    versions: tuple[Version, ...] = field(default=(), compare=False)
    """What said it: the version that brought it into being first."""


@dataclass(frozen=True, slots=True)
class Difference[Detail]:
    """One key whose entries differ; None is an end at which there is none."""

    key: Key
    before: Entry[Detail] | None
    after: Entry[Detail] | None


@dataclass(frozen=True, slots=True)
class End:
    """What one end says about why things differ: its area, and how events stand in it."""

    area: frozenset[str]
    standings: Standings


def differences[Detail](
    before: Mapping[Key, Entry[Detail]], after: Mapping[Key, Entry[Detail]]
) -> list[Difference[Detail]]:
    """Everything that is not the same at both ends, by key."""
    return [
        Difference(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def applied[Detail](
    state: Mapping[Key, Entry[Detail]], changed: Iterable[Difference[Detail]]
) -> dict[Key, Entry[Detail]]:
    """The state at the second end, made of that at the first and what changed."""
    made = dict(state)
    for one in changed:
        if one.after is None:
            made.pop(one.key, None)
        else:
            made[one.key] = one.after
    return made


def kind_of[Detail](change: Difference[Detail], before: End, after: End) -> Kind:
    """Why the two ends differ.

    `moved` is said of what only the area's own change brought or took: nothing is told of what
    became of it outside. Then what the first end shows that was taken back or put right since, also
    where a later word stands in its place; then what a correction alone brought. All else is `new`
    or `changed` by a later word or the passing of time.
    """
    if _moved(change, before, after):
        return "moved"
    if (standing := replaced(change, before, after)) is not None:
        return "withdrawn" if standing.withdrawn else "corrected"
    return "new" if change.before is None else "changed"


def replaced[Detail](change: Difference[Detail], before: End, after: End) -> Standing | None:
    """The correction or withdrawal by which the two ends differ, if it is one."""
    shown = change.before.versions if change.before else ()
    fates = [_other(version, after.standings) for version in shown]
    taken_back = [fate for fate in fates if fate is not None]
    if taken_back:
        return max(taken_back, key=lambda standing: standing.withdrawn)
    for version in change.after.versions if change.after else ():
        if _other(version, before.standings) is not None:
            return after.standings.get(version.root)
    return None


def moving_order(
    gained: Holding | None, lost: Holding | None, before: Matrix, after: Matrix
) -> OrderIssued | None:
    """The order by which a target came (`gained`) or left (`lost`).

    What left did so by the first later order that gives it to somebody else, revokes the order that
    had given it or this part of it, is complete for its dimension, or ends its holder's tenure or
    the cabinet; else by the end that its own order states. None: no order did, the holder left
    office.
    """
    if gained is not None:
        return gained.order
    if lost is None:
        return None
    known = {order.number for order in before.validity.taken if order.effective_from <= before.at}
    terms = after.validity.terms.get(lost.given.deputy, ())
    tenures = frozenset(term.tenure for term in terms)
    for order in after.validity.taken:
        if order.effective_from > after.at:
            break
        is_later = rank_of(order) > rank_of(lost.order) and order.number not in known
        if is_later and _ends(order, lost, tenures):
            return order
    over = lost.order.effective_to
    return lost.order if over is not None and over <= after.at else None


def _moved[Detail](change: Difference[Detail], before: End, after: End) -> bool:
    match change.before, change.after:
        case None, Entry() as came if came.places:
            was_there = all(version.root in before.standings for version in came.versions)
            return was_there and came.places <= after.area - before.area
        case Entry() as left, None if left.places:
            return left.places <= before.area - after.area
        case _:
            return False


def _other(version: Version, standings: Standings) -> Standing | None:
    """How the version's event stands there, when it does so in another version."""
    standing = standings.get(version.root)
    return None if standing is None or standing.at == version.at else standing


def _ends(order: OrderIssued, lost: Holding, tenures: frozenset[str]) -> bool:
    given = lost.given
    if lost.order.number in order.revokes or given.dimension in order.complete:
        return True
    for clause in order.clauses:
        match clause:
            case Assignment(dimension=given.dimension, target=given.target, power=power):
                if set(power.split("+")).intersection(lost.power.split("+")):
                    return True
            case PartRevoked(
                order=lost.order.number, dimension=given.dimension, target=given.target
            ):
                return True
            case TenureEnd(tenure=tenure) if tenure in tenures:
                return True
            case CabinetEnd():
                return True
    return False
