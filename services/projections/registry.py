"""Registrations to dated entries."""

from collections.abc import Iterator
from datetime import date

from schemas.events.model import EventModel
from schemas.events.order import DeputyRegistered, TenureRegistered
from schemas.events.record import ArchiveImported, NetworkOpened
from schemas.events.registry import (
    CentreRegistered,
    ClusterRegistered,
    DepartmentRegistered,
    MinistryRegistered,
    PrecedenceSet,
    ProvinceRegistered,
    RegionRegistered,
)
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.registry import ENTRIES, METADATA


def project(fact: Fact) -> Iterator[Row]:
    """The entry this registration makes."""
    if (entry := _entry(fact.event)) is None:
        return
    valid_from: date | None = getattr(fact.event, "valid_from", None)
    valid_to: date | None = getattr(fact.event, "valid_to", None)
    subject = fact.event.type.split(".", 1)[0]
    yield fact.row(ENTRIES, subject, entry, valid_from, valid_to, fact.event.model_dump_json())


def _entry(event: EventModel) -> str | None:
    """The id of the thing that a registration is about, or None when it is none."""
    match event:
        case ProvinceRegistered(province=entry):
            return entry
        case ClusterRegistered(cluster=entry):
            return entry
        case RegionRegistered(region=entry):
            return entry
        case MinistryRegistered(ministry=entry):
            return entry
        case DepartmentRegistered(department=entry):
            return entry
        case CentreRegistered(centre=entry):
            return entry
        case DeputyRegistered(deputy=entry):
            return entry
        case TenureRegistered(tenure=entry):
            return entry
        case PrecedenceSet():
            return "figures"
        case NetworkOpened():
            return "opening"
        case ArchiveImported(revision=revision):
            return str(revision)
        case _:
            return None


MODEL = ReadModel("registry", METADATA, project)
