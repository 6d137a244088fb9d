"""A measured value: of one indicator, in one place, for one date."""

from datetime import date
from typing import ClassVar

from schemas.events.model import EventModel, Figure, Key, Name, Place, Text


class IndicatorMeasured(EventModel):
    """A source's value of an indicator for a place and a date (the case date, not the report's).

    A later event for the same source, indicator, place and date is a revision of it.
    """

    type: ClassVar[str] = "indicator.measured.v1"

    indicator: Key
    place: Place
    date: date
    value: Figure
    unit: Name
    implausible: Text | None = None
    """Why the value or its date cannot be right; it is kept all the same."""
