"""The network's opening: decided once. Imports reach up to it, silence counts from it."""

from dataclasses import dataclass
from datetime import datetime

from schemas.events.model import EventModel
from schemas.events.record import NetworkOpened
from services.domain.decider import Decider


@dataclass(frozen=True, slots=True)
class Opening:
    """When the network opened; None as long as it has not."""

    opened_at: datetime | None = None


def evolve(opening: Opening, event: EventModel) -> Opening:
    """Apply one recorded fact; the first opening is the opening."""
    match event:
        case NetworkOpened(opened_at=opened_at) if opening.opened_at is None:
            return Opening(opened_at)
        case _:
            return opening


DECIDER = Decider("network", Opening(), evolve)


def open_at(opening: Opening, now: datetime) -> list[EventModel]:
    """The network takes events in by itself from now on; one that is open stays as it is."""
    return [] if opening.opened_at is not None else [NetworkOpened(opened_at=now)]
