"""Every event type of the network, by stored name, and the way from stored bytes to a model."""

from schemas.events.alert import AlertIssued
from schemas.events.complaint import ComplaintsCounted
from schemas.events.heartbeat import HeartbeatSent
from schemas.events.incident import IncidentClosed, IncidentOpened, IncidentUpdated
from schemas.events.indicator import IndicatorMeasured
from schemas.events.model import EventModel
from schemas.events.order import DeputyRegistered, OrderIssued, TenureRegistered
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
    MinistryRegistered,
    PrecedenceSet,
    ProvinceRegistered,
    RegionRegistered,
)
from schemas.events.resource import ResourceReceived, ResourceRequested, ResourceSent
from schemas.events.silence import CentreHeard, CentreSilent
from schemas.events.situation import SituationReported
from schemas.events.upcast import upcast

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
    PrecedenceSet,
    DeputyRegistered,
    TenureRegistered,
    OrderIssued,
    EventSealed,
    NetworkOpened,
    ArchiveImported,
    CentreSilent,
    CentreHeard,
)
"""What only the network itself and people with powers state, through the decision store."""

MODELS: dict[str, type[EventModel]] = {
    model.type: model for model in (*STATUS_TYPES, *DECISION_TYPES)
}


class UnknownType(Exception):
    """The type is none the network knows."""


def decode(type_: str, data: bytes) -> EventModel:
    """The event's `data` as today's model, upcast from the version it was written in.

    Raises:
        UnknownType: no such type.
        pydantic.ValidationError: the data are not of that type.
    """
    if model := MODELS.get(type_):
        return model.model_validate_json(data)
    current, upcast_data = upcast(type_, data)
    if current is None:
        raise UnknownType(type_)
    return MODELS[current].model_validate(upcast_data)


__all__ = ["DECISION_TYPES", "MODELS", "STATUS_TYPES", "EventModel", "UnknownType", "decode"]
