"""Policies and resolutions: who keeps them, and which may be the ground of a suspension.

Source: a deputy stops an act that conflicts with the cabinet's policy or a cabinet resolution in
force when the act is stopped (domain.md 3, power 4; domain.md 6).
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

from schemas.events.model import EventModel
from schemas.events.policy import PolicyKind, PolicyRegistered, PolicyRevoked
from services.domain.addressees import spoken_for
from services.domain.authority import Actor
from services.domain.decider import Decider
from services.domain.registry import Registry, day_of
from services.domain.rejected import Rejected

_RULES = frozenset({"approved", "agreed"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What was stated of one policy or resolution, in the order in which it was stated."""

    registered: tuple[PolicyRegistered, ...] = ()
    revoked: tuple[PolicyRevoked, ...] = ()

    def on(self, day: date) -> PolicyRegistered | None:
        """The text that stood on that day, in force or not; of two that begin alike the later."""
        begun = [one for one in self.registered if one.valid_from <= day]
        return max(reversed(begun), key=lambda one: one.valid_from, default=None)

    def is_in_force(self, day: date) -> bool:
        """Whether it ruled on that day."""
        text = self.on(day)
        if text is None or text.decided_on > day:
            return False
        ended = text.valid_to is not None and text.valid_to <= day
        return not ended and not any(one.valid_from <= day for one in self.revoked)


def evolve(policy: Policy, event: EventModel) -> Policy:
    """Apply one recorded fact."""
    match event:
        case PolicyRegistered():
            return replace(policy, registered=(*policy.registered, event))
        case PolicyRevoked():
            return replace(policy, revoked=(*policy.revoked, event))
        case _:
            return policy


DECIDER = Decider("registry/policies", Policy(), evolve)
"""One stream a policy: a suspension is judged by its version, so a revocation between wins."""


@dataclass
class PolicyUnknown(Rejected):
    """No policy or resolution is registered under this id by that day."""

    policy: str
    day: date
    rule = "policy-unknown"


@dataclass
class NotPolicyKeeper(Rejected):
    """The cabinet's are kept by its secretary, a ministry's own by the ministry's centre (ours)."""

    kind: str
    rule = "not-policy-keeper"


@dataclass
class PolicyIdTaken(Rejected):
    """The id is that of a policy of another kind, or of another ministry."""

    policy: str
    rule = "policy-id-taken"


@dataclass
class PolicyRevokedAlready(Rejected):
    """It was revoked: what rules again is a policy of its own."""

    policy: str
    valid_from: date
    rule = "policy-revoked-already"


@dataclass
class PolicyNotOfCabinet(Rejected):
    """A ministry's own policy is no ground of a suspension (domain.md 6)."""

    policy: str
    kind: str
    rule = "policy-not-of-cabinet"


@dataclass
class PolicyNotApproved(Rejected):
    """Noted (รับทราบ) is not approved, nor is referred: it changes no rule (domain.md 6)."""

    policy: str
    outcome: str
    rule = "policy-not-approved"


@dataclass
class PolicyNotInForce(Rejected):
    """It had ended, or had been revoked, by the day (domain.md 6)."""

    policy: str
    day: date
    rule = "policy-not-in-force"


def keeps(who: Actor, kind: PolicyKind, registry: Registry, day: date) -> str | None:
    """Whose policies of this kind the identity writes on that day; None is the cabinet's.

    Raises:
        NotPolicyKeeper: nobody's.
    """
    if kind != "ministry_policy" and who.kind == "cabinet":
        return None
    if kind == "ministry_policy" and who.kind == "moc":
        for ministry in spoken_for(who, registry, day):
            return ministry
    raise NotPolicyKeeper(kind)


def register(policy: Policy, text: PolicyRegistered) -> list[EventModel]:
    """The text rules from its day on; a text before it rules until then.

    Raises:
        PolicyIdTaken, PolicyRevokedAlready.
    """
    last = policy.registered[-1] if policy.registered else None
    if last == text:
        return []
    if last is not None and (last.kind, last.ministry) != (text.kind, text.ministry):
        raise PolicyIdTaken(text.policy)
    _check_stands(policy)
    return [text]


def revoke(policy: Policy, revocation: PolicyRevoked) -> list[EventModel]:
    """It rules no more from the day on.

    Raises:
        PolicyRevokedAlready: from another day on, or by something else.
    """
    if revocation in policy.revoked:
        return []
    _check_stands(policy)
    return [revocation]


def _check_stands(policy: Policy) -> None:
    for revoked in policy.revoked:
        raise PolicyRevokedAlready(revoked.policy, revoked.valid_from)


def check_ground(policy: Policy, named: str, *, at: datetime) -> None:
    """The policy or resolution may be the ground of a suspension that is issued at the moment.

    Raises:
        PolicyUnknown, PolicyNotOfCabinet, PolicyNotApproved, PolicyNotInForce.
    """
    day = day_of(at)
    text = policy.on(day)
    if text is None:
        raise PolicyUnknown(named, day)
    if text.kind == "ministry_policy":
        raise PolicyNotOfCabinet(named, text.kind)
    if text.outcome not in _RULES:
        raise PolicyNotApproved(named, text.outcome)
    if not policy.is_in_force(day):
        raise PolicyNotInForce(named, day)
