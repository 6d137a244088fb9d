"""What happens in a deputy's area: a join in time of the matrix and the facts, never a copy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.events.registry import DepartmentRegistered
from schemas.events.situation import Severity
from services.api import alerts, incidents
from services.api.answers import answer, read_responses
from services.api.bodies import Body, When
from services.api.centres import silences
from services.api.database import Found
from services.api.deputies import DeputyPath, Held, held_by, require_deputy
from services.api.directive_counts import DirectiveCounts, Owed, owed_by, owed_of, owing
from services.api.figures import (
    Cell,
    Reports,
    Said,
    Shown,
    Totals,
    patterns,
    read_said,
    shown_in,
    totals_of,
)
from services.api.incidents import Wanted
from services.api.oversight import Holder, holder_of
from services.api.reading import Asked, Question

router = APIRouter(tags=["deputies"])


class OpenIncidents(Body):
    """How many incidents are open, and how severe they are."""

    open: int
    by_severity: dict[Severity, int]


class LatestReport(Said):
    """The last report about a province, and in which incident."""

    incident: str


class SilentCentre(Body):
    """A centre that missed its interval."""

    id: str
    name_th: str
    silent_since: When


class ProvinceOverview(Body):
    """What happens in one province of the area."""

    code: str
    name_th: str | None
    name_en: str | None
    order: str
    incidents: OpenIncidents
    figures: Totals
    latest_report: LatestReport | None
    silent_centres: list[SilentCentre]
    active_alerts: int
    directives: DirectiveCounts | None
    """Of those issued to the province; null where no directive is for the reader."""


class OverviewTotals(Body):
    """The area together: what lies in several provinces counts once, their figures add up."""

    provinces: int
    incidents: OpenIncidents
    figures: Totals
    silent_centres: int
    active_alerts: int
    directives: DirectiveCounts | None
    """Of those issued to the provinces; null where no directive is for the reader."""


class Overview(Body):
    """A deputy's area with its figures, and the functions and agendas held beside it."""

    deputy: Holder
    provinces: list[ProvinceOverview]
    totals: OverviewTotals
    functions: list[Held]
    agendas: list[Held]
    directives_to_agencies: DirectiveCounts | None
    """Of those issued to the ministries of these functions and their units."""


@dataclass(frozen=True, slots=True)
class There:
    """What was read at once of a part of the country."""

    incidents: Sequence[Found]
    silent: Sequence[Found]
    alerts: Sequence[Found]
    owed: Owed


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read of the provinces of an area."""

    provinces: Sequence[str]
    incidents: Sequence[Found]
    shown: Shown
    reports: Reports
    silent: Mapping[str, list[SilentCentre]]
    alerts: Sequence[Found]
    owed: Owed


@router.get("/v1/deputies/{id}/overview", responses=read_responses(404), response_model=Overview)
async def get_overview(request: Request, question: Asked, deputy: DeputyPath) -> Response:
    """What happens in the deputy's area at the moment, by province and together."""
    require_deputy(question, deputy)
    held = held_by(question, deputy)
    area = [one for one in held if one.dimension == "area"]
    facts = await read_facts(question, [one.target for one in area])
    body = Overview(
        deputy=holder_of(question, deputy),
        provinces=[_province(facts, one) for one in area],
        totals=_totals(facts),
        functions=[one for one in held if one.dimension == "function"],
        agendas=[one for one in held if one.dimension == "agenda"],
        directives_to_agencies=owed_by(facts.owed, _agencies(question, held)),
    )
    return answer(request, question, body)


async def read_facts(question: Question, provinces: Sequence[str]) -> Facts:
    """What is so in these provinces: two statements, however many they are."""
    named = ",".join(filter(None, map(question.registered.named_in.get, provinces)))
    there = await read_there(question, Wanted(provinces=provinces), named)
    grid, reports = await read_said(question, provinces, [row.id for row in there.incidents])
    return Facts(
        provinces,
        there.incidents,
        shown_in(grid, patterns(question)),
        reports,
        _silent(question, there.silent),
        there.alerts,
        there.owed,
    )


async def read_there(question: Question, wanted: Wanted, centres: str) -> There:
    """The incidents wanted, which of the centres are silent, the alerts, and what is owed."""
    owes = owing(question)
    found, silent, active, owed = await question.together(
        incidents.query_of(question, wanted),
        silences(question, centres),
        alerts.query_of(question, wanted.provinces),
        owes,
    )
    return There(found, silent, active, owed_of(owes, owed))


def _agencies(question: Question, held: Sequence[Held]) -> frozenset[str]:
    """The ministries and units held, with the units below that no order carves out."""
    functions = {one.target: one for one in held if one.dimension == "function"}
    units = (
        unit.department
        for unit in question.registry.each(DepartmentRegistered, question.day)
        if unit.ministry in functions
        and unit.department not in functions[unit.ministry].except_targets
    )
    return frozenset(functions).union(units)


def _silent(question: Question, rows: Sequence[Found]) -> Mapping[str, list[SilentCentre]]:
    silent: dict[str, list[SilentCentre]] = {}
    for row in rows:
        centre = question.registered.centre[row.centre]
        silent.setdefault(centre.province or "", []).append(
            SilentCentre(
                id=centre.centre,
                name_th=centre.name_th,
                silent_since=datetime.fromisoformat(row.since),
            )
        )
    return silent


def _province(facts: Facts, held: Held) -> ProvinceOverview:
    code = held.target
    here = [row for row in facts.incidents if code in row.provinces]
    cells = [(code, row.id) for row in here]
    return ProvinceOverview(
        code=code,
        name_th=held.target_name_th,
        name_en=held.target_name_en,
        order=held.order.number,
        incidents=open_of(here),
        figures=totals_of(facts.shown, cells),
        latest_report=_latest(facts, cells),
        silent_centres=facts.silent.get(code, []),
        active_alerts=sum(code in row.provinces for row in facts.alerts),
        directives=owed_by(facts.owed, (code,)),
    )


def _totals(facts: Facts) -> OverviewTotals:
    area = frozenset(facts.provinces)
    cells = [(code, row.id) for row in facts.incidents for code in row.provinces if code in area]
    return OverviewTotals(
        provinces=len(facts.provinces),
        incidents=open_of(facts.incidents),
        figures=totals_of(facts.shown, cells),
        silent_centres=sum(len(silent) for silent in facts.silent.values()),
        active_alerts=len(facts.alerts),
        directives=owed_by(facts.owed, area),
    )


def open_of(rows: Sequence[Found]) -> OpenIncidents:
    """These incidents counted."""
    severities = Counter(row.severity for row in rows if row.severity is not None)
    return OpenIncidents(open=len(rows), by_severity=dict(severities))


def _latest(facts: Facts, cells: Sequence[Cell]) -> LatestReport | None:
    reports = [row for cell in cells if (said := facts.reports.get(cell)) for row in said[:1]]
    if not reports:
        return None
    last = max(reports, key=lambda row: (row.time, row.source, row.id))
    return LatestReport(**{name: last[name] for name in LatestReport.model_fields})
