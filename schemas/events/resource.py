"""Resources that a place asks for, and what becomes of the request."""

from typing import ClassVar

from schemas.events.model import Centre, Count, EventModel, Key, Name, Place, Text


class ResourceRequested(EventModel):
    """A place needs something."""

    type: ClassVar[str] = "resource.requested.v1"

    request: Key
    incident: Key | None = None
    place: Place
    kind: Name
    quantity: Count
    unit: Name
    note: Text | None = None


class ResourceSent(EventModel):
    """A centre sent something for a request."""

    type: ClassVar[str] = "resource.sent.v1"

    request: Key
    quantity: Count
    unit: Name
    to: Centre | None = None
    note: Text | None = None


class ResourceReceived(EventModel):
    """What was sent has arrived."""

    type: ClassVar[str] = "resource.received.v1"

    request: Key
    quantity: Count
    unit: Name
    note: Text | None = None
