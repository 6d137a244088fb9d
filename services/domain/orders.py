"""Orders of the Prime Minister: what makes one, and what refuses it.

A new order keeps every rule here. One that an archive brings is kept as it is and flagged where it
contradicts itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from schemas.events.model import EventModel
from schemas.events.order import Assignment, Clause, Dimension, OrderIssued
from services.domain.chain import Chain
from services.domain.naming import GroupGiven, check_names, expanded, named
from services.domain.registry import Registry, day_of
from services.domain.rejected import Rejected
from services.domain.standing import check_standing


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as the PM wants it, before any rule has looked at it."""

    number: str
    effective_from: datetime
    source: str
    effective_to: datetime | None = None
    issued_on: date | None = None
    """None: the day on which it is issued here."""
    complete: tuple[Dimension, ...] = ()
    revokes: tuple[str, ...] = ()
    amends: tuple[str, ...] = ()
    clauses: tuple[Clause | GroupGiven, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One target with one kind of power that an order gives to more than one holder."""

    dimension: str
    target: str
    power: str
    deputies: tuple[str, ...]


@dataclass
class EndsBeforeItStarts(Rejected):
    """The order's end is not later than its beginning; its time is half-open."""

    effective_from: datetime
    effective_to: datetime
    rule = "ends-before-it-starts"


@dataclass
class OrderNumberTaken(Rejected):
    """Another order has this number, with other content or in another realm.

    Source: an order is named by its number and year, and by nothing else (domain.md 2).
    """

    number: str
    rule = "order-number-taken"


@dataclass
class PowerGivenTwice(Rejected):
    """The order gives one power over one target to two holders.

    Source: one holder per (dimension, target, power), domain.md 2.
    """

    dimension: str
    target: str
    power: str
    deputies: tuple[str, ...]
    rule = "power-given-twice"


def issue(chain: Chain, draft: Draft, *, registry: Registry, now: datetime) -> list[EventModel]:
    """The PM issues the order; one that stands in the chain with this content stays as it is.

    It may take effect in the past or in the future. What names a whole group is in it by province,
    as the group is registered on the day it takes effect.

    Raises:
        Rejected: a refusal of this module, of `naming` or of `standing`, by name.
    """
    if draft.effective_to is not None and draft.effective_to <= draft.effective_from:
        raise EndsBeforeItStarts(draft.effective_from, draft.effective_to)
    known = next((order for order in chain.orders if order.number == draft.number), None)
    order = _order(draft, known.issued_on if known else day_of(now), registry)
    if known is not None:
        if order != known:
            raise OrderNumberTaken(draft.number)
        return []
    for twice in contradictions(order):
        raise PowerGivenTwice(twice.dimension, twice.target, twice.power, twice.deputies)
    check_names(order.clauses, registry, day_of(order.effective_from))
    check_standing(chain, order, registry)
    return [order]


def require_free(number: str, actual: Chain) -> None:
    """An order of an exercise has a number of its own, also where it says what an actual one does.

    Raises:
        OrderNumberTaken: it is an actual order's.
    """
    if any(order.number == number for order in actual.orders):
        raise OrderNumberTaken(number)


def judged_by(draft: Draft, registry: Registry) -> frozenset[str]:
    """The streams of the registry that must hold still until the order is decided."""
    return frozenset(named(draft.clauses, registry, day_of(draft.effective_from)))


def contradictions(order: OrderIssued) -> Iterator[Contradiction]:
    """Where the order names more than one holder for the same thing.

    A target has one holder for each kind of power (domain.md 2).
    """
    holders: dict[tuple[str, str, str], dict[str, None]] = {}
    for given in order.clauses:
        if not isinstance(given, Assignment):
            continue
        for power in given.power.split("+"):
            named = holders.setdefault((given.dimension, given.target, power), {})
            named[given.deputy] = None
    for (dimension, target, power), deputies in holders.items():
        if len(deputies) > 1:
            yield Contradiction(dimension, target, power, tuple(deputies))


def _order(draft: Draft, issued_on: date | None, registry: Registry) -> OrderIssued:
    """The order that the draft makes; `issued_on` is its day when the draft states none."""
    return OrderIssued(
        number=draft.number,
        issued_on=draft.issued_on or issued_on,
        effective_from=draft.effective_from,
        effective_to=draft.effective_to,
        complete=list(draft.complete),
        revokes=list(draft.revokes),
        amends=list(draft.amends),
        clauses=list(_clauses(draft, registry)),
        note=draft.note,
        source=draft.source,
    )


def _clauses(draft: Draft, registry: Registry) -> Iterator[Clause]:
    day = day_of(draft.effective_from)
    for clause in draft.clauses:
        if isinstance(clause, GroupGiven):
            yield from expanded(clause, registry, day)
        else:
            yield clause
