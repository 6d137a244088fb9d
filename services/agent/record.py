"""One record of an archive as a CloudEvent in structured mode, and the clock archives go by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from schemas.events import EventModel
from schemas.ids import CentreId, source_of_centre
from services.domain.registry import start_of

type Event = dict[str, Any]
"""A CloudEvent in structured mode, as one line of NDJSON holds it."""

type Row = Mapping[str, str]
"""One line of a CSV file by its header; an empty cell is an empty text."""


@dataclass(frozen=True)
class Record:
    """What an archive knows of one event: who stated what, when it was so and when it was known."""

    id: str
    centre: str
    subject: str
    time: datetime
    accepted: datetime
    body: EventModel
    marks: Mapping[str, str] = field(default_factory=dict)
    """Context attributes beside the contract's: `illustrative`, `sourced`, `timebasis`."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What the source says and no figure of ours holds; kept in `data`, read by nobody."""


def event_of(record: Record) -> Event:
    """The record as a CloudEvent with the accepted time its archive states."""
    return {
        "specversion": "1.0",
        "id": record.id,
        "source": source_of_centre(CentreId(record.centre)),
        "type": record.body.type,
        "subject": record.subject,
        "time": record.time.isoformat(),
        "datacontenttype": "application/json",
        **record.marks,
        "acceptedtime": record.accepted.isoformat(),
        "data": {**data_of(record.body), **record.beside},
    }


def data_of(body: EventModel) -> Event:
    """The model as the JSON a centre would write: what it does not state is left out."""
    return body.model_dump(mode="json", exclude_defaults=True)


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events by time; what shares a moment keeps its order."""
    return sorted(events, key=lambda event: datetime.fromisoformat(event["time"]))


def end_of(day: date) -> datetime:
    """The moment the day ends in Bangkok: the first of the next day."""
    return start_of(day + timedelta(days=1))


def day_after(last_day: str) -> date | None:
    """The half-open end of an interval whose last day the archive states; None when it has none."""
    return date.fromisoformat(last_day) + timedelta(days=1) if last_day else None


def known_from(published: str) -> datetime:
    """When a publication counts as known: at its moment, or without an hour when its day ends."""
    if len(published) > len("2004-12-27"):
        return datetime.fromisoformat(published)
    return end_of(date.fromisoformat(published))


def count_of(cell: str) -> int | None:
    """The number in a cell; None when the source states none."""
    return int(cell) if cell else None
