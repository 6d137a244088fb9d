"""Delivered: an addressee has what was issued to it. Stated once, by whatever way it came first.

That a message was taken decides nothing else: an addressee acknowledges by an event of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.directive import DirectiveDelivered
from schemas.ids import Realm
from services.domain import directives
from services.domain.directives import DECIDER, Actor, Directive
from services.domain.rejected import Rejected
from services.eventlog.store import DecisionStore
from services.eventlog.transact import transact
from services.readmodels.notices import Audience, Notice

SOURCE = "/network/dispatcher"

type Channel = Literal["kafka", "pull", "stream", "webhook", "screen"]
type Delivery = tuple[Realm, str, str]
"""A realm, a directive, and the addressee that has it."""

_NETWORK = Actor("network", frozenset({"network"}))
_NAMES = UUID("3d9f3c06-8f43-5d3c-9a5b-6f0d6a3a7c11")
_ISSUED = "issued"


def deliveries_of(audience: Audience, told: Iterable[Notice]) -> set[Delivery]:
    """What is delivered once the audience has these notices; to an overseer nothing ever is."""
    if audience.reads.sees_sides:
        return set()
    return {
        (notice.realm, notice.event.directive, addressee)
        for notice in told
        if notice.event.change == _ISSUED
        for addressee in notice.told
    }


async def state_delivered(
    store: DecisionStore, deliveries: Iterable[Delivery], *, channel: Channel, now: datetime
) -> None:
    """Each delivery is stated, unless the addressee is further already or owes nothing any more.

    Raises:
        Contended, StoreUnavailable: some may not be stated; do it again.
    """
    for (realm, directive), addressees in _by_directive(deliveries).items():
        await transact(
            store,
            DECIDER.within(realm),
            directive,
            _deciding(directive, addressees, channel),
            envelope=_naming(realm, directive, now),
        )


def _by_directive(deliveries: Iterable[Delivery]) -> Mapping[tuple[Realm, str], list[str]]:
    found: dict[tuple[Realm, str], list[str]] = {}
    for realm, directive, addressee in sorted(deliveries):
        found.setdefault((realm, directive), []).append(addressee)
    return found


def _deciding(
    id_: str, addressees: Iterable[str], channel: Channel
) -> Callable[[Directive], list[EventModel]]:
    def decide(directive: Directive) -> list[EventModel]:
        return [
            event
            for addressee in addressees
            for event in _delivered(directive, id_, addressee, channel)
        ]

    return decide


def _delivered(
    directive: Directive, id_: str, addressee: str, channel: Channel
) -> list[EventModel]:
    taken = DirectiveDelivered(directive=id_, addressee=addressee, by="network", channel=channel)
    try:
        return directives.step(directive, taken, _NETWORK)
    except Rejected:
        # Withdrawn or closed meanwhile: that it arrived changes nothing.
        return []


def _naming(realm: Realm, directive: str, now: datetime) -> Callable[[EventModel, int], Envelope]:
    def name(event: EventModel, _version: int) -> Envelope:
        addressee = event.addressee if isinstance(event, DirectiveDelivered) else ""
        return Envelope(
            # The same whoever states it, so that it is stated once.
            id=str(uuid5(_NAMES, f"{realm}\n{directive}\n{addressee}")),
            source=SOURCE,
            type=event.type,
            time=now,
            subject=f"directives/{directive}",
            realm=realm,
        )

    return name
