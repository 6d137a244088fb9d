"""Registrations to dated entries."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from schemas.events.clocks import ClocksSet
from schemas.events.model import EventModel
from schemas.events.order import DeputyRegistered, TenureRegistered
from schemas.events.policy import PolicyRegistered, PolicyRevoked
from schemas.events.record import ArchiveImported, NetworkOpened
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
from schemas.events.signing import KeyRegistered, SigningRequired
from services.domain.registry import CLOCKS, FIGURES, OPENING, subject_of
from services.projections.fact import (
    COUNT_ON,
    COUNT_VERSIONS_ON,
    Fact,
    ReadModel,
    Row,
    counted,
)
from services.readmodels.registry import ENTRIES, METADATA, REVISION


def project(fact: Fact) -> Iterator[Row]:
    """The entry this registration makes, and the next revision."""
    if (entry := _entry(fact.event)) is None:
        return
    valid_from, valid_to = _day(fact.event, "valid_from"), _day(fact.event, "valid_to")
    subject = subject_of(fact.event.type)
    yield fact.row(ENTRIES, subject, entry, valid_from, valid_to, fact.event.model_dump_json())
    yield counted(REVISION)


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
        case KeyRegistered(centre=centre, key_id=key):
            return f"{centre}/{key}"
        case SigningRequired(centre=centre, required_from=begin):
            return f"{centre}/{begin.astimezone(UTC).isoformat()}"
        case InspectorRegistered(inspector=entry):
            return entry
        case DeputyRegistered(deputy=entry):
            return entry
        case TenureRegistered(tenure=entry):
            return entry
        case PolicyRegistered(policy=entry) | PolicyRevoked(policy=entry):
            return entry
        case PrecedenceSet():
            return FIGURES
        case ClocksSet():
            return CLOCKS
        case NetworkOpened():
            return OPENING
        case ArchiveImported(revision=revision):
            return str(revision)
        case _:
            return None


def _day(event: EventModel, name: str) -> date | None:
    """The day that the registration states; a key's moments stand in its body alone."""
    stated: date | None = getattr(event, name, None)
    return None if isinstance(stated, datetime) else stated


MODEL = ReadModel(
    "registry",
    METADATA,
    project,
    {REVISION.name: (COUNT_ON,)},
    on_versions=(COUNT_VERSIONS_ON,),
)
