"""A centre that was expected and was not heard, and its return. Stated by the network's timers."""

from typing import ClassVar

from schemas.events.model import Centre, EventModel, Moment


class CentreSilent(EventModel):
    """A centre missed its reporting interval, counted in time the network was listening."""

    type: ClassVar[str] = "centre.silent.v1"

    centre: Centre
    silent_since: Moment
    """When its interval ran out."""
    last_heard: Moment | None = None
    """The accepted time of the last event heard of it; None when it was never heard."""


class CentreHeard(EventModel):
    """A silent centre was heard again."""

    type: ClassVar[str] = "centre.heard.v1"

    centre: Centre
    heard_at: Moment
