"""Who acts when the holder cannot, and what rests: substitutes, acting PM, duties, reservations.

Source: domain.md 2 and 3 (ปฏิบัติราชการแทนกันตามลำดับ, รักษาราชการแทน, เว้นแต่นายกรัฐมนตรีจะสั่งการเป็นอย่างอื่น).
That a substitute acts for an empty post too: order 215/2565 (ไม่อยู่หรือไม่อาจปฏิบัติราชการได้
หรือไม่มีผู้ดำรงตำแหน่ง), after the State Administration Act, B.E. 2534, section 48.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Entrusted,
    OrderIssued,
    Release,
    Reservation,
    Substitutes,
)
from services.domain.matrix import Holding, Matrix, Ordered


@dataclass(frozen=True, slots=True)
class Acting:
    """One person acts for another at the moment, by one clause of one order."""

    deputy: str
    acting_for: str
    order: OrderIssued
    nth: int


@dataclass(frozen=True, slots=True)
class Duties:
    """What a deputy has entrusted to an inspector and holds at the moment."""

    provinces: frozenset[str]
    ordered: Ordered[Entrusted]


def is_present(matrix: Matrix, deputy: str) -> bool:
    """Whether the person can act: the post is not empty, and no absence is in force."""
    return matrix.is_in_office(deputy) and not any(
        absent.clause.deputy == deputy for absent in matrix.clauses(Absence)
    )


def substitutes(matrix: Matrix, deputy: str) -> Ordered[Substitutes] | None:
    """The standing list of who stands in for the deputy: the last order's that has one."""
    found = [one for one in matrix.clauses(Substitutes) if one.clause.deputy == deputy]
    return found[-1] if found else None


def acting_for(matrix: Matrix, deputy: str) -> Acting | None:
    """Who acts for a deputy who cannot: the first of the list who is present.

    None while the deputy is present, and when all of the list are away: then nobody acts. A
    substitute's own substitutes are never asked, so a ring never loops. Source: domain.md 6.
    """
    listed = substitutes(matrix, deputy)
    if listed is None or is_present(matrix, deputy):
        return None
    for one in listed.clause.substitutes:
        if one != deputy and is_present(matrix, one):
            return Acting(one, deputy, listed.order, listed.nth)
    return None


def acted_for_by(matrix: Matrix, deputy: str) -> Sequence[Acting]:
    """For whom this person acts at the moment."""
    absent = dict.fromkeys(one.clause.deputy for one in matrix.clauses(Substitutes))
    found = (acting_for(matrix, one) for one in absent)
    return [acting for acting in found if acting and acting.deputy == deputy]


def exercised(matrix: Matrix, deputy: str) -> Sequence[Holding]:
    """What the person may act on: what they hold, and for whom they act what those hold.

    For an empty post it is what its last holder held on leaving, until an order gives it to
    somebody or ends it. The substitute holds none of it (ours).
    """
    acting = [one.acting_for for one in acted_for_by(matrix, deputy)]
    others = (one for name in acting for one in (*matrix.held_by(name), *matrix.left_by(name)))
    return [*matrix.held_by(deputy), *others]


def acting_prime_minister(matrix: Matrix) -> Ordered[ActingPrimeMinister] | None:
    """Who acts as Prime Minister: of the last order that names any who is present, the first."""
    found: Ordered[ActingPrimeMinister] | None = None
    for one in matrix.clauses(ActingPrimeMinister):
        is_later = found is None or found.order is not one.order
        if is_later and is_present(matrix, one.clause.deputy):
            found = one
    return found


def entrusted(matrix: Matrix, inspector: str) -> Sequence[Duties]:
    """The inspector's duties in force, over the provinces that the deputy holds at the moment.

    Source: domain.md 2; nobody entrusts what they do not hold any more (ours).
    """
    own = (one for one in matrix.clauses(Entrusted) if one.clause.inspector == inspector)
    duties = (
        Duties(matrix.provinces_of(one.clause.deputy).intersection(one.clause.provinces), one)
        for one in own
    )
    return [duty for duty in duties if duty.provinces]


def reservations(matrix: Matrix) -> Sequence[Ordered[Reservation]]:
    """What the PM has reserved at the moment; what was released once is so for good."""
    released = {
        clause.order
        for order in matrix.validity.taken
        if order.effective_from <= matrix.at
        for clause in order.clauses
        if isinstance(clause, Release)
    }
    return [one for one in matrix.clauses(Reservation) if one.order.number not in released]
