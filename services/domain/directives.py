"""A directive's life: the whole of it, and for each addressee its own.

Who may issue one at all is `authority.py`; here stands what may follow what, and by whose hand.
Source of the kinds and of who does what: the regulation of the Prime Minister's Office on
overseeing government work in the regions, B.E. 2547 (domain.md 3, powers 2, 4 and 6). The steps
between the signature and the last report are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.events.clocks import Clock, ClocksSet, DirectiveDue
from schemas.events.directive import (
    Authority,
    Capacity,
    DirectiveClosed,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveReturned,
    DirectiveReversed,
    DirectiveStep,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveUndeliverable,
    DirectiveWithdrawn,
)
from schemas.events.model import EventModel
from services.domain.clocks import DEFAULT, clocks_of
from services.domain.decider import Decider
from services.domain.rejected import Rejected
from services.domain.steps import DONE, RUNNING, STEPS, Phase, Role, Rule, Standing


@dataclass(frozen=True, slots=True)
class Directive:
    """What a directive has come to."""

    phase: Phase = "none"
    draft: DirectiveDrafted | None = None
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """Of each addressee, from the issue on."""
    authority: tuple[Authority, ...] = ()
    """What it was issued by, for each addressee."""
    superseded_by: str | None = None
    clocks: tuple[Clock, ...] = ()
    """What every addressee owes; none where nothing follows when time runs out."""
    renewed: Mapping[str, Clock] = field(default_factory=dict)
    """Of each addressee whose report was returned, by when it owes the next one."""
    stated: Mapping[str, frozenset[DirectiveDue]] = field(default_factory=dict)
    """Of each addressee, what its clocks have come to. No standing follows from it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and as what towards this directive."""

    identity: str
    roles: frozenset[Role]
    addressees: frozenset[str] = frozenset()
    """The addressees that the identity speaks for."""
    order: str | None = None
    """By which order the identity holds the matter, where it does by one."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """By what a directive is issued: in which capacity, for whom, over each addressee."""

    capacity: Capacity
    authority: Sequence[Authority]
    acting_for: str | None = None
    acting_by: str | None = None


@dataclass
class DirectiveUnknown(Rejected):
    """There is no such directive, or it has no such addressee."""

    rule = "directive-unknown"


@dataclass
class DirectiveIdTaken(Rejected):
    """The id belongs to a directive that is past its draft, or to another deputy's."""

    directive: str
    rule = "directive-id-taken"


@dataclass
class IllegalStep(Rejected):
    """The step does not follow from where the directive, or the addressee, stands."""

    step: str
    stands: str
    rule = "illegal-step"


@dataclass
class NotAddressee(Rejected):
    """Only the addressee itself takes this step."""

    addressee: str
    rule = "not-addressee"


@dataclass
class NotIssuer(Rejected):
    """Only who holds the matter now takes this step; once taken over, the Prime Minister alone."""

    step: str
    rule = "not-issuer"


@dataclass
class NotPrimeMinister(Rejected):
    """Only the Prime Minister reverses a decision or takes it over.

    Source: 'unless the Prime Minister orders otherwise' (domain.md 3).
    """

    step: str
    rule = "not-prime-minister"


@dataclass
class OwnDraft(Rejected):
    """Who wrote the draft does not issue it (four eyes: ours)."""

    drafted_by: str
    rule = "own-draft"


@dataclass
class DueInThePast(Rejected):
    """A time by which something is owed lies before the issue, or the report before the answer."""

    acknowledge_by: datetime | None
    report_by: datetime | None
    rule = "due-in-the-past"


def evolve(directive: Directive, event: EventModel) -> Directive:
    """Apply one recorded fact."""
    match event:
        case DirectiveDrafted():
            return Directive("draft", event)
        case DirectiveIssued():
            return _issued(directive, event)
        case DirectiveStep():
            return _moved(directive, event)
        case DirectiveDue(addressee=addressee):
            stated = directive.stated.get(addressee, frozenset()) | {event}
            return replace(directive, stated={**directive.stated, addressee: stated})
        case DirectiveTakenOver():
            return replace(directive, phase="taken_over")
        case DirectiveClosed():
            return replace(directive, phase="closed")
        case DirectiveWithdrawn():
            return replace(directive, phase="withdrawn")
        case DirectiveReversed():
            return replace(directive, phase="reversed")
        case DirectiveSuperseded():
            by = event.superseded_by
            return replace(directive, phase="superseded", superseded_by=by)
        case _:
            return directive


def _issued(directive: Directive, event: DirectiveIssued) -> Directive:
    given = tuple(event.authority)
    return replace(
        directive,
        phase="open",
        standing={one.addressee: "issued" for one in given},
        authority=given,
        clocks=tuple(event.clocks),
    )


def _moved(directive: Directive, taken: DirectiveStep) -> Directive:
    standing = {**directive.standing, taken.addressee: STEPS[type(taken)].to}
    if not isinstance(taken, DirectiveReturned) or taken.clock is None:
        return replace(directive, standing=standing)
    renewed = {**directive.renewed, taken.addressee: taken.clock}
    return replace(directive, standing=standing, renewed=renewed)


DECIDER = Decider("directives", Directive(), evolve)


def draft(directive: Directive, written: DirectiveDrafted) -> list[EventModel]:
    """Write a directive down, or write it anew while it is a draft.

    Raises:
        DirectiveIdTaken: it is past its draft, or another deputy's.
    """
    if directive.draft == written:
        return []
    before = directive.draft
    if directive.phase not in ("none", "draft") or (before and before.deputy != written.deputy):
        raise DirectiveIdTaken(written.directive)
    return [written]


def issue(
    directive: Directive,
    actor: Actor,
    mandate: Mandate,
    *,
    now: datetime,
    policy: ClocksSet = DEFAULT,
) -> list[EventModel]:
    """The draft rules from now on, by the mandate. Only the Prime Minister needs no other's draft.

    Raises:
        IllegalStep, OwnDraft, DueInThePast.
    """
    written = directive.draft
    if directive.phase != "draft" or written is None:
        raise IllegalStep("issue", directive.phase)
    if actor.identity == written.drafted_by and mandate.capacity != "prime_minister":
        raise OwnDraft(written.drafted_by)
    _check_due(written, now)
    return [
        DirectiveIssued(
            directive=written.directive,
            issued_by=actor.identity,
            capacity=mandate.capacity,
            acting_for=mandate.acting_for,
            acting_by=mandate.acting_by,
            authority=list(mandate.authority),
            clocks=list(clocks_of(written, mandate.capacity, policy, now=now)),
        )
    ]


def _check_due(written: DirectiveDrafted, now: datetime) -> None:
    answer, report = written.acknowledge_by, written.report_by
    due = [one for one in (answer, report) if one is not None]
    if any(one <= now for one in due) or due != sorted(due):
        raise DueInThePast(answer, report)


def step(directive: Directive, taken: DirectiveStep, actor: Actor) -> list[EventModel]:
    """One addressee's life moves on; with the last one's end the directive closes.

    A step that leads to where the addressee stands already changes nothing.

    Raises:
        DirectiveUnknown, NotAddressee, NotIssuer, IllegalStep.
    """
    written = directive.draft
    if written is None or taken.addressee not in directive.standing:
        raise DirectiveUnknown()
    rule, stands = STEPS[type(taken)], directive.standing[taken.addressee]
    _check_hand(directive, rule, taken, actor)
    if directive.phase not in RUNNING:
        raise IllegalStep(taken.type, directive.phase)
    if written.kind in rule.kinds and (stands == rule.to or _is_late_delivery(rule, stands)):
        return []
    if stands not in rule.since or written.kind not in rule.kinds:
        raise IllegalStep(taken.type, stands)
    after = evolve(directive, taken)
    done = DONE[written.kind]
    if all(stands in done for stands in after.standing.values()):
        return [taken, DirectiveClosed(directive=taken.directive)]
    return [taken]


def _is_late_delivery(rule: Rule, stands: Standing) -> bool:
    """A second channel delivers what was answered already: nothing new."""
    return rule.role == "network" and stands != "issued"


def _check_hand(directive: Directive, rule: Rule, taken: DirectiveStep, actor: Actor) -> None:
    if rule.role == "addressee" and taken.addressee not in actor.addressees:
        raise NotAddressee(taken.addressee)
    if rule.role == "issuer" and not _is_issuer(directive, actor):
        raise NotIssuer(taken.type)
    if rule.role == "network" and "network" not in actor.roles:
        raise NotAddressee(taken.addressee)


def _is_issuer(directive: Directive, actor: Actor) -> bool:
    """The Prime Minister always may; the holder until the Prime Minister has taken it over."""
    return "pm" in actor.roles or (directive.phase != "taken_over" and "issuer" in actor.roles)


def undeliverable(directive: Directive, told: DirectiveUndeliverable) -> list[EventModel]:
    """An addressee could not be reached; where it stands does not change.

    Raises:
        DirectiveUnknown: it was never issued to this addressee.
    """
    if told.addressee not in directive.standing:
        raise DirectiveUnknown()
    return [told]


def withdraw(directive: Directive, actor: Actor, *, reason: str) -> list[EventModel]:
    """The issuer takes it back, or drops the draft.

    Raises:
        DirectiveUnknown, NotIssuer, IllegalStep.
    """
    written = _written(directive)
    if directive.phase == "withdrawn":
        return []
    if not _is_issuer(directive, actor):
        raise NotIssuer("withdraw")
    if directive.phase != "draft" and directive.phase not in RUNNING:
        raise IllegalStep("withdraw", directive.phase)
    return [
        DirectiveWithdrawn(
            directive=written.directive, by=actor.identity, order=actor.order, reason=reason
        )
    ]


def supersede(directive: Directive, actor: Actor, *, by_directive: str) -> list[EventModel]:
    """Another directive takes its place; nothing more is owed under this one.

    Raises:
        DirectiveUnknown, NotIssuer, IllegalStep.
    """
    written = _written(directive)
    if not _is_issuer(directive, actor):
        raise NotIssuer("supersede")
    if directive.superseded_by == by_directive:
        return []
    if directive.phase not in RUNNING or by_directive == written.directive:
        raise IllegalStep("supersede", directive.phase)
    return [
        DirectiveSuperseded(
            directive=written.directive,
            by=actor.identity,
            order=actor.order,
            superseded_by=by_directive,
        )
    ]


def reverse(directive: Directive, actor: Actor, *, reason: str) -> list[EventModel]:
    """The Prime Minister reverses it, also when it is closed; what was done until now stands.

    Raises:
        DirectiveUnknown, NotPrimeMinister, IllegalStep.
    """
    written = _written(directive)
    if "pm" not in actor.roles:
        raise NotPrimeMinister("reverse")
    if directive.phase == "reversed":
        return []
    if directive.phase not in RUNNING | {"closed"}:
        raise IllegalStep("reverse", directive.phase)
    return [DirectiveReversed(directive=written.directive, by=actor.identity, reason=reason)]


def take_over(directive: Directive, actor: Actor, *, reason: str) -> list[EventModel]:
    """From now on it is the Prime Minister's own; the addressees go on.

    Raises:
        DirectiveUnknown, NotPrimeMinister, IllegalStep.
    """
    written = _written(directive)
    if "pm" not in actor.roles:
        raise NotPrimeMinister("take over")
    if directive.phase == "taken_over":
        return []
    if directive.phase != "open":
        raise IllegalStep("take over", directive.phase)
    return [DirectiveTakenOver(directive=written.directive, by=actor.identity, reason=reason)]


def _written(directive: Directive) -> DirectiveDrafted:
    if directive.draft is None:
        raise DirectiveUnknown()
    return directive.draft
