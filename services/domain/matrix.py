"""Who holds what at a moment: the orders of the Prime Minister, folded.

The matrix is a pure function of the orders and tenures known; nothing of it is stored. Source of
the whole: domain.md 2, after the regulation of the Prime Minister's Office on overseeing government
work in the regions, B.E. 2547, and the chain of orders 165/2562 to 303/2568. What neither states is
marked ours.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, cast

from schemas.events import EventModel
from schemas.events.order import Assignment, Dimension, Office, OrderIssued, PartRevoked, Power
from schemas.ids import BANGKOK
from services.domain.chain import Chain
from services.domain.validity import Rank, Ruling, Validity

type Cover = Literal["overseer", "uncovered", "not_known", "outside_scheme"]

_EVERY_POWER = ("oversee", "command", "supervise", "area")


@dataclass(frozen=True, slots=True)
class Ordered[Clause: EventModel]:
    """One clause of an order in force; `nth` is its place in the order, from 1."""

    clause: Clause
    order: OrderIssued
    nth: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What one person holds at the moment, and by which clause of which order."""

    given: Assignment
    power: Power
    """What of the power given is left: a later order may have taken a part of it."""
    order: OrderIssued
    nth: int
    office: Office | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One target at the moment: who holds it, one holder a power, or why nobody is named."""

    dimension: Dimension
    target: str
    cover: Cover
    holdings: tuple[Holding, ...] = ()
    left: tuple[Holding, ...] = ()
    """What was held until its holder left office, and is nobody's since: a substitute acts on it,
    and nobody holds it."""


@dataclass(frozen=True, slots=True)
class _Named:
    """The last word on one power over one target; `given` is None when it is nobody's."""

    rank: Rank
    order: OrderIssued
    nth: int = 0
    given: Assignment | None = None


type _Powers = dict[str, _Named]


def matrix_at(chain: Chain, at: datetime) -> "Matrix":
    """The matrix of these orders and tenures at the moment."""
    return Matrix(Validity(chain), at)


@dataclass(frozen=True)
class Matrix:
    """Who holds what at one moment, by the orders and tenures that are known."""

    validity: Validity
    at: datetime

    def cell(self, dimension: Dimension, target: str, within: str | None = None) -> Cell:
        """Who holds the target, or why nobody is named.

        Each power over a target has one holder: whom the last order in force that names the target
        with this power gives it, as 378/2567 and 407/2567 do within 315/2567. After an order that
        is missing, only what later ones name is known. Bangkok has no area holder, whatever an
        order says (source: cabinet of 28 April 2003, all provinces but Bangkok).

        `within` is the ministry that a unit stands under: a power for which no order names the unit
        itself is its ministry's holder's, unless the order carves the unit out.
        """
        if dimension == "area" and target == BANGKOK:
            return Cell(dimension, target, "outside_scheme")
        powers = self._known(dimension, target)
        if within is not None:
            powers = self._inherited(dimension, target, within) | powers
        given = list(self._given(powers))
        holdings = tuple(one for one in given if self._is_held(one))
        left = tuple(one for one in given if self._is_left(one))
        if holdings:
            return Cell(dimension, target, "overseer", holdings, left)
        known = powers or self._missing[dimension] is None
        return Cell(dimension, target, "uncovered" if known else "not_known", (), left)

    def claims(self, dimension: Dimension, target: str) -> Iterator[Holding]:
        """What every order in force gives of the target, also where a later one has the last word,
        the oldest first."""
        for named in self._by_order:
            given = self._given(named.get((dimension, target), {}))
            yield from (one for one in given if self._is_held(one))

    def targets(self, dimension: Dimension) -> list[str]:
        """Every target that an order in force names, in the orders' own sequence."""
        return [target for named, target in self._naming if named == dimension]

    def held_by(self, deputy: str) -> list[Holding]:
        """Everything one person holds at the moment."""
        return self._held.get(deputy, [])

    def left_by(self, deputy: str) -> list[Holding]:
        """Everything one person held when they left office, and is nobody's since."""
        return self._left.get(deputy, [])

    def provinces_of(self, deputy: str) -> frozenset[str]:
        """The provinces of a person's area."""
        return frozenset(
            holding.given.target
            for holding in self.held_by(deputy)
            if holding.given.dimension == "area"
        )

    def office_of(self, deputy: str) -> Office | None:
        """The office a person is in, or None; of two at once the one entered last."""
        current = [term for term in self.validity.terms.get(deputy, ()) if term.covers(self.at)]
        latest = max(current, key=lambda term: (term.begins, term.office), default=None)
        return latest.office if latest else None

    def is_in_office(self, deputy: str) -> bool:
        """Whether the person's post is not empty.

        Of whom no tenure is on record, the order that names them alone speaks (ours).
        """
        if self.office_of(deputy) is not None:
            return True
        return not self.validity.is_on_record(deputy, self.at)

    def clauses[Clause: EventModel](self, kind: type[Clause]) -> Sequence[Ordered[Clause]]:
        """The clauses of one kind in all orders in force, the oldest order first."""
        return cast(Sequence[Ordered[Clause]], self._clauses.get(kind, ()))

    @cached_property
    def _clauses(self) -> Mapping[type[EventModel], Sequence[Ordered[EventModel]]]:
        clauses: dict[type[EventModel], list[Ordered[EventModel]]] = {}
        for ruling in self.in_force:
            for nth, clause in enumerate(ruling.order.clauses, start=1):
                ordered = Ordered[EventModel](clause, ruling.order, nth)
                clauses.setdefault(type(clause), []).append(ordered)
        return clauses

    @cached_property
    def in_force(self) -> Sequence[Ruling]:
        """The orders that rule at the moment, the oldest first."""
        return [ruling for ruling in self.validity.orders if ruling.covers(self.at)]

    @cached_property
    def _missing(self) -> Mapping[Dimension, Rank | None]:
        dimensions: tuple[Dimension, ...] = ("area", "function", "agenda")
        return {dimension: self.validity.missing(dimension, self.at) for dimension in dimensions}

    @cached_property
    def _naming(self) -> Mapping[tuple[Dimension, str], _Powers]:
        """By target, the last word on each power over it. What an order ended stays ended, and
        what an amendment named is again as it was when only the amendment ends (ours)."""
        naming: dict[tuple[Dimension, str], _Powers] = {}
        for named in self._by_order:
            for key, powers in named.items():
                naming.setdefault(key, {}).update(powers)
        return naming

    @cached_property
    def _by_order(self) -> Sequence[Mapping[tuple[Dimension, str], _Powers]]:
        return [self._named_by(ruling) for ruling in self.in_force]

    def _named_by(self, ruling: Ruling) -> Mapping[tuple[Dimension, str], _Powers]:
        """What one order says; where it names two for one power, the first."""
        order, named = ruling.order, dict[tuple[Dimension, str], _Powers]()
        for nth, clause in enumerate(order.clauses, start=1):
            if isinstance(clause, Assignment) and self._is_open(order, clause.dimension):
                powers = named.setdefault((clause.dimension, clause.target), {})
                for power in clause.power.split("+"):
                    powers.setdefault(power, _Named(ruling.rank, order, nth, clause))
        for part in self.validity.parts_revoked(order.number, self.at):
            if self._is_open(order, part.dimension):
                _take_out(part, named, _Named(ruling.rank, order))
        return named

    def _is_open(self, order: OrderIssued, dimension: Dimension) -> bool:
        return self.at < self.validity.closed(order, dimension)

    def _known(self, dimension: Dimension, target: str) -> _Powers:
        missing = self._missing[dimension]
        powers = self._naming.get((dimension, target), {})
        if missing is None:
            return powers
        return {power: named for power, named in powers.items() if named.rank >= missing}

    def _inherited(self, dimension: Dimension, unit: str, ministry: str) -> _Powers:
        return {
            power: _Named(named.rank, named.order)
            if named.given is not None and unit in named.given.except_targets
            else named
            for power, named in self._known(dimension, ministry).items()
        }

    def _given(self, powers: _Powers) -> Iterator[Holding]:
        """What the orders give of a target, whether or not whom they name is in office."""
        clauses: dict[tuple[str, int], list[str]] = {}
        for power, named in powers.items():
            clauses.setdefault((named.order.number, named.nth), []).append(power)
        for left in clauses.values():
            named = powers[left[0]]
            given, order = named.given, named.order
            if given is None:
                continue
            power = "+".join(one for one in given.power.split("+") if one in left)
            office = self.office_of(given.deputy)
            yield Holding(given, cast(Power, power), order, named.nth, office)

    def _is_held(self, one: Holding) -> bool:
        """Whether the person never left office between the order's effect and this moment.

        Who leaves office holds no more (source: domain.md 2, it ends when its holder leaves office)
        and needs a new order when they come back.
        """
        return self.is_in_office(one.given.deputy) and not self._gaps(one)

    def _is_left(self, one: Holding) -> bool:
        """Whether the person held it until they left, and has not been back (ours)."""
        return not self.is_in_office(one.given.deputy) and len(self._gaps(one)) == 1

    def _gaps(self, one: Holding) -> list[datetime]:
        """The moments since the order's effect at which the person's post became empty."""
        terms = self.validity.terms.get(one.given.deputy, ())
        ended = (term.ends for term in terms if one.order.effective_from < term.ends <= self.at)
        return [at for at in ended if not any(term.covers(at) for term in terms)]

    @cached_property
    def _held(self) -> Mapping[str, list[Holding]]:
        return _by_deputy(holding for cell in self._cells for holding in cell.holdings)

    @cached_property
    def _left(self) -> Mapping[str, list[Holding]]:
        return _by_deputy(holding for cell in self._cells for holding in cell.left)

    @cached_property
    def _cells(self) -> Sequence[Cell]:
        return [self.cell(dimension, target) for dimension, target in self._naming]


def _by_deputy(holdings: Iterable[Holding]) -> Mapping[str, list[Holding]]:
    named: dict[str, list[Holding]] = {}
    for holding in holdings:
        named.setdefault(holding.given.deputy, []).append(holding)
    return named


def _take_out(
    part: PartRevoked, named: dict[tuple[Dimension, str], _Powers], nobody: _Named
) -> None:
    """What an order's part gave is nobody's; what a lost text gave is, whatever it was."""
    key = part.dimension, part.target
    if key not in named and part.dimension not in nobody.order.missing:
        return
    powers = named.setdefault(key, {})
    revoked = part.power.split("+") if part.power else tuple(powers) or _EVERY_POWER
    for power in revoked:
        if power in powers or part.dimension in nobody.order.missing:
            powers[power] = nobody
