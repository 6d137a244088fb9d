"""The chain of the Prime Minister's orders: everything that says who holds what, as it was stated.

One stream holds all of it, and every decision is judged by a version of that stream. An exercise or
a test goes by it too, and by what orders of its own, on a stream of its own, change of it.
"""

from dataclasses import dataclass, replace

from schemas.events import EventModel
from schemas.events.order import OrderIssued, TenureRegistered
from services.domain.decider import Decider


@dataclass(frozen=True, slots=True)
class Chain:
    """Orders and tenures in the sequence in which they were stated."""

    orders: tuple[OrderIssued, ...] = ()
    tenures: tuple[TenureRegistered, ...] = ()
    """Tenures known from elsewhere than an order: an archive, the Royal Gazette."""

    def then(self, exercised: "Chain") -> "Chain":
        """With what an exercise or a test states on top of it."""
        return Chain(self.orders + exercised.orders, self.tenures + exercised.tenures)


def evolve(chain: Chain, event: EventModel) -> Chain:
    """The chain after one more event; what is neither order nor tenure changes nothing."""
    match event:
        case OrderIssued():
            return replace(chain, orders=(*chain.orders, event))
        case TenureRegistered():
            return replace(chain, tenures=(*chain.tenures, event))
        case _:
            return chain


DECIDER = Decider("orders", Chain(), evolve)
PRIME_MINISTER = "pm"
"""Whose orders they are: the one stream of a realm is `orders/pm`."""
