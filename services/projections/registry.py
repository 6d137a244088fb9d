"""Registrations to dated entries."""

from collections.abc import Iterator
from datetime import date, datetime

from schemas.events.model import EventModel
from services.domain.registry import entry_of, subject_of
from services.projections.fact import Fact, ReadModel, Row, counted
from services.readmodels.registry import ENTRIES, METADATA, REVISION


def project(fact: Fact) -> Iterator[Row]:
    """The entry this registration makes."""
    if (entry := entry_of(fact.event)) is None:
        return
    valid_from, valid_to = _day(fact.event, "valid_from"), _day(fact.event, "valid_to")
    subject = subject_of(fact.event.type)
    yield fact.row(ENTRIES, subject, entry, valid_from, valid_to, fact.event.model_dump_json())


def _day(event: EventModel, name: str) -> date | None:
    """The day that the registration states; a key's moments stand in its body alone."""
    stated: date | None = getattr(event, name, None)
    return None if isinstance(stated, datetime) else stated


MODEL = counted(ReadModel("registry", METADATA, project), REVISION)
