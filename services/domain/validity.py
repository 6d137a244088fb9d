"""From when to when each order and each tenure of the chain rules.

An order rules from its effect until it lapses, is revoked, or the cabinet ends; what it assigns in
one dimension also ends with the next order that is complete in it. What ended never comes back.
Source: the orders' own words (209/2568 revokes 315/2567 and both its amendments; 313/2567 names
none and stands in the place of what lapsed). That an amendment falls with what it amends is ours.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Appointment,
    Assignment,
    CabinetEnd,
    Dimension,
    Entrusted,
    Office,
    OrderIssued,
    PartRevoked,
    Reservation,
    Substitutes,
    TenureEnd,
    TenureRegistered,
)
from services.domain.chain import Chain
from services.domain.registry import start_of

type Rank = tuple[datetime, int, int, str]

ENDLESS = datetime.max.replace(tzinfo=UTC)
"""The end of what has none yet."""

DIMENSIONS: tuple[Dimension, ...] = ("area", "function", "agenda")

_LASTING = (Appointment, Substitutes, Absence, ActingPrimeMinister, Entrusted, Reservation)
_PRINTED_NUMBER = re.compile(r"([0-9]+)/([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Ruling:
    """An order and when it rules. Half-open: `ends` is the first moment after it."""

    order: OrderIssued
    rank: Rank
    ends: datetime

    @property
    def begins(self) -> datetime:
        """The moment it takes effect."""
        return self.order.effective_from

    def covers(self, at: datetime) -> bool:
        """Whether it rules at the moment."""
        return self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class Term:
    """A person's time in one office, by an order or as registered. Half-open."""

    tenure: str
    deputy: str
    office: Office
    begins: datetime
    ends: datetime

    def covers(self, at: datetime) -> bool:
        """Whether the person is in this office at the moment."""
        return self.begins <= at < self.ends


def rank_of(order: OrderIssued) -> Rank:
    """Later orders rank higher: by their effect, then by Buddhist year and number as printed."""
    printed = _PRINTED_NUMBER.fullmatch(order.number)
    serial, year = printed.groups() if printed else (0, 0)
    return order.effective_from, int(year), int(serial), order.number


@dataclass(frozen=True)
class Validity:
    """When everything in one chain rules; asked by `Matrix` for one moment."""

    chain: Chain

    @cached_property
    def boundaries(self) -> Sequence[datetime]:
        """Every moment at which anything may begin or end, ascending; between two is peace."""
        moments = {order.effective_from for order in self.chain.orders}
        moments.update(order.effective_to for order in self.chain.orders if order.effective_to)
        for tenure in self.chain.tenures:
            moments.add(start_of(tenure.valid_from))
            if tenure.valid_to:
                moments.add(start_of(tenure.valid_to))
        return sorted(moments)

    @cached_property
    def taken(self) -> Sequence[OrderIssued]:
        """The orders that take effect, by rank; what was revoked before its effect never does.

        A number stated again replaces what was stated before.
        """
        stated = {order.number: order for order in self.chain.orders}
        revoked: set[str] = set()
        taken: list[OrderIssued] = []
        for order in sorted(stated.values(), key=rank_of):
            if order.number not in revoked:
                taken.append(order)
                revoked.update(order.revokes)
        return taken

    @cached_property
    def orders(self) -> Sequence[Ruling]:
        """Every order that ever rules, by rank."""
        rulings: dict[str, Ruling] = {}
        for order in self.taken:
            rulings[order.number] = Ruling(order, rank_of(order), self._end(order, rulings))
        return [ruling for ruling in rulings.values() if ruling.begins < ruling.ends]

    def closed(self, order: OrderIssued, dimension: Dimension) -> datetime:
        """When what the order assigns in the dimension is over by a later complete order."""
        return _next(self._complete[dimension], rank_of(order))

    def missing(self, dimension: Dimension, at: datetime) -> Rank | None:
        """The rank from which on cover of the dimension is not known at the moment, or None.

        An order that exists and whose text the archive lacks hides everything until a later
        complete order (source: domain.md 2) or the cabinet's end, also after its own end: what it
        left standing is not known either (ours).
        """
        missing: Rank | None = None
        for order in self.taken:
            if order.effective_from > at:
                break
            if dimension in order.missing:
                missing = rank_of(order)
            elif dimension in order.complete or _ends_cabinet(order):
                missing = None
        return missing

    def parts_revoked(self, number: str, at: datetime) -> Iterator[PartRevoked]:
        """What was revoked out of the order by the moment; for good."""
        for begins, part in self._parts.get(number, ()):
            if begins <= at:
                yield part

    @cached_property
    def terms(self) -> Mapping[str, Sequence[Term]]:
        """The terms of office of each person who ever has one."""
        terms: dict[str, list[Term]] = {}
        for term in (*self._registered(), *self._appointed()):
            if term.begins < term.ends:
                terms.setdefault(term.deputy, []).append(term)
        return terms

    def is_on_record(self, deputy: str, at: datetime) -> bool:
        """Whether it is known by the moment when the person was in office.

        A tenure that is registered speaks of all time. An order says nothing of before its effect:
        an appointment must not empty the post that another order's word had filled.
        """
        registered = any(one.deputy == deputy for one in self.chain.tenures)
        return registered or any(term.begins <= at for term in self.terms.get(deputy, ()))

    def _end(self, order: OrderIssued, before: Mapping[str, Ruling]) -> datetime:
        rank = rank_of(order)
        ends = [
            order.effective_to or ENDLESS,
            self._revoked.get(order.number, ENDLESS),
            _next(self._cabinets, rank),
        ]
        if amended := [before[number].ends for number in order.amends if number in before]:
            ends.append(max(amended))
        if (dimensions := _dimensions(order)) and not _orders_more(order):
            ends.append(max(self.closed(order, dimension) for dimension in dimensions))
        return min(ends)

    @cached_property
    def _revoked(self) -> Mapping[str, datetime]:
        revoked: dict[str, datetime] = {}
        for order in self.taken:
            for number in order.revokes:
                if number != order.number:
                    revoked.setdefault(number, order.effective_from)
        return revoked

    @cached_property
    def _complete(self) -> Mapping[Dimension, Sequence[Rank]]:
        """By dimension, the orders with which everything earlier in it is over."""
        return {
            dimension: [
                rank_of(order)
                for order in self.taken
                if dimension in order.complete or _ends_cabinet(order)
            ]
            for dimension in DIMENSIONS
        }

    @cached_property
    def _cabinets(self) -> Sequence[Rank]:
        return [rank_of(order) for order in self.taken if _ends_cabinet(order)]

    @cached_property
    def _parts(self) -> Mapping[str, Sequence[tuple[datetime, PartRevoked]]]:
        parts: dict[str, list[tuple[datetime, PartRevoked]]] = {}
        for order in self.taken:
            for clause in order.clauses:
                if isinstance(clause, PartRevoked):
                    parts.setdefault(clause.order, []).append((order.effective_from, clause))
        return parts

    def _registered(self) -> Iterator[Term]:
        """Terms whose days are those of Bangkok; the last statement of a tenure counts."""
        stated: dict[str, TenureRegistered] = {one.tenure: one for one in self.chain.tenures}
        for one in stated.values():
            begins = start_of(one.valid_from)
            ends = start_of(one.valid_to) if one.valid_to else ENDLESS
            ended = [rank[0] for rank in self._ended.get(one.tenure, ()) if begins <= rank[0]]
            fallen = [rank[0] for rank in self._cabinets if begins < rank[0]]
            first = min((ends, *ended, *fallen))
            yield Term(one.tenure, one.deputy, one.office, begins, first)

    def _appointed(self) -> Iterator[Term]:
        for ruling in self.orders:
            for clause in ruling.order.clauses:
                if isinstance(clause, Appointment):
                    ended = _next(self._ended.get(clause.tenure, ()), ruling.rank)
                    ends = min(ruling.ends, ended)
                    yield Term(clause.tenure, clause.deputy, clause.office, ruling.begins, ends)

    @cached_property
    def _ended(self) -> Mapping[str, Sequence[Rank]]:
        """By tenure, the orders that end it."""
        ended: dict[str, list[Rank]] = {}
        for order in self.taken:
            for clause in order.clauses:
                if isinstance(clause, TenureEnd):
                    ended.setdefault(clause.tenure, []).append(rank_of(order))
        return ended


def _next(ranks: Sequence[Rank], rank: Rank) -> datetime:
    """The moment of the first that ranks higher."""
    nth = bisect_right(ranks, rank)
    return ranks[nth][0] if nth < len(ranks) else ENDLESS


def _ends_cabinet(order: OrderIssued) -> bool:
    return any(isinstance(clause, CabinetEnd) for clause in order.clauses)


def _dimensions(order: OrderIssued) -> set[Dimension]:
    """The dimensions that the order speaks of."""
    given = (clause.dimension for clause in order.clauses if isinstance(clause, Assignment))
    return {*order.complete, *order.missing, *given}


def _orders_more(order: OrderIssued) -> bool:
    """Whether a clause lasts beyond what is assigned: a substitution, a reservation …"""
    return any(isinstance(clause, _LASTING) for clause in order.clauses)
