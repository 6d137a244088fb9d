"""Reference data with dates: the parts of the state and the places, as law and time change them.

Each registration states one dated version of its subject; a later one with the same id and
another
`valid_from` is another version. Intervals are half-open: `valid_to` is the first day after.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.model import (
    Centre,
    Count,
    EventModel,
    Key,
    Latitude,
    Longitude,
    Name,
    Province,
    Text,
)


class Registration(EventModel):
    """What every registration says."""

    type: ClassVar[str] = ""

    name_th: Name
    name_en: Name | None = None
    valid_from: date | None = None
    """None: since before the registry begins."""
    valid_to: date | None = None
    source: Text
    """Where the fact stands."""


class ProvinceRegistered(Registration):
    """A province as it was in an interval."""

    type: ClassVar[str] = "province.registered.v1"

    province: Province
    region: Name | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    area_km2: Annotated[float, Field(gt=0)] | None = None
    population: Count | None = None
    succeeds: list[Province] = []
    """The provinces it was cut out of when it began."""


class ClusterRegistered(Registration):
    """A provincial cluster of one scheme, with its members."""

    type: ClassVar[str] = "cluster.registered.v1"

    cluster: Key
    scheme: Name
    centre_province: Province | None = None
    provinces: list[Province]
    complete: bool
    """False: the archive does not know all members."""


class RegionRegistered(Registration):
    """An inspection region with its provinces."""

    type: ClassVar[str] = "region.registered.v1"

    region: Key
    provinces: list[Province]


class MinistryRegistered(Registration):
    """A ministry."""

    type: ClassVar[str] = "ministry.registered.v1"

    ministry: Key


class DepartmentRegistered(Registration):
    """A department under its ministry."""

    type: ClassVar[str] = "department.registered.v1"

    department: Key
    ministry: Key


class CentreRegistered(Registration):
    """An operations centre: what it speaks for and how often it must be heard."""

    type: ClassVar[str] = "centre.registered.v1"

    centre: Centre
    level: Literal["PMOC", "MOC", "DOC", "POC", "other"]
    parent: Centre | None = None
    province: Province | None = None
    ministry: Key | None = None
    department: Key | None = None
    reporting_interval_seconds: Annotated[int, Field(ge=1)] | None = None
    """None: it owes no regular sign of life."""


class InspectorRegistered(Registration):
    """An inspector-general of the PM's Office, and the inspection regions of their assignment."""

    type: ClassVar[str] = "inspector.registered.v1"

    inspector: Key
    regions: list[Key] = []


class PrecedenceSet(EventModel):
    """Whose figure is shown when sources contradict each other, from a date on.

    The first pattern that matches wins; `poc` means the province's own centre, a centre's id means
    that centre, a level (`MOC`, `DOC`) means any centre of it.
    """

    type: ClassVar[str] = "precedence.set.v1"

    valid_from: date | None = None
    sources: Annotated[list[Name], Field(min_length=1)]
    source: Text
