"""Who may be told of directives by webhook, how often, and what overtakes what on its way.

Order and overtaking are ours: a receiver must learn of the end before it acts on the beginning.
"""

from dataclasses import dataclass

from schemas.events.directive import (
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

VOIDING = frozenset(
    one.type for one in (DirectiveWithdrawn, DirectiveReversed, DirectiveSuperseded)
)
"""After these nothing more is owed: what still waits of the directive is not sent any more."""

OVERTAKING = VOIDING | {DirectiveTakenOver.type}
"""These are sent before what waits. A directive that was taken over goes on, so what waits of it
is sent after; `number` says which is later."""


@dataclass
class TooManySubscriptions(Rejected):
    """The identity has as many subscriptions as it may have."""

    most: int
    rule = "too-many-subscriptions"


def check_number(held: int) -> None:
    """One more may be added to those held.

    Raises:
        TooManySubscriptions
    """
    if held >= MOST:
        raise TooManySubscriptions(MOST)


def own_right(addressees: frozenset[str], reads: Readership) -> str | None:
    """The addressee whose own right a notice is: the reader's, where it is addressed to it."""
    return min(addressees & reads.addressees, default=None)
