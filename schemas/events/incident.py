"""An incident from its opening to its close."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.model import EventModel, Key, Latitude, Longitude, Name, Province, Text
from schemas.events.situation import Severity

Hazard = Literal[
    "flood", "storm", "earthquake", "tsunami", "landslide", "fire", "drought", "disease",
    "transport", "industrial", "unrest", "other",
]  # fmt: skip


class IncidentOpened(EventModel):
    """Something happened that centres will report on under one id."""

    type: ClassVar[str] = "incident.opened.v1"

    incident: Key
    hazard: Hazard
    title_th: Name
    title_en: Name | None = None
    severity: Severity
    provinces: Annotated[list[Province], Field(max_length=77)]
    """Where it is; empty when it lies in no province (abroad, at sea)."""
    place: Name | None = None
    ministries: Annotated[list[Key], Field(max_length=40)] = []
    agendas: Annotated[list[Key], Field(max_length=40)] = []
    lat: Latitude | None = None
    lon: Longitude | None = None


class IncidentUpdated(EventModel):
    """What changed about an incident; what is left out stays as it was."""

    type: ClassVar[str] = "incident.updated.v1"

    incident: Key
    severity: Severity | None = None
    provinces: Annotated[list[Province], Field(min_length=1, max_length=77)] | None = None
    ministries: Annotated[list[Key], Field(max_length=40)] | None = None
    agendas: Annotated[list[Key], Field(max_length=40)] | None = None
    note: Text | None = None


class IncidentClosed(EventModel):
    """The incident is over. A later opening of the same id opens it again."""

    type: ClassVar[str] = "incident.closed.v1"

    incident: Key
    reason: Text
