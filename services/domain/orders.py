"""Rules about one order of the Prime Minister."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.events.order import OrderIssued


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One target with one kind of power that an order gives to more than one holder."""

    dimension: str
    target: str
    power: str
    deputies: tuple[str, ...]


def contradictions(order: OrderIssued) -> Iterator[Contradiction]:
    """Where the order names more than one holder for the same thing.

    A target has one holder for each kind of power (domain.md 2).
    """
    holders: dict[tuple[str, str, str], dict[str, None]] = {}
    for given in order.assignments:
        for power in given.power.split("+"):
            named = holders.setdefault((given.dimension, given.target, power), {})
            named[given.deputy] = None
    for (dimension, target, power), deputies in holders.items():
        if len(deputies) > 1:
            yield Contradiction(dimension, target, power, tuple(deputies))
