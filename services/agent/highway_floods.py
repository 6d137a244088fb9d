"""The flood reports of the two road departments, as their centres' events.

Each department counts its own roads, so each has an incident of its own: side by side in one they
would look like a contradiction. What a report states for the country and what its lines add up to
are two series; where they differ, both stay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from schemas.events import EventModel
from schemas.events.incident import IncidentOpened, IncidentUpdated
from schemas.events.situation import SituationReported
from services.agent.record import Event, Record, Row, count_of, event_of, known_from

SEASON_BEGINS_MONTH = 4
"""Floods are counted to the year whose April came before: the dry season ends one season, and the
south's floods of January belong to the rains of the year before."""

_TITLES = {
    "mot.doh": ("อุทกภัยบนทางหลวง", "Floods on national highways"),
    "mot.drr": ("อุทกภัยบนทางหลวงชนบท", "Floods on rural roads"),
}


class UnknownDepartment(Exception):
    """A report is of neither of the two road departments."""


@dataclass(frozen=True)
class Report:
    """One publication of a department: as of when, known when, on which page."""

    department: str
    time: datetime
    accepted: datetime
    page: str

    @property
    def incident(self) -> str:
        """The id of the department's floods of this season; any part of the archive gives it."""
        year = self.time.year - (self.time.month < SEASON_BEGINS_MONTH)
        return f"floods-{year}-{self.department}"


def report_of(row: Row) -> Report:
    """The report a row belongs to. Without an hour of its own it speaks of its day's end."""
    published = known_from(row["published"])
    time = datetime.fromisoformat(row["as_of"]) if row["as_of"] else published
    return Report(
        department=row["department"],
        time=time,
        accepted=max(published, time),
        page=row["url"].rpartition("/")[2],
    )


def of_reports(rows: Iterable[Row]) -> Iterator[Event]:
    """What each report states for the country, a series of its own."""
    for row in rows:
        report = report_of(row)
        body = SituationReported(
            incident=report.incident,
            place="TH",
            routes_closed=count_of(row["closed"]),
            routes_affected=count_of(row["routes"]),
            note=_stated_and_added(row),
            stated_by=row["title_th"],
        )
        yield _event(report, "TH", body, row["url"])


def _stated_and_added(row: Row) -> str | None:
    """The report's unit, and its lines' sum where that is another number."""
    remarks = []
    if row["closed_unit"]:
        remarks.append(f"ปิดการจราจรนับเป็น{row['closed_unit']}")
    if row["lines_closed"] and row["lines_closed"] != row["closed"]:
        remarks.append(f"รายการในรายงานรวมได้ {row['lines_closed']}")
    return "; ".join(remarks) or None


def of_lines(rows: Iterable[Row]) -> Iterator[Event]:
    """Each province's closed roads by report, the season's incident, and where it spread.

    A report whose lines reach its stated total lists everything: a province it names no more has
    nothing closed. From a report with lines missing no such zero is concluded.
    """
    seasons: dict[str, _Season] = {}
    for report, lines in _by_report(rows):
        season = seasons.setdefault(report.incident, _Season())
        provinces = {line["province"] for line in lines}
        if provinces - season.reached:
            yield _spread(report, season.reached, provinces)
        yield from _counts(report, lines)
        gone = season.listed - provinces if _lists_everything(lines) else set()
        for province in sorted(gone):
            yield _event(report, province, _nothing_closed(report, province), lines[0]["url"])
        season.reached |= provinces
        season.listed = (season.listed | provinces) - gone


@dataclass
class _Season:
    """How far one incident has come while its reports are read."""

    reached: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    """Provinces whose last word is a list of roads, not that nothing is closed any more."""


def _nothing_closed(report: Report, province: str) -> SituationReported:
    return SituationReported(
        incident=report.incident,
        place=province,
        routes_closed=0,
        note="รายงานฉบับนี้ไม่มีรายการของจังหวัดแล้ว",
    )


def _by_report(rows: Iterable[Row]) -> list[tuple[Report, list[Row]]]:
    """Reports by time, those of one minute in the sequence of their pages."""
    reports: dict[Report, list[Row]] = {}
    for row in rows:
        reports.setdefault(report_of(row), []).append(row)
    return sorted(reports.items(), key=lambda item: (item[0].time, item[0].page))


def _lists_everything(lines: list[Row]) -> bool:
    stated = count_of(lines[0]["stated_closed"])
    added = sum(_closed_in(lines, province) for province in {line["province"] for line in lines})
    return stated is not None and added >= stated


def _counts(report: Report, lines: list[Row]) -> Iterator[Event]:
    with_passable = any(line["state"] == "passable" for line in lines)
    for province in sorted({line["province"] for line in lines}):
        listed = [line for line in lines if line["province"] == province]
        closed = _closed_in(lines, province)
        itemised = sum(int(line["count"]) for line in listed if line["kind"] == "place")
        differs = itemised not in (0, closed)
        body = SituationReported(
            incident=report.incident,
            place=province,
            routes_closed=closed,
            routes_affected=len(listed) if with_passable else None,
            note=f"รายการของจังหวัดรวมได้ {itemised}" if differs else None,
        )
        yield _event(report, province, body, lines[0]["url"])


def _closed_in(lines: list[Row], province: str) -> int:
    """What the report counts for the province; where it counts none, its closed lines."""
    closed = [row for row in lines if row["province"] == province and row["state"] == "closed"]
    counted = [row for row in closed if row["kind"] == "province_count"]
    return sum(int(row["count"]) for row in counted or closed)


def _spread(report: Report, before: set[str], provinces: set[str]) -> Event:
    """The incident's opening by its first report, later the provinces it has reached by now."""
    everywhere = sorted(before | provinces)
    body: IncidentOpened | IncidentUpdated
    if before:
        body = IncidentUpdated(incident=report.incident, provinces=everywhere)
    else:
        title_th, title_en = _titles(report)
        body = IncidentOpened(
            incident=report.incident,
            hazard="flood",
            title_th=f"{title_th} พ.ศ. {report.time.year + 543}",
            title_en=f"{title_en}, {report.time.year}",
            severity="moderate",
            provinces=everywhere,
            ministries=["mot"],
        )
    return _event(report, "incident", body, "ours: read off the reports' lines")


def _titles(report: Report) -> tuple[str, str]:
    try:
        return _TITLES[report.department]
    except KeyError as unknown:
        raise UnknownDepartment(report.department) from unknown


def _event(report: Report, about: str, body: EventModel, source: str) -> Event:
    """The report's event about a place or about its incident itself."""
    subjects = {"TH": "nation", "incident": f"incidents/{report.incident}"}
    return event_of(
        Record(
            id=f"report-{report.page}-{about}",
            centre=f"doc:{report.department}",
            subject=subjects.get(about, f"provinces/{about}"),
            time=report.time,
            accepted=report.accepted,
            body=body,
            marks={"sourced": "yes"},
            beside={"source": source},
        )
    )
