"""Who may do what, to what, at which moment: answered by the chain of orders alone.

The answer is the grounds, an order and its clause, or the refusal by the name of its rule. Every
decision asks here, and guards on the version of the chain it was judged by.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product, starmap
from typing import Protocol

from schemas.events.order import FundPower, Reservation, Substitutes
from services.domain import substitution
from services.domain.chain import Chain
from services.domain.grounds import (
    Agency,
    Basis,
    BeyondPowers,
    Citation,
    ConsentMissing,
    DeputyAway,
    DeputyPresent,
    EarlierSubstitute,
    FundPowerNotGiven,
    Grounds,
    MatterReserved,
    NeverEntrusted,
    NotADecider,
    NotEntrusted,
    NotInOffice,
    OutsideMatrix,
    Subject,
    WrongKindOfPower,
)
from services.domain.matrix import Cell, Matrix, Ordered, matrix_at
from services.domain.powers import DUTY_FOR, POWERS_FOR, PRIME_MINISTERS_CONSENT, Act
from services.domain.rejected import Rejected


class Actor(Protocol):
    """Who wants to act: an identity of the network."""

    @property
    def kind(self) -> str:
        """The first word: `pm`, `deputy`, `inspector`."""
        ...

    @property
    def name(self) -> str | None:
        """Whose: the person's id."""
        ...


def grounds(chain: Chain, who: Actor, *, act: Act, subject: Subject, at: datetime) -> Grounds:
    """Why the person may do this to that at the moment.

    Raises:
        Rejected: one of the refusals in `grounds`, by name.
    """
    asked = _Asked(matrix_at(chain, at), act, subject)
    match who.kind, who.name:
        case "pm", _:
            return Grounds("prime_minister")
        case "deputy", str(deputy):
            return asked.of_deputy(deputy)
        case "inspector", str(inspector):
            return asked.of_inspector(inspector)
        case _:
            raise NotADecider(who.kind)


def grounds_of_holder(
    matrix: Matrix, deputy: str, holder: str, *, act: Act, subject: Subject
) -> Grounds:
    """Why the deputy may do this by one holder's power: the deputy's own, or an absent holder's.

    Raises:
        Rejected: one of the refusals in `grounds`, by name.
    """
    return _Asked(matrix, act, subject).of_holder(deputy, holder)


@dataclass(frozen=True, slots=True)
class _Part:
    """One agency in one province, or what of it the subject names."""

    province: str | None
    agency: Agency | None


@dataclass(frozen=True)
class _Asked:
    """An act on a subject at one moment."""

    matrix: Matrix
    act: Act
    subject: Subject

    def of_deputy(self, deputy: str) -> Grounds:
        """By what is the deputy's own, then for those who are away, then as acting PM."""
        self._check_present(deputy)
        refused: list[Rejected] = []
        acting = substitution.acted_for_by(self.matrix, deputy)
        for one in (None, *acting):
            try:
                bases = self._bases(one.acting_for if one else deputy)
            except Rejected as why:
                refused.append(why)
                continue
            if one is None:
                return Grounds("holder", None, bases)
            by = Citation(one.order.number, one.nth)
            return Grounds("substitute", one.acting_for, bases, by)
        return self._as_prime_minister(deputy, refused)

    def of_holder(self, deputy: str, holder: str) -> Grounds:
        """By what is this holder's, and by nothing else that the deputy may have."""
        self._check_present(deputy)
        if deputy == holder:
            return Grounds("holder", None, self._bases(holder))
        acting = substitution.acting_for(self.matrix, holder)
        if acting is None:
            raise DeputyPresent(holder)
        if acting.deputy != deputy:
            raise EarlierSubstitute(holder, acting.deputy)
        by = Citation(acting.order.number, acting.nth)
        return Grounds("substitute", holder, self._bases(holder), by)

    def _check_present(self, deputy: str) -> None:
        if not self.matrix.is_in_office(deputy):
            raise NotInOffice(deputy)
        if not substitution.is_present(self.matrix, deputy):
            raise DeputyAway(deputy)

    def of_inspector(self, inspector: str) -> Grounds:
        """By a duty that a deputy has entrusted, over what that deputy holds now."""
        duty = DUTY_FOR.get(self.act)
        if duty is None:
            raise NeverEntrusted(self.act)
        provinces = set(self.subject.provinces)
        for duties in substitution.entrusted(self.matrix, inspector):
            clause = duties.ordered.clause
            if duty in clause.duties and provinces and provinces <= duties.provinces:
                by = Citation(duties.ordered.order.number, duties.ordered.nth)
                return Grounds("entrusted", clause.deputy, self._bases(clause.deputy), by)
        raise NotEntrusted(inspector, self.act)

    def _as_prime_minister(self, deputy: str, refused: Sequence[Rejected]) -> Grounds:
        acting = substitution.acting_prime_minister(self.matrix)
        if acting is not None and acting.clause.deputy == deputy:
            if self.act not in PRIME_MINISTERS_CONSENT:
                by = Citation(acting.order.number, acting.nth)
                return Grounds("acting_pm", None, (), by)
            refused = [ConsentMissing(self.act), *refused]
        for why in refused:
            if not isinstance(why, OutsideMatrix):
                raise why
        self._refuse_substitute(deputy)
        raise refused[0]

    def _refuse_substitute(self, deputy: str) -> None:
        """Say so when the person is on the list of somebody who could act."""
        for listed in self.matrix.clauses(Substitutes):
            holder = listed.clause.deputy
            if deputy not in listed.clause.substitutes or not self._may(holder):
                continue
            acting = substitution.acting_for(self.matrix, holder)
            if acting is not None:
                raise EarlierSubstitute(holder, acting.deputy)
            raise DeputyPresent(holder)

    def _may(self, holder: str) -> bool:
        try:
            self._bases(holder)
        except Rejected:
            return False
        return True

    def _bases(self, holder: str) -> tuple[Basis, ...]:
        """What the holder's power rests on, one basis for each part of the subject.

        Raises:
            Rejected: it does not reach all of it, whoever exercises it.
        """
        found: dict[Basis, None] = {}
        lacking: dict[str, tuple[str, ...]] = {}
        for part in self._parts():
            held = list(self._held(part, holder))
            fit = [basis for basis in held if basis.power in POWERS_FOR[self.act]]
            resting = {basis: self._reserving(basis, part, holder) for basis in fit}
            free = [basis for basis, reserved in resting.items() if reserved is None]
            if free:
                found[free[0]] = None
            elif reserved := next(iter(resting.values()), None):
                raise MatterReserved(reserved.order.number, reserved.nth)
            else:
                lacking[self._name(part)] = tuple(basis.power for basis in held)
        if lacking:
            raise self._not_reached(lacking, partly=bool(found))
        self._check_fund(holder)
        return tuple(found)

    def _parts(self) -> Iterator[_Part]:
        provinces = self.subject.provinces or (None,)
        agencies = self.subject.agencies or (None,)
        yield from starmap(_Part, product(provinces, agencies))

    def _held(self, part: _Part, holder: str) -> Iterator[Basis]:
        """Every power of the holder that reaches this part, kind by kind.

        Who has left office exercises nothing, but for an empty post its substitute does.
        """
        for cell in self._cells(part):
            for holding in (*cell.holdings, *cell.left):
                if holding.given.deputy == holder:
                    by = Citation(holding.order.number, holding.nth)
                    for power in holding.power.split("+"):
                        yield Basis(by, cell.dimension, holding.given.target, power)

    def _cells(self, part: _Part) -> Iterator[Cell]:
        if part.province is not None:
            yield self.matrix.cell("area", part.province)
        if part.agency is not None:
            yield self.matrix.cell("function", part.agency.unit, part.agency.ministry)
        for agenda in self.subject.agendas:
            yield self.matrix.cell("agenda", agenda)

    def _reserving(self, basis: Basis, part: _Part, holder: str) -> Ordered[Reservation] | None:
        """What makes this power over this part rest: a reservation that names it."""
        targets = {basis.target}
        if basis.dimension == "function" and part.agency is not None:
            targets |= {part.agency.unit, part.agency.ministry or basis.target}
        for one in substitution.reservations(self.matrix):
            named = one.clause
            is_target = named.dimension == basis.dimension and named.target in targets
            if (
                named.deputy in (None, holder)
                and (named.target is None or is_target)
                and (named.subject is None or named.subject == self.subject.matter)
            ):
                return one
        return None

    def _not_reached(self, lacking: Mapping[str, Sequence[str]], *, partly: bool) -> Rejected:
        targets = tuple(lacking)
        if partly:
            return BeyondPowers(targets)
        if held := {power for powers in lacking.values() for power in powers}:
            return WrongKindOfPower(
                targets, tuple(sorted(held)), tuple(sorted(POWERS_FOR[self.act]))
            )
        covers = [cell.cover for cell in self._cells(next(self._parts()))]
        return OutsideMatrix(targets, next(iter(covers), "uncovered"))

    def _name(self, part: _Part) -> str:
        agency = part.agency.unit if part.agency else None
        named = [one for one in (agency, part.province) if one] or self.subject.agendas
        return " ".join(named) or self.subject.matter or ""

    def _check_fund(self, holder: str) -> None:
        if self.act is not Act.APPROVE_MONEY:
            return
        # An empty post has no ledger that the money could stand on (domain.md 6).
        if not self.matrix.is_in_office(holder):
            raise FundPowerNotGiven(holder)
        terms = self.matrix.validity.terms.get(holder, ())
        if any(term.office == "deputy_pm" and term.covers(self.matrix.at) for term in terms):
            return
        if all(given.clause.deputy != holder for given in self.matrix.clauses(FundPower)):
            raise FundPowerNotGiven(holder)
