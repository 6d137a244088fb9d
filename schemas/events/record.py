"""Events about events: correction, withdrawal, sealing, and what an archive took over."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.events.model import Count, EventModel, Moment, Name, Text


class EventCorrected(EventModel):
    """The original (named by the envelope's `originalid`) should have read like this.

    `corrected_data` is the whole `data` that replaces the original's, of the original's type. It
    may come from the original's centre or a centre above it.
    """

    type: ClassVar[str] = "event.corrected.v1"

    corrected_type: Name
    corrected_data: dict[str, Any]
    reason: Text


class EventWithdrawn(EventModel):
    """The original (named by the envelope's `originalid`) should not have been said."""

    type: ClassVar[str] = "event.withdrawn.v1"

    reason: Text


class EventSealed(EventModel):
    """An event is hidden from every reader, because something in it must not be kept."""

    type: ClassVar[str] = "event.sealed.v1"

    sealed_source: Name
    sealed_id: Name
    reason: Text
    ordered_by: Text


class NetworkOpened(EventModel):
    """From this moment the network takes events in by itself; imports reach up to it. Once."""

    type: ClassVar[str] = "network.opened.v1"

    opened_at: Moment


class ArchiveImported(EventModel):
    """An import is complete: its events count for answers from this revision on."""

    type: ClassVar[str] = "archive.imported.v1"

    revision: Annotated[int, Field(ge=1)]
    name: Name
    digest: Name
    events: Count
    decisions: Count
    ends: list[Count]
    """The next position of every slot when the import was complete."""
