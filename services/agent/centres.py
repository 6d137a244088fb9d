"""The operations centres of the registry: one for each ministry, department and province."""

from collections.abc import Iterable, Iterator
from datetime import date

from schemas.events.registry import CentreRegistered, DepartmentRegistered
from schemas.ids import BANGKOK
from services.agent.record import Event, Row, day_after
from services.agent.registry import (
    NO_MINISTRY,
    RegistryTables,
    departments,
    first_day,
    registration,
)

PROGRAMME_BEGINS = date(2001, 10, 1)
"""The first day of the pilot year. Source: cabinet resolution of 7 August 2001."""

ALL_PROVINCES_SINCE = date(2003, 10, 1)
"""From here every province but Bangkok. Source: cabinet resolution of 28 April 2003."""

DAY_SECONDS = 86_400

_PROGRAMME = (
    "Ours: a centre stands from the programme's first day, or with its body if that is younger; "
    "no source states opening days."
)


def centres(tables: RegistryTables) -> Iterator[Event]:
    """Every centre, those above before those below."""
    bodies = (
        _prime_ministers(),
        *_of_ministries(tables.ministries),
        *_of_departments(departments(tables)),
        *_of_provinces(tables),
        *_others(tables.other_centres),
    )
    for body in bodies:
        yield registration(f"centres/{body.centre}", body)


def _prime_ministers() -> CentreRegistered:
    return CentreRegistered(
        centre="pmoc",
        level="PMOC",
        name_th="ศูนย์ปฏิบัติการนายกรัฐมนตรี",
        name_en="Prime Minister's Operations Centre",
        valid_from=PROGRAMME_BEGINS,
        source=_PROGRAMME,
    )


def _of_ministries(rows: Iterable[Row]) -> Iterator[CentreRegistered]:
    for row in rows:
        yield CentreRegistered(
            centre=f"moc:{row['slug']}",
            level="MOC",
            name_th=f"ศูนย์ปฏิบัติการ{row['name_th']}",
            name_en=f"{row['name_en']} Operations Centre",
            parent="pmoc",
            ministry=row["slug"],
            valid_from=max(first_day(row) or PROGRAMME_BEGINS, PROGRAMME_BEGINS),
            valid_to=day_after(row["valid_to"]),
            source=_PROGRAMME,
        )


def _of_departments(versions: Iterable[DepartmentRegistered]) -> Iterator[CentreRegistered]:
    """Agencies that are no departments have no centre."""
    for version in versions:
        if version.department.startswith("org."):
            continue
        independent = version.ministry == NO_MINISTRY
        yield CentreRegistered(
            centre=f"doc:{version.department}",
            level="DOC",
            name_th=f"ศูนย์ปฏิบัติการ{version.name_th}",
            name_en=f"{version.name_en} Operations Centre",
            parent="pmoc" if independent else f"moc:{version.ministry}",
            ministry=None if independent else version.ministry,
            department=version.department,
            valid_from=max(version.valid_from or PROGRAMME_BEGINS, PROGRAMME_BEGINS),
            valid_to=version.valid_to,
            source=_PROGRAMME,
        )


def _of_provinces(tables: RegistryTables) -> Iterator[CentreRegistered]:
    pilots = {row["province"]: row for row in tables.pilot_provinces if row["role"] == "pilot"}
    for row in tables.provinces:
        if row["province"] == BANGKOK:
            continue
        if pilot := pilots.get(row["province"]):
            yield _of_province(row, first_day(pilot), day_after(pilot["valid_to"]))
        yield _of_province(row, max(first_day(row) or date.min, ALL_PROVINCES_SINCE), None)


def _of_province(row: Row, since: date | None, until: date | None) -> CentreRegistered:
    return CentreRegistered(
        centre=f"poc:{row['province']}",
        level="POC",
        name_th=f"ศูนย์ปฏิบัติการจังหวัด{row['name_th']}",
        name_en=f"{row['name_en']} Provincial Operations Centre",
        parent="moc:moi",
        province=row["province"],
        reporting_interval_seconds=DAY_SECONDS,
        valid_from=since,
        valid_to=until,
        source=(
            "Coverage of the programme: pilot year by the cabinet of 7 August 2001, all provinces "
            "by that of 28 April 2003, a younger province from its first day. The daily sign of "
            "life is ours."
        ),
    )


def _others(rows: Iterable[Row]) -> Iterator[CentreRegistered]:
    for row in rows:
        yield CentreRegistered(
            centre=row["centre"],
            level="other",
            name_th=row["name_th"],
            name_en=row["name_en"],
            province=row["province"] or None,
            valid_from=PROGRAMME_BEGINS,
            source=row["source"],
        )
