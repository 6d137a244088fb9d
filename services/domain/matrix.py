"""Who holds what on a day: the orders of the Prime Minister, folded.

The matrix is a pure function of the orders and tenures known; nothing of it is stored. Days are
those of Bangkok, intervals half-open. Source of the whole: domain.md 2, after the regulation of
the Prime Minister's Office on overseeing government work in the regions, B.E. 2547, and the chain
of orders 165/2562 to 303/2568. What neither states is marked ours.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from schemas.events.order import Dimension, Power
from schemas.ids import BANGKOK

type Cover = Literal["overseer", "uncovered", "not_known", "outside_scheme"]
type Rank = tuple[date, int, int, str]

_DIMENSIONS: tuple[Dimension, ...] = ("area", "function", "agenda")
_PRINTED_NUMBER = re.compile(r"([0-9]+)/([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Assigned:
    """One target that an order gives to one holder, with one kind of power."""

    dimension: Dimension
    target: str
    deputy: str
    power: Power
    except_th: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What an order says about who holds what. `effective_to` is the first day after it."""

    number: str
    kind: Literal["area", "function", "agenda", "acting", "mixed", "revocation"]
    scope: Literal["complete", "amending", "partial"]
    effective_from: date
    effective_to: date | None = None
    revokes: tuple[str, ...] = ()
    amends: tuple[str, ...] = ()
    order_missing: bool = False
    illustrative: bool = False
    assignments: tuple[Assigned, ...] = ()

    @property
    def rank(self) -> Rank:
        """Later orders rank higher: by day, then by the Buddhist year and number as printed."""
        printed = _PRINTED_NUMBER.fullmatch(self.number)
        serial, year = printed.groups() if printed else (0, 0)
        return self.effective_from, int(year), int(serial), self.number

    @property
    def dimensions(self) -> frozenset[Dimension]:
        """What the order is about; one that nobody has read may be about anything of its kind."""
        match self.kind:
            case "area" | "function" | "agenda":
                return frozenset({self.kind})
            case "mixed" if self.order_missing:
                return frozenset(_DIMENSIONS)
            case "mixed":
                return frozenset(given.dimension for given in self.assignments)
            case _:
                return frozenset()


@dataclass(frozen=True, slots=True)
class Tenure:
    """A person's time in an office. `valid_to` is the first day after it."""

    deputy: str
    office: str
    valid_from: date
    valid_to: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the person is in this office on the day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Holding:
    """What one person holds on the day, and by which order."""

    given: Assigned
    order: Order
    office: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One target on the day: who holds it, one holder a power, or why nobody is named."""

    dimension: Dimension
    target: str
    cover: Cover
    holdings: tuple[Holding, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """Who holds what on one day, by the orders and tenures that are known."""

    day: date
    orders: Sequence[Order]
    tenures: Sequence[Tenure]

    def cell(self, dimension: Dimension, target: str) -> Cell:
        """Who holds the target, or why nobody is named.

        The last order in force that names the target decides about it alone, as 378/2567 and
        407/2567 do within 315/2567; after an order that is missing, only what later ones name is
        known. Bangkok has no area holder, whatever an order says (source: cabinet of 28 April
        2003, all provinces but Bangkok).
        """
        if dimension == "area" and target == BANGKOK:
            return Cell(dimension, target, "outside_scheme")
        naming = self._naming.get((dimension, target))
        missing = self._missing.get(dimension)
        if naming is None or (missing is not None and naming.rank < missing):
            return Cell(dimension, target, "uncovered" if missing is None else "not_known")
        holdings = tuple(self._holdings(naming, dimension, target))
        return Cell(dimension, target, "overseer" if holdings else "uncovered", holdings)

    def targets(self, dimension: Dimension) -> list[str]:
        """Every target that an order in force names, in the orders' own sequence."""
        return [target for named, target in self._naming if named == dimension]

    def held_by(self, deputy: str) -> list[Holding]:
        """Everything one person holds on the day."""
        return self._held.get(deputy, [])

    def provinces_of(self, deputy: str) -> frozenset[str]:
        """The provinces of a person's area."""
        return frozenset(
            holding.given.target
            for holding in self.held_by(deputy)
            if holding.given.dimension == "area"
        )

    def office_of(self, deputy: str, day: date | None = None) -> str | None:
        """The office a person is in (today, unless another day is named), or None.

        Of two at once the one entered last.
        """
        on = day or self.day
        current = [tenure for tenure in self._tenures.get(deputy, ()) if tenure.covers(on)]
        latest = max(current, key=lambda tenure: (tenure.valid_from, tenure.office), default=None)
        return latest.office if latest else None

    @cached_property
    def in_force(self) -> Sequence[Order]:
        """The orders that rule on the day, the oldest first.

        An order that takes effect ends those it revokes, and when it is complete every earlier one
        of its dimension, for good: when it ends itself they do not come back. Source: the orders'
        own words (209/2568 revokes 315/2567 and both its amendments; 313/2567 names none and
        stands in the place of what lapsed). That an amendment falls with what it amends, and that
        what it amended rules again when only the amendment ends, is ours.
        """
        ruling: dict[str, Order] = {}
        for order in self._taken_effect:
            if not order.dimensions or not self._stands(order, ruling):
                continue
            ruling[order.number] = order
        return list(ruling.values())

    def _stands(self, order: Order, ruling: Mapping[str, Order]) -> bool:
        if order.effective_to is not None and order.effective_to <= self.day:
            return False
        if order.number in self._revoked:
            return False
        ended = [self._completed.get(dimension) for dimension in order.dimensions]
        if all(rank is not None and order.rank < rank for rank in ended):
            return False
        amended = [number for number in order.amends if number in self._known_before(order)]
        return not amended or any(number in ruling for number in amended)

    def _known_before(self, order: Order) -> frozenset[str]:
        return frozenset(one.number for one in self._taken_effect if one.rank < order.rank)

    @cached_property
    def _taken_effect(self) -> Sequence[Order]:
        """Begun by the day, the oldest first; what was revoked before its day never began."""
        begun = sorted(
            (order for order in self.orders if order.effective_from <= self.day),
            key=lambda order: order.rank,
        )
        revoked: set[str] = set()
        taken: list[Order] = []
        for order in begun:
            if order.number not in revoked:
                taken.append(order)
                revoked.update(order.revokes)
        return taken

    @cached_property
    def _revoked(self) -> frozenset[str]:
        return frozenset(
            number
            for order in self._taken_effect
            for number in order.revokes
            if number != order.number
        )

    @cached_property
    def _completed(self) -> Mapping[Dimension, Rank]:
        """The last complete order of each dimension: everything earlier of it is over."""
        return {
            dimension: order.rank
            for order in self._taken_effect
            if order.scope == "complete"
            for dimension in order.dimensions
        }

    @cached_property
    def _missing(self) -> Mapping[Dimension, Rank]:
        """From which order on the cover of a dimension is not known.

        An order that exists and whose text the archive lacks hides everything until a later
        complete order (source: domain.md 2), also after its own end: what it left standing is not
        known either (ours).
        """
        missing: dict[Dimension, Rank] = {}
        for order in self._taken_effect:
            for dimension in order.dimensions:
                if order.order_missing:
                    missing[dimension] = order.rank
                elif order.scope == "complete":
                    missing.pop(dimension, None)
        return missing

    @cached_property
    def _naming(self) -> Mapping[tuple[Dimension, str], Order]:
        naming: dict[tuple[Dimension, str], Order] = {}
        for order in self.in_force:
            for given in order.assignments:
                if not self._over(order, given.dimension):
                    naming[given.dimension, given.target] = order
        return naming

    def _over(self, order: Order, dimension: Dimension) -> bool:
        """A later complete order of one dimension ends that part of a mixed one."""
        completed = self._completed.get(dimension)
        return completed is not None and order.rank < completed

    def _holdings(self, order: Order, dimension: Dimension, target: str) -> Iterable[Holding]:
        powers: set[str] = set()
        for given in order.assignments:
            if (given.dimension, given.target) != (dimension, target) or given.power in powers:
                continue
            powers.add(given.power)
            if self._in_office_since(given.deputy, order.effective_from):
                yield Holding(given, order, self.office_of(given.deputy))

    def _in_office_since(self, deputy: str, given_on: date) -> bool:
        """Whether the person never left office between the order's day and this one.

        Who leaves office holds no more (source: domain.md 2, it ends when its holder leaves office)
        and needs a new order when they come back. Of whom no tenure is registered, the order alone
        speaks (ours).
        """
        tenures = self._tenures.get(deputy, ())
        if not tenures:
            return True
        left = [
            tenure.valid_to
            for tenure in tenures
            if tenure.valid_to is not None and given_on < tenure.valid_to <= self.day
        ]
        in_office = (self.office_of(deputy, day) is not None for day in (self.day, *left))
        return all(in_office)

    @cached_property
    def _tenures(self) -> Mapping[str, list[Tenure]]:
        by_person: dict[str, list[Tenure]] = {}
        for tenure in self.tenures:
            by_person.setdefault(tenure.deputy, []).append(tenure)
        return by_person

    @cached_property
    def _held(self) -> Mapping[str, list[Holding]]:
        held: dict[str, list[Holding]] = {}
        for dimension, target in self._naming:
            for holding in self.cell(dimension, target).holdings:
                held.setdefault(holding.given.deputy, []).append(holding)
        return held
