"""Who may be told of directives by webhook, how often, and what overtakes what on its way.

Order and overtaking are ours: a receiver must learn of the end before it acts on the beginning.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.events.directive import (
    DirectiveDelivered,
    DirectiveReversed,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveWithdrawn,
)
from services.domain.readership import Readership
from services.domain.rejected import Rejected

MOST = 20
"""Subscriptions of one identity."""

AT_ONCE = 4
"""Deliveries under way to one endpoint; one while its last attempt failed."""

DELIVERED = DirectiveDelivered.type.split(".")[1]

TEST = "test"
"""What a test event tells; it is about no directive."""

VOIDING = frozenset(
    one.type.split(".")[1] for one in (DirectiveWithdrawn, DirectiveReversed, DirectiveSuperseded)
)
"""Changes after which nothing more is owed: what still waits of the directive is not sent."""

OVERTAKING = VOIDING | {DirectiveTakenOver.type.split(".")[1]}
"""Changes that are sent before what waits. A directive that was taken over goes on, so what waits
of it is sent after; its `number` says which is later."""


@dataclass
class TooManySubscriptions(Rejected):
    """The identity has as many subscriptions as it may have."""

    most: int
    rule = "too-many-subscriptions"


@dataclass
class SubscriptionDisabled(Rejected):
    """Nothing is sent to an endpoint that was given up; its owner enables it."""

    rule = "subscription-disabled"


def check_number(held: int) -> None:
    """One more may be added to those held.

    Raises:
        TooManySubscriptions
    """
    if held >= MOST:
        raise TooManySubscriptions(MOST)


def check_active(*, is_disabled: bool) -> None:
    """Something is sent there.

    Raises:
        SubscriptionDisabled
    """
    if is_disabled:
        raise SubscriptionDisabled()


def is_news(change: str, addressee: str | None, reads: Readership) -> bool:
    """Whether a webhook tells it: not to an addressee that it has what it was sent (ours).

    It is the issuer's side that asks whether a directive arrived. Sent to the addressee itself,
    every directive would cost it a message more, which its own answer to the first had caused.
    """
    return change != DELIVERED or addressee not in reads.addressees


def own_right(told: Iterable[str], reads: Readership) -> str | None:
    """The addressee whose own right a notice is: the reader's, where it is addressed to it."""
    return min(reads.addressees.intersection(told), default=None)
