"""Who writes a directive down, issues it, and stands on which side of it: at one moment.

The issuer's side is whoever holds now what the directive was issued by: a province that passes to
another deputy takes its open directives along (domain.md 6). The Prime Minister always is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from schemas.events.directive import Authority, DirectiveDrafted, DirectiveKind
from services.domain import authority, substitution
from services.domain.addressees import agency_of, check_there, is_province, spoken_for
from services.domain.authority import grounds_of_holder
from services.domain.chain import PRIME_MINISTER
from services.domain.directives import Actor, Directive, Mandate, NotPrimeMinister
from services.domain.grounds import (
    BeyondPowers,
    Grounds,
    NotADecider,
    OutsideMatrix,
    Subject,
    WrongKindOfPower,
)
from services.domain.matrix import Cell, Matrix
from services.domain.powers import Act
from services.domain.registry import Registry, day_of
from services.domain.rejected import Rejected
from services.domain.steps import Role

ACT_FOR: Mapping[DirectiveKind, Act] = {
    "order": Act.ORDER_TO_ACT,
    "report": Act.CALL_FOR_REPORT,
    "inquiry": Act.INQUIRE,
    "suspension": Act.SUSPEND,
    "advice": Act.ADVISE,
}

_NOT_REACHED = (OutsideMatrix, WrongKindOfPower, BeyondPowers)


@dataclass(frozen=True)
class Circumstances:
    """What a decision is judged by: who holds what at its moment, and who there is."""

    matrix: Matrix
    registry: Registry

    @property
    def day(self) -> date:
        """The moment's day in Bangkok."""
        return day_of(self.matrix.at)


@dataclass
class NotDrafter(Rejected):
    """Only the deputy, the deputy's secretariat or substitute, and the PM write in that name.

    Source: a secretariat assists one deputy (domain.md 2). That the PMOC drafts for the PM is ours.
    """

    deputy: str
    rule = "not-drafter"


@dataclass
class AddresseeNotNamed(Rejected):
    """The directive has several addressees, and the step does not say which of them it is about."""

    directive: str
    rule = "addressee-not-named"


def may_draft(who: authority.Actor, deputy: str, matrix: Matrix) -> bool:
    """Whether this identity writes directives in the deputy's name at the moment."""
    match who.kind:
        case "pm":
            return True
        case "pmoc":
            return deputy == PRIME_MINISTER
        case "secretariat":
            return who.name == deputy
        case "deputy":
            acting = substitution.acting_for(matrix, deputy)
            return who.name == deputy or (acting is not None and who.name == acting.deputy)
        case _:
            return False


def check_draft(who: authority.Actor, written: DirectiveDrafted, now: Circumstances) -> None:
    """Who writes it may, and everybody it names is there.

    Raises:
        NotDrafter, ProvinceNotThere, UnitNotThere.
    """
    if not may_draft(who, written.deputy, now.matrix):
        raise NotDrafter(written.deputy)
    for named in (*written.addressees, *written.provinces):
        check_there(named, now.registry, now.day)


def mandate_of(who: authority.Actor, written: DirectiveDrafted, now: Circumstances) -> Mandate:
    """By what this identity may issue the draft, addressee by addressee.

    Raises:
        BeyondPowers: it reaches some of the addressees and not the others: the PM may.
        Rejected: a refusal in `grounds`, by name.
        NotPrimeMinister: it is in the Prime Minister's name.
    """
    match who.kind, who.name:
        case "pm", _:
            given = [Authority(addressee=one) for one in written.addressees]
            return Mandate("prime_minister", given)
        case "deputy", str(deputy) if written.deputy == PRIME_MINISTER:
            return _acting_prime_minister(deputy, written, now)
        case "deputy", str(deputy):
            return _by_orders(_reached(deputy, written, now))
        case _:
            raise NotADecider(who.kind)


def actor_of(
    who: authority.Actor, directive: Directive, addressee: str | None, now: Circumstances
) -> Actor:
    """As what the identity acts on the directive, towards one addressee or (None) all of them.

    Raises:
        Rejected: the matter is the identity's, and cannot be exercised at the moment.
    """
    identity = who.kind if who.name is None else f"{who.kind}:{who.name}"
    written = directive.draft
    if written is None:
        return Actor(identity, frozenset())
    roles: set[Role] = set()
    if who.kind == "pm" or acts_as_prime_minister(who, now.matrix):
        roles.add("pm")
    order = None
    if directive.phase == "draft":
        roles |= {"issuer"} if may_draft(who, written.deputy, now.matrix) else set()
    elif "pm" not in roles and who.kind == "deputy" and who.name is not None:
        order = _held_by(who.name, directive, addressee, now)
        roles |= {"issuer"} if order is not None else set()
    own = spoken_for(who, now.registry, now.day).intersection(directive.standing)
    return Actor(identity, frozenset(roles | ({"addressee"} if own else set())), own, order)


def is_seen(directive: Directive, actor: Actor) -> bool:
    """Whether the actor may know that the directive is there.

    A draft is its writers' and its issuer's; what is confidential is the two sides' and the PM's.
    """
    written = directive.draft
    if written is None:
        return False
    if directive.phase == "draft" or not directive.standing:
        return bool(actor.roles & {"pm", "issuer"})
    return written.classification != "confidential" or bool(actor.roles)


def addressee_named(named: str | None, directive: Directive, actor: Actor) -> str:
    """Which addressee a step is about: the one it names, the actor's own, or the only one.

    Raises:
        AddresseeNotNamed: none of these.
    """
    for candidates in ((named,) if named else (), actor.addressees, directive.standing):
        if len(candidates) == 1:
            return next(iter(candidates))
    raise AddresseeNotNamed(directive.draft.directive if directive.draft else "")


def holder_of(given: Authority, now: Circumstances) -> str | None:
    """Whose is now what this authority rests on, or was until they left office; None when it is
    nobody's, or the PM gave it."""
    if given.dimension is None or given.target is None:
        return None
    cell = _cell(given, now)
    return next(
        (
            holding.given.deputy
            for holding in (*cell.holdings, *cell.left)
            if given.power in holding.power.split("+")
        ),
        None,
    )


def acts_as_prime_minister(who: authority.Actor, matrix: Matrix) -> bool:
    """Whether an order makes an acting Prime Minister of this identity at the moment."""
    acting = substitution.acting_prime_minister(matrix)
    return acting is not None and who.kind == "deputy" and acting.clause.deputy == who.name


def _acting_prime_minister(deputy: str, written: DirectiveDrafted, now: Circumstances) -> Mandate:
    acting = substitution.acting_prime_minister(now.matrix)
    if acting is None or acting.clause.deputy != deputy:
        raise NotPrimeMinister("issue")
    given = [Authority(addressee=one) for one in written.addressees]
    return Mandate("acting_pm", given, acting_by=acting.order.number)


def _by_orders(found: Mapping[str, Grounds]) -> Mandate:
    first = next(iter(found.values()))
    return Mandate(
        "substitute" if first.acting_for else "holder",
        [one for addressee, given in found.items() for one in _authority(addressee, given)],
        acting_for=first.acting_for,
        acting_by=first.made_so_by.order if first.made_so_by else None,
    )


def _reached(deputy: str, written: DirectiveDrafted, now: Circumstances) -> Mapping[str, Grounds]:
    """The grounds over every addressee.

    Raises:
        Rejected: it reaches not all of them.
    """
    found: dict[str, Grounds] = {}
    lacking: dict[str, Rejected] = {}
    for addressee in written.addressees:
        try:
            for subject in _subjects(addressee, written, now):
                found[addressee] = grounds_of_holder(
                    now.matrix,
                    deputy,
                    written.deputy,
                    act=ACT_FOR[written.kind],
                    subject=subject,
                )
        except _NOT_REACHED as why:
            lacking[addressee] = why
    if lacking and found:
        raise BeyondPowers(tuple(lacking))
    if lacking:
        raise next(iter(lacking.values()))
    return found


def _subjects(addressee: str, written: DirectiveDrafted, now: Circumstances) -> Iterator[Subject]:
    """What directing the addressee is about, once for each matter that may be reserved."""
    agendas = () if written.agenda is None else (written.agenda,)
    for matter in _matters(written):
        if is_province(addressee):
            yield Subject((addressee,), agendas=agendas, matter=matter)
        else:
            agency = agency_of(addressee, now.registry, now.day)
            yield Subject(tuple(written.provinces), (agency,), agendas, matter)


def _matters(written: DirectiveDrafted) -> Iterator[str]:
    if written.incident is not None:
        yield f"incidents/{written.incident}"
    yield f"directives/{written.directive}"


def _authority(addressee: str, given: Grounds) -> Iterator[Authority]:
    for basis in given.bases:
        by = basis.given_by
        yield Authority.model_validate(
            {
                "addressee": addressee,
                "order": by.order,
                "clause": by.clause,
                "dimension": basis.dimension,
                "target": basis.target,
                "power": basis.power,
            }
        )


def _held_by(
    deputy: str, directive: Directive, addressee: str | None, now: Circumstances
) -> str | None:
    """The order by which the deputy holds all of it, or acts for who does; None when not."""
    order: str | None = None
    for given in directive.authority:
        if addressee in (None, given.addressee):
            order = _order_over(deputy, directive, given, now)
            if order is None:
                return None
    return order


def _order_over(
    deputy: str, directive: Directive, given: Authority, now: Circumstances
) -> str | None:
    written, holder = directive.draft, holder_of(given, now)
    if written is None or holder is None or not now.matrix.is_in_office(deputy):
        return None
    acting = substitution.acting_for(now.matrix, holder)
    if deputy != holder and (acting is None or acting.deputy != deputy):
        return None
    for matter in _matters(written):
        grounds = grounds_of_holder(
            now.matrix,
            deputy,
            holder,
            act=ACT_FOR[written.kind],
            subject=_part(given, now, matter),
        )
    return grounds.bases[0].given_by.order


def _part(given: Authority, now: Circumstances, matter: str) -> Subject:
    target = given.target or ""
    match given.dimension:
        case "area":
            return Subject(provinces=(target,), matter=matter)
        case "agenda":
            return Subject(agendas=(target,), matter=matter)
        case _:
            agency = agency_of(given.addressee, now.registry, now.day)
            return Subject(agencies=(agency,), matter=matter)


def _cell(given: Authority, now: Circumstances) -> Cell:
    if given.dimension == "function":
        agency = agency_of(given.addressee, now.registry, now.day)
        return now.matrix.cell("function", agency.unit, agency.ministry)
    return now.matrix.cell(given.dimension or "area", given.target or "")
