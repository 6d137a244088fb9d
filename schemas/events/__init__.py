"""Every event type of the network, by stored name, and the way from stored bytes to a model."""

from typing import cast

from pydantic_core import to_json

from schemas.events.alert import AlertIssued
from schemas.events.clocks import (
    ClocksSet,
    DirectiveEscalated,
    DirectiveOverdue,
    DirectiveReminded,
)
from schemas.events.complaint import ComplaintsCounted
from schemas.events.directive import (
    DirectiveAcknowledged,
    DirectiveActStopped,
    DirectiveBegun,
    DirectiveClosed,
    DirectiveComplied,
    DirectiveDelivered,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveLifted,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveReversed,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveUndeliverable,
    DirectiveUpheld,
    DirectiveWithdrawn,
)
from schemas.events.heartbeat import HeartbeatSent
from schemas.events.incident import IncidentClosed, IncidentOpened, IncidentUpdated
from schemas.events.indicator import IndicatorMeasured
from schemas.events.model import EventModel
from schemas.events.notice import DirectiveNotice
from schemas.events.order import DeputyRegistered, OrderIssued, TenureRegistered
from schemas.events.policy import PolicyRegistered, PolicyRevoked
from schemas.events.record import (
    ArchiveImported,
    EventCorrected,
    EventSealed,
    EventWithdrawn,
    NetworkOpened,
)
from schemas.events.registry import (
    CentreRegistered,
    ClusterRegistered,
    DepartmentRegistered,
    InspectorRegistered,
    MinistryRegistered,
    PrecedenceSet,
    ProvinceRegistered,
    RegionRegistered,
)
from schemas.events.resource import ResourceReceived, ResourceRequested, ResourceSent
from schemas.events.signing import KeyRegistered, SigningRequired
from schemas.events.silence import CentreHeard, CentreSilent
from schemas.events.situation import SituationReported
from schemas.events.upcast import newest, upcast

STATUS_TYPES: tuple[type[EventModel], ...] = (
    HeartbeatSent,
    IncidentOpened,
    IncidentUpdated,
    IncidentClosed,
    SituationReported,
    ResourceRequested,
    ResourceSent,
    ResourceReceived,
    IndicatorMeasured,
    ComplaintsCounted,
    AlertIssued,
    EventCorrected,
    EventWithdrawn,
)
"""What centres may post."""

DECISION_TYPES: tuple[type[EventModel], ...] = (
    ProvinceRegistered,
    ClusterRegistered,
    RegionRegistered,
    MinistryRegistered,
    DepartmentRegistered,
    CentreRegistered,
    KeyRegistered,
    SigningRequired,
    InspectorRegistered,
    PrecedenceSet,
    ClocksSet,
    DeputyRegistered,
    TenureRegistered,
    OrderIssued,
    PolicyRegistered,
    PolicyRevoked,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveDelivered,
    DirectiveAcknowledged,
    DirectiveObjected,
    DirectiveBegun,
    DirectiveReported,
    DirectiveComplied,
    DirectiveReturned,
    DirectiveActStopped,
    DirectiveLifted,
    DirectiveUpheld,
    DirectiveUndeliverable,
    DirectiveClosed,
    DirectiveWithdrawn,
    DirectiveReversed,
    DirectiveTakenOver,
    DirectiveSuperseded,
    DirectiveReminded,
    DirectiveOverdue,
    DirectiveEscalated,
    EventSealed,
    NetworkOpened,
    ArchiveImported,
    CentreSilent,
    CentreHeard,
)
"""What only the network itself and people with powers state, through the decision store."""

OUTWARD_TYPES: tuple[type[EventModel], ...] = (DirectiveNotice,)
"""What the network sends out and nobody states: each tells one reader of a decision."""

MODELS: dict[str, type[EventModel]] = {
    model.type: model for model in (*STATUS_TYPES, *DECISION_TYPES, *OUTWARD_TYPES)
}

CORRECTABLE = frozenset(
    model.type for model in STATUS_TYPES if model not in (EventCorrected, EventWithdrawn)
)
"""What a correction may be about: what a centre states about the world."""


class UnknownType(Exception):
    """The type is none the network knows."""


def decode(type_: str, data: bytes) -> EventModel:
    """The event's `data` as today's model, upcast from the version it was written in.

    Read strictly, as the JSON Schema says: "5" or 5.0 is no count, and a number is no date. The
    data inside a correction are held to the same.

    Raises:
        UnknownType: no such type, or a correction of no such type.
        pydantic.ValidationError: the data are not of that type.
    """
    if newest(type_) not in MODELS:
        raise UnknownType(type_)
    type_, data = upcast(type_, data)
    event = MODELS[type_].model_validate_json(data, strict=True)
    if type_ == EventCorrected.type:
        corrected(cast(EventCorrected, event))
    return event


def corrected(correction: EventCorrected) -> EventModel:
    """What the original should have read, as today's model.

    Raises:
        UnknownType: `corrected_type` is none that a centre states about the world.
        pydantic.ValidationError: the corrected data are not of that type.
    """
    if newest(correction.corrected_type) not in CORRECTABLE:
        raise UnknownType(correction.corrected_type)
    return decode(correction.corrected_type, to_json(correction.corrected_data))


__all__ = [
    "CORRECTABLE",
    "DECISION_TYPES",
    "MODELS",
    "OUTWARD_TYPES",
    "STATUS_TYPES",
    "EventModel",
    "UnknownType",
    "corrected",
    "decode",
    "newest",
]
