"""The tables of the registry as decisions: places, ministries, departments, with their dates.

Every registration is stated by the centre of the Prime Minister's Office. Its `time` is the first
day of what it states, and `BEFORE_ALL` when the archive does not know that day.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from uuid import UUID, uuid5

from schemas.events.registry import (
    ClusterRegistered,
    DepartmentRegistered,
    MinistryRegistered,
    PrecedenceSet,
    ProvinceRegistered,
    RegionRegistered,
    Registration,
)
from services.agent.record import Event, Record, Row, day_after, end_of, event_of
from services.domain.registry import start_of

REGISTRAR = "pmoc"
BEFORE_ALL = date(1972, 1, 1)
"""Facts whose beginning no source states are stated at this day's start: earlier than any date."""

NO_MINISTRY = "ind"
"""Where departments stand that the law places under no ministry; it is not registered as one."""

_NAMES = UUID("5c1f9f6e-2d55-5c7e-9a35-6f0a4f1f2b11")


@dataclass(frozen=True)
class RegistryTables:
    """The registry's tables as they lie in its folder, one field a file."""

    provinces: Sequence[Row]
    clusters: Sequence[Row]
    cluster_members: Sequence[Row]
    inspection_regions: Sequence[Row]
    ministries: Sequence[Row]
    departments: Sequence[Row]
    agencies: Sequence[Row]
    pilot_provinces: Sequence[Row]
    other_centres: Sequence[Row]
    precedence: Sequence[Row]
    deputies: Sequence[Row]
    orders: Sequence[Row]
    area_assignments: Sequence[Row]
    function_assignments: Sequence[Row]
    minister_assignments: Sequence[Row]
    policies: Sequence[Row]


def registration(subject: str, body: Registration) -> Event:
    """The decision that registers one dated version of a subject.

    Its id is made of the subject and the version's first day, so a second import says the same.
    """
    begin = body.valid_from
    name = f"{body.type}/{subject}@{begin or 'always'}"
    return event_of(
        Record(
            id=str(uuid5(_NAMES, name)),
            centre=REGISTRAR,
            subject=subject,
            time=start_of(begin or BEFORE_ALL),
            accepted=end_of(begin) if begin else start_of(BEFORE_ALL),
            body=body,
        )
    )


def places(tables: RegistryTables) -> Iterator[Event]:
    """Provinces, clusters of every scheme, inspection regions."""
    for row in tables.provinces:
        yield registration(f"provinces/{row['province']}", _province(row))
    for row in tables.clusters:
        members = [m for m in tables.cluster_members if m["cluster"] == row["cluster"]]
        for version in _cluster_versions(row, members):
            yield registration(f"clusters/{version.cluster}", version)
    for region, members in _by_region(tables.inspection_regions).items():
        yield registration(f"regions/{region}", _region(region, members))


def _province(row: Row) -> ProvinceRegistered:
    return ProvinceRegistered(
        province=row["province"],
        name_th=row["name_th"],
        name_en=row["name_en"],
        region=row["region"],
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        area_km2=float(row["area_km2"]),
        population=int(row["population_2019"]),
        succeeds=row["succeeds"].split(";") if row["succeeds"] else [],
        valid_from=first_day(row),
        valid_to=day_after(row["valid_to"]),
        source=source_of(row),
    )


def _cluster_versions(row: Row, members: Sequence[Row]) -> Iterator[ClusterRegistered]:
    """One version for each day on which a member joined: a later member is no member before."""
    begin, end = date.fromisoformat(row["valid_from"]), day_after(row["valid_to"])
    joined = {date.fromisoformat(member["valid_from"]) for member in members}
    for since, until in pairwise([*sorted(joined | {begin}), end]):
        if since is None:
            continue
        present = [m for m in members if date.fromisoformat(m["valid_from"]) <= since]
        sources = {m["source"] for m in present if m["source"]}
        yield ClusterRegistered(
            cluster=row["cluster"],
            scheme=row["scheme"],
            name_th=row["name_th"],
            name_en=row["name_en"],
            centre_province=row["centre_province"] or None,
            provinces=sorted(m["province"] for m in present),
            complete=row["complete"] == "yes",
            valid_from=since,
            valid_to=until,
            source="; ".join([row["source"], *sorted(sources)]),
        )


def _by_region(rows: Iterable[Row]) -> dict[str, list[Row]]:
    regions: dict[str, list[Row]] = {}
    for row in rows:
        regions.setdefault(row["region"], []).append(row)
    return regions


def _region(region: str, members: Sequence[Row]) -> RegionRegistered:
    numbering, _, number = region.rpartition("-")
    return RegionRegistered(
        region=region,
        name_th=f"เขตตรวจราชการที่ {number}" + (f" ({numbering})" if numbering else ""),
        name_en=f"Inspection Region {number}" + (f" ({numbering})" if numbering else ""),
        provinces=sorted(member["province"] for member in members),
        valid_from=date.fromisoformat(members[0]["valid_from"]),
        source="; ".join(sorted({member["source"] for member in members})),
    )


def ministries(rows: Iterable[Row]) -> Iterator[Event]:
    """Ministries, those of 2002 and those of today."""
    for row in rows:
        body = MinistryRegistered(
            ministry=row["slug"],
            name_th=row["name_th"],
            name_en=row["name_en"],
            valid_from=first_day(row),
            valid_to=day_after(row["valid_to"]),
            source=source_of(row),
        )
        yield registration(f"ministries/{body.ministry}", body)


def departments(tables: RegistryTables) -> Iterator[DepartmentRegistered]:
    """Every department in each of its versions, and the agencies that orders name beside them.

    A department stands under a ministry no earlier than the ministry is there. Where the archive
    says whose it was before (`until` in the note), that is a version of its own.
    """
    begins = {row["slug"]: first_day(row) for row in tables.ministries}
    for row in tables.departments:
        ministry_begins = begins.get(row["ministry"])
        own = first_day(row)
        if before := _ministry_before(row):
            yield _department(row, ministry=before, since=begins[before], until=ministry_begins)
        since = max((day for day in (own, ministry_begins) if day), default=None)
        yield _department(
            row, ministry=row["ministry"], since=since, until=day_after(row["valid_to"])
        )
    yield from _agencies(tables.agencies)


def _ministry_before(row: Row) -> str | None:
    """`mict` from a note such as "MICT's until 2016"."""
    former, until, _ = row["note"].partition("'s until ")
    return former.lower() if until else None


def _department(
    row: Row, *, ministry: str, since: date | None, until: date | None
) -> DepartmentRegistered:
    return DepartmentRegistered(
        department=row["slug"],
        ministry=ministry,
        name_th=row["name_th"],
        name_en=row["name_en"],
        valid_from=since,
        valid_to=until,
        source=source_of(row),
    )


def _agencies(rows: Iterable[Row]) -> Iterator[DepartmentRegistered]:
    """Public bodies that orders assign and that are no departments, each once."""
    for row in {row["slug"]: row for row in rows if row["name_th"]}.values():
        yield DepartmentRegistered(
            department=row["slug"],
            ministry=NO_MINISTRY,
            name_th=row["name_th"],
            name_en=row["name_en"],
            source="named in the function orders of the Prime Minister's Office; no department",
        )


def precedence(rows: Iterable[Row]) -> Iterator[Event]:
    """Whose figure is shown, from when on."""
    for row in rows:
        begin = first_day(row)
        yield event_of(
            Record(
                id=str(uuid5(_NAMES, f"precedence@{begin or 'always'}")),
                centre=REGISTRAR,
                subject="precedence",
                time=start_of(begin or BEFORE_ALL),
                accepted=end_of(begin) if begin else start_of(BEFORE_ALL),
                body=PrecedenceSet(
                    valid_from=begin, sources=row["sources"].split(";"), source=row["source"]
                ),
            )
        )


def first_day(row: Row) -> date | None:
    """The day the row's subject begins; None when no source states it."""
    return date.fromisoformat(row["valid_from"]) if row["valid_from"] else None


def source_of(row: Row) -> str:
    """Where the fact stands, with the archive's remark about it."""
    return f"{row['source']}. {row['note']}" if row["note"] else row["source"]
