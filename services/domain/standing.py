"""A new order against those before it: whom and what it finds when it takes effect.

Source of all: domain.md 2; who holds what is the matrix's answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Appointment,
    Assignment,
    Entrusted,
    FundPower,
    OrderIssued,
    PartRevoked,
    Release,
    Reservation,
    Substitutes,
    TenureEnd,
)
from services.domain.chain import Chain, evolve
from services.domain.matrix import Matrix, matrix_at
from services.domain.naming import people
from services.domain.registry import Registry, day_of
from services.domain.rejected import Rejected
from services.domain.substitution import reservations
from services.domain.validity import Ruling, Term, Validity, rank_of

HOLDING_OFFICES = frozenset({"deputy_pm", "minister_pm_office"})
"""A holder is a deputy PM or a minister attached to the PM's Office (domain.md 2)."""


@dataclass
class OrderUnknown(Rejected):
    """The order that is revoked or amended is not there, or takes effect only later.

    An order can be revoked before it takes effect, but not amended.
    """

    order: str
    rule = "order-unknown"


@dataclass
class TenureUnknown(Rejected):
    """The tenure that is to end does not run when the order takes effect."""

    tenure: str
    rule = "tenure-unknown"


@dataclass
class TenureTaken(Rejected):
    """The tenure's id is another tenure's."""

    tenure: str
    rule = "tenure-taken"


@dataclass
class AlreadyAppointed(Rejected):
    """The person is in that office already, or the one Prime Minister's is taken."""

    deputy: str
    office: str
    tenure: str
    rule = "already-appointed"


@dataclass
class NotInOfficeThen(Rejected):
    """The person is in no office that holds when the order takes effect.

    Source: an assignment ends when its holder leaves office (domain.md 2), so none begins without.
    """

    deputy: str
    at: datetime
    rule = "not-in-office-then"


@dataclass
class ActingNotDeputy(Rejected):
    """Only a deputy PM acts as Prime Minister.

    Source: State Administration Act, B.E. 2534, section 10; domain.md 2.
    """

    deputy: str
    rule = "acting-not-deputy"


@dataclass
class SubstituteOfOneself(Rejected):
    """Nobody stands in for themselves.

    Source: deputies stand in for each other (domain.md 2).
    """

    deputy: str
    rule = "substitute-of-oneself"


@dataclass
class PowerHeld(Rejected):
    """An order in force gives this power over this target to somebody else.

    It has to be amended, revoked, or replaced by a complete order. Source: one holder per
    (dimension, target, power), domain.md 2.
    """

    dimension: str
    target: str
    power: str
    deputy: str
    order: str
    at: datetime
    rule = "power-held"


@dataclass
class NotHeld(Rejected):
    """What is to be entrusted or reserved is not the deputy's when the order takes effect."""

    deputy: str | None
    dimension: str
    target: str
    rule = "not-held"


@dataclass
class NothingReserved(Rejected):
    """The order reserves nothing that could be released when this one takes effect."""

    order: str
    rule = "nothing-reserved"


@dataclass
class NothingToRevoke(Rejected):
    """The order does not give this when the new one takes effect."""

    order: str
    dimension: str
    target: str
    rule = "nothing-to-revoke"


def check_standing(chain: Chain, order: OrderIssued, registry: Registry) -> None:
    """The order fits into the chain.

    Raises:
        Rejected: one of this module's refusals, by name.
    """
    new = _New(chain, order, registry)
    new.check_orders_named()
    for clause in order.clauses:
        match clause:
            case Appointment():
                new.check_appointment(clause)
            case TenureEnd():
                new.check_tenure_end(clause)
            case Substitutes():
                new.check_substitutes(clause)
            case Assignment() | Absence() | FundPower():
                new.check_in_office(clause.deputy)
            case ActingPrimeMinister():
                new.check_acting(clause)
            case Entrusted():
                new.check_entrusted(clause)
            case Reservation():
                new.check_reservation(clause)
            case Release():
                new.check_release(clause)
            case PartRevoked():
                new.check_part_revoked(clause)
    new.check_powers()


@dataclass(frozen=True)
class _New:
    """A new order and what it finds."""

    chain: Chain
    order: OrderIssued
    registry: Registry

    @cached_property
    def before(self) -> Matrix:
        """Without it, when it takes effect."""
        return matrix_at(self.chain, self.order.effective_from)

    @cached_property
    def after(self) -> Matrix:
        """With it, when it takes effect."""
        return matrix_at(evolve(self.chain, self.order), self.order.effective_from)

    @cached_property
    def cleared(self) -> Validity:
        """With all that it ends and nothing that it gives."""
        ending = [
            clause
            for clause in self.order.clauses
            if not isinstance(clause, Assignment | Appointment)
        ]
        return Validity(evolve(self.chain, self.order.model_copy(update={"clauses": ending})))

    @cached_property
    def ruling(self) -> Ruling | None:
        """When it rules; None when an order before it has revoked it already."""
        rulings = self.after.validity.orders
        return next((one for one in rulings if one.order is self.order), None)

    def check_orders_named(self) -> None:
        known = {order.number: order for order in self.chain.orders}
        for number in self.order.revokes:
            if number not in known:
                raise OrderUnknown(number)
        for number in self.order.amends:
            if number not in known or rank_of(known[number]) > rank_of(self.order):
                raise OrderUnknown(number)

    def check_appointment(self, new: Appointment) -> None:
        clauses = [clause for order in self.chain.orders for clause in order.clauses]
        taken = [one.tenure for one in self.chain.tenures]
        taken += [one.tenure for one in clauses if isinstance(one, Appointment)]
        own = [one.tenure for one in self.order.clauses if isinstance(one, Appointment)]
        if new.tenure in taken or own.count(new.tenure) > 1:
            raise TenureTaken(new.tenure)
        for term in self._terms_beside(new):
            if term.office == new.office and self._meets(term.begins, term.ends):
                raise AlreadyAppointed(term.deputy, term.office, term.tenure)

    def _terms_beside(self, new: Appointment) -> Iterator[Term]:
        """The terms of the same person, and for the one Prime Minister's office everybody's."""
        beside = [term for terms in self.cleared.terms.values() for term in terms]
        beside += [
            Term(one.tenure, one.deputy, one.office, self.order.effective_from, self._ends)
            for one in self.order.clauses
            if isinstance(one, Appointment) and one is not new
        ]
        for term in beside:
            if term.deputy == new.deputy or new.office == "prime_minister":
                yield term

    def check_tenure_end(self, ended: TenureEnd) -> None:
        terms = [term for of_one in self.before.validity.terms.values() for term in of_one]
        at = self.order.effective_from
        if not any(term.tenure == ended.tenure and term.covers(at) for term in terms):
            raise TenureUnknown(ended.tenure)

    def check_in_office(self, deputy: str) -> None:
        at = self.order.effective_from
        terms = self.after.validity.terms.get(deputy, ())
        if not any(term.covers(at) and term.office in HOLDING_OFFICES for term in terms):
            raise NotInOfficeThen(deputy, at)

    def check_substitutes(self, listed: Substitutes) -> None:
        if listed.deputy in listed.substitutes:
            raise SubstituteOfOneself(listed.deputy)
        for person in people(listed):
            self.check_in_office(person)

    def check_acting(self, acting: ActingPrimeMinister) -> None:
        at = self.order.effective_from
        terms = self.after.validity.terms.get(acting.deputy, ())
        if not any(term.covers(at) and term.office == "deputy_pm" for term in terms):
            raise ActingNotDeputy(acting.deputy)

    def check_entrusted(self, entrusted: Entrusted) -> None:
        self.check_in_office(entrusted.deputy)
        held = self.after.provinces_of(entrusted.deputy)
        for province in entrusted.provinces:
            if province not in held:
                raise NotHeld(entrusted.deputy, "area", province)

    def check_reservation(self, reserved: Reservation) -> None:
        """A matter named by its subject alone is reserved from whoever holds it then."""
        dimension, target = reserved.dimension, reserved.target
        if dimension is None or target is None:
            return
        day = day_of(self.order.effective_from)
        unit = self.registry.department(target, day) if dimension == "function" else None
        within = unit.ministry if unit else None
        cell = self.after.cell(dimension, target, within)
        holders = [holding.given.deputy for holding in cell.holdings]
        is_held = bool(holders) if reserved.deputy is None else reserved.deputy in holders
        if cell.cover != "not_known" and not is_held:
            raise NotHeld(reserved.deputy, dimension, target)

    def check_release(self, release: Release) -> None:
        if not any(one.order.number == release.order for one in reservations(self.before)):
            raise NothingReserved(release.order)

    def check_part_revoked(self, part: PartRevoked) -> None:
        ruling = next((one for one in self.before.in_force if one.order.number == part.order), None)
        if ruling is None or not _gives(ruling.order, part):
            raise NothingToRevoke(part.order, part.dimension, part.target)

    def check_powers(self) -> None:
        """At every moment of its time nobody else holds what it gives."""
        given = [clause for clause in self.order.clauses if isinstance(clause, Assignment)]
        for at in self._moments() if given else ():
            matrix = Matrix(self.cleared, at)
            for clause in given:
                if at < self.after.validity.closed(self.order, clause.dimension):
                    self._check_power(matrix, clause)

    def _check_power(self, matrix: Matrix, given: Assignment) -> None:
        claims = list(matrix.claims(given.dimension, given.target))
        for power in given.power.split("+"):
            claiming = [claim for claim in claims if power in claim.power.split("+")]
            replaced = self._replaced([claim.order for claim in claiming])
            for claim in claiming:
                other, order = claim.given.deputy, claim.order.number
                if other != given.deputy and order not in replaced:
                    named = given.dimension, given.target, power, other, order
                    raise PowerHeld(*named, matrix.at)

    def _replaced(self, claiming: Sequence[OrderIssued]) -> set[str]:
        """Whose word the new order's stands for: those it amends, and what those have amended."""
        replaced = set(self.order.amends)
        # The latest first: an order amends only what took effect before it.
        for order in sorted(claiming, key=rank_of, reverse=True):
            if order.number in replaced:
                replaced.update(order.amends)
        return replaced

    def _moments(self) -> list[datetime]:
        """Its first moment and every later one of its time at which anything changes."""
        changes = self.cleared.boundaries
        begins = self.order.effective_from
        return [begins, *(at for at in changes if begins < at < self._ends)]

    @property
    def _ends(self) -> datetime:
        return self.ruling.ends if self.ruling else self.order.effective_from

    def _meets(self, begins: datetime, ends: datetime) -> bool:
        return begins < self._ends and self.order.effective_from < ends


def _gives(order: OrderIssued, part: PartRevoked) -> bool:
    """Whether the order gives this; a lost text may give anything."""
    if part.dimension in order.missing:
        return True
    powers = set(part.power.split("+")) if part.power else None
    return any(
        isinstance(clause, Assignment)
        and (clause.dimension, clause.target) == (part.dimension, part.target)
        and (powers is None or powers & set(clause.power.split("+")))
        for clause in order.clauses
    )
