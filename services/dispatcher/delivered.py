"""The one place that states of an addressee that it has a directive, by whatever channel."""

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.directive import DirectiveDelivered
from services.domain import directives
from services.domain.directives import DECIDER, Actor, Directive
from services.domain.rejected import Rejected
from services.eventlog.store import DecisionStore
from services.eventlog.transact import transact

SOURCE = "/network/dispatcher"
_NETWORK = Actor("network", frozenset({"network"}))
_NAMES = UUID("0d1c6f0e-3d0a-5d5e-8b55-8e3f0c1a7b21")


async def state_delivered(
    store: DecisionStore,
    directive: str,
    addressee: str,
    *,
    channel: Literal["kafka", "pull", "stream", "webhook", "screen"],
    now: datetime,
) -> None:
    """STAND-IN until feed brings its own."""
    taken = DirectiveDelivered(
        directive=directive, addressee=addressee, by="network", channel=channel
    )

    def decide(state: Directive) -> list[EventModel]:
        try:
            return directives.step(state, taken, _NETWORK)
        except Rejected:
            return []

    def envelope(event: EventModel, _version: int) -> Envelope:
        return Envelope(
            id=str(uuid5(_NAMES, f"{directive}/{addressee}")),
            source=SOURCE,
            type=event.type,
            time=now,
            subject=f"directives/{directive}",
        )

    await transact(store, DECIDER, directive, decide, envelope=envelope)
