"""Incidents: their state folded from what was stated of them, and what their places report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from schemas.events.incident import Hazard
from schemas.events.order import Dimension
from schemas.events.situation import Severity
from schemas.ids import NATION
from services.api.answers import answer, answer_page, read_responses, stated
from services.api.bodies import Body, Page, When
from services.api.database import Found, Row
from services.api.figures import Figures, Said, figures_of, patterns, read_said, said_of
from services.api.moments import first_of, last_of
from services.api.problems import BAD_CURSOR, not_found
from services.api.reading import Asked, Listed, Listing, Question
from services.domain.matrix import Holding, Matrix
from services.domain.scope import Resource, Scope
from services.operation.problems import Problem
from services.readmodels.incidents import of_agenda, of_ministry
from services.readmodels.statements import Select

router = APIRouter(tags=["incidents"])


class Overseer(Body):
    """Through what an incident lies in a deputy's field: the screen says why it is shown."""

    dimension: Dimension
    target: str
    deputy: str


class IncidentItem(Body):
    """An incident as it was."""

    id: str
    state: Literal["open", "closed"]
    hazard: Hazard | None
    title_th: str | None
    title_en: str | None
    severity: Severity | None
    provinces: list[str]
    ministries: list[str]
    agendas: list[str]
    place: str | None
    lat: float | None
    lon: float | None
    opened_at: When
    closed_at: When | None
    changed_at: When
    overseers: list[Overseer]


class Change(Body):
    """One statement about an incident; what it does not state is null."""

    change: Literal["opened", "updated", "closed"]
    time: When
    source: str
    id: str
    hazard: Hazard | None
    title_th: str | None
    title_en: str | None
    severity: Severity | None
    provinces: list[str] | None
    ministries: list[str] | None
    agendas: list[str] | None
    place: str | None
    note: str | None


class PlaceFigures(Body):
    """What was said of one place in the incident; `TH` is the nation as sources state it."""

    place: str
    figures: Figures
    reports: list[Said]


class IncidentDetail(IncidentItem):
    """An incident with its history and what was said of each place, sources side by side."""

    changes: list[Change]
    situation: list[PlaceFigures]


class IncidentPage(Page[IncidentItem]):
    """Incidents, the last opened first."""


@dataclass(frozen=True, slots=True)
class Field:
    """Coordinates: an incident lies in the field when it has one of them."""

    provinces: frozenset[str]
    ministries: frozenset[str] = frozenset()
    agendas: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents are asked for; a None asks for all."""

    state: Literal["open", "closed"] | None = "open"
    incidents: Sequence[str] | None = None
    provinces: Sequence[str] | None = None
    ministry: str | None = None
    agenda: str | None = None
    held: Field | None = None
    severity: str | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int | None = None


_LATEST = "ORDER BY c.time DESC, c.source DESC, coalesce(c.sequence, -1) DESC, c.id DESC"
_STATED = ("hazard", "title_th", "title_en", "severity", "place", "lat", "lon")
_LISTS = ("provinces", "ministries", "agendas")

# One incident's columns are each the latest stated; it is open when the last of its openings and
# closings is an opening, and without a counting opening it is none.
_FOLDED = """
WITH candidate AS (
    SELECT {in_one} own.opened_at, own.incident FROM incidents.coordinates own
    WHERE own.realm = :realm AND own.coordinate {in_field}
      AND {may_count} AND {only} AND {opened_once}
    {in_order}
)
SELECT * FROM (
    SELECT id, CASE last WHEN 'opened' THEN 'open' ELSE 'closed' END AS state, hazard, title_th,
           title_en, severity, place, lat, lon, opened_at, changed_at,
           CASE last WHEN 'closed' THEN closed_at END AS closed_at, {lists}
    FROM (
        SELECT candidate.incident AS id, {begun}.opened_at AS begun, folded.*
        FROM candidate CROSS JOIN LATERAL (
            SELECT (array_agg(c.change {latest}) FILTER (WHERE c.change <> 'updated'))[1] AS last,
                   min(c.time) FILTER (WHERE c.change = 'opened') AS opened_at,
                   max(c.time) FILTER (WHERE c.change = 'closed') AS closed_at,
                   max(c.time) AS changed_at, {columns}
            FROM incidents.changes c
            WHERE c.incident = candidate.incident AND {counts}
        ) folded
        WHERE folded.opened_at IS NOT NULL
    ) folded
    ORDER BY begun DESC, id DESC
) shaped
WHERE (:nation OR provinces && CAST(:scope_provinces AS text[])
       OR ministries && CAST(:scope_ministries AS text[])
       OR agendas && CAST(:scope_agendas AS text[]))
  AND (:anybodys OR provinces && CAST(:held_provinces AS text[])
       OR ministries && CAST(:held_ministries AS text[])
       OR agendas && CAST(:held_agendas AS text[]))
  AND (CAST(:provinces AS text[]) IS NULL OR provinces && :provinces)
  AND (CAST(:ministry AS text) IS NULL OR :ministry = ANY(ministries))
  AND (CAST(:agenda AS text) IS NULL OR :agenda = ANY(agendas))
  AND (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:severity AS text) IS NULL OR severity = :severity)
  AND {within}
LIMIT :limit
"""

# One after the other: an index of spans takes no list.
_LOOKED_AT = "SELECT unnest(CAST(:looked_at AS text[]))"

# The bounds of a page, on the moment of opening.
_WITHIN = """
(CAST(:opened_from AS timestamptz) IS NULL OR {row}.opened_at >= :opened_from)
AND (CAST(:opened_to AS timestamptz) IS NULL OR {row}.opened_at <= :opened_to)
AND (CAST(:after_time AS timestamptz) IS NULL
     OR ({row}.opened_at, {row}.{id}) < (:after_time, CAST(:after_id AS text)))
"""

# What may be open is little, and found by when it closed: all of it is folded. Of anything else
# nearly every incident was stated to open at one moment alone: those are met in the order of the
# answer, so that no more of them are folded than a page needs; of the others the moment is known
# only when they are folded.
_IN_ORDER = "ORDER BY own.opened_at DESC, own.incident DESC"
_MERGED = """
SELECT * FROM (({once}) UNION ALL ({variously})) found ORDER BY opened_at DESC, id DESC LIMIT :limit
"""

_CHANGES = """
SELECT c.change, c.time, c.source, c.id, c.hazard, c.title_th, c.title_en, c.severity, c.provinces,
       c.ministries, c.agendas, c.place, c.note
FROM incidents.changes c WHERE c.incident = :incident AND {counts}
ORDER BY c.time, c.source, coalesce(c.sequence, -1), c.id
"""


async def find(question: Question, wanted: Wanted) -> list[Row]:
    """The incidents wanted, the last opened first, within the reader's scope."""
    return await question.select(query_of(question, wanted))


def query_of(question: Question, wanted: Wanted) -> Select:
    """What finds them."""
    scope = question.scope
    held = wanted.held or Field(frozenset())
    looked_at = _looked_at(scope, wanted)
    named = {
        "looked_at": looked_at if len(looked_at) != 1 else looked_at[0],
        "incidents": wanted.incidents and list(wanted.incidents),
        "nation": scope.nation,
        "scope_provinces": sorted(scope.provinces),
        "scope_ministries": sorted(scope.ministries),
        "scope_agendas": sorted(scope.agendas),
        "anybodys": wanted.held is None,
        "held_provinces": sorted(held.provinces),
        "held_ministries": sorted(held.ministries),
        "held_agendas": sorted(held.agendas),
        "provinces": wanted.provinces and list(wanted.provinces),
        "ministry": wanted.ministry,
        "agenda": wanted.agenda,
        "state": wanted.state,
        "severity": wanted.severity,
        "opened_from": wanted.opened_from,
        "opened_to": wanted.opened_to,
        "after_time": wanted.after and wanted.after[0],
        "after_id": wanted.after and wanted.after[1],
        "limit": wanted.limit,
    }
    return Select(_found(question, wanted, len(looked_at)), named)


def _found(question: Question, wanted: Wanted, coordinates: int) -> str:
    # Lists travel as JSON: an array of arrays would have to be rectangular.
    columns = [(name, f"c.{name}") for name in _STATED]
    columns += [(name, f"to_json(c.{name})") for name in _LISTS]
    parts = {
        "latest": _LATEST,
        # Of a single one the index has the order of the answer, and none stands twice.
        "in_one": "" if coordinates == 1 else "DISTINCT",
        "in_field": "= :looked_at" if coordinates == 1 else f"IN ({_LOOKED_AT})",
        "only": "TRUE" if wanted.incidents is None else "own.incident = ANY(:incidents)",
        "may_count": question.moment.may_span("own.opened", "own.closed")
        if wanted.state == "open"
        else "own.opened_at <= :as_of",
        "counts": question.moment.counts("c"),
        "columns": ", ".join(
            f"(array_agg({value} {_LATEST}) FILTER (WHERE c.{name} IS NOT NULL))[1] AS {name}"
            for name, value in columns
        ),
        "lists": ", ".join(
            f"ARRAY(SELECT json_array_elements_text(coalesce({name}, '[]'))) AS {name}"
            for name in _LISTS
        ),
    }
    by_fold = {"begun": "folded", "in_order": "", "within": _WITHIN.format(row="shaped", id="id")}
    if wanted.state == "open" or wanted.incidents is not None:
        return _FOLDED.format(opened_once="TRUE", **by_fold, **parts)
    once = f"own.opened_once AND {_WITHIN.format(row='own', id='incident')}"
    return _MERGED.format(
        once=_FOLDED.format(
            opened_once=once, begun="candidate", in_order=_IN_ORDER, within="TRUE", **parts
        ),
        variously=_FOLDED.format(opened_once="NOT own.opened_once", **by_fold, **parts),
    )


def _looked_at(scope: Scope, wanted: Wanted) -> list[str]:
    """The coordinates whose incidents are looked through; `TH` has every incident there is."""
    if wanted.provinces is not None:
        return list(wanted.provinces)
    if wanted.ministry is not None:
        return [of_ministry(wanted.ministry)]
    if wanted.agenda is not None:
        return [of_agenda(wanted.agenda)]
    if scope.nation:
        return [NATION] if wanted.held is None else _coordinates(wanted.held)
    return _coordinates(Field(scope.provinces, scope.ministries, scope.agendas))


def _coordinates(field: Field) -> list[str]:
    ministries, agendas = map(of_ministry, field.ministries), map(of_agenda, field.agendas)
    return sorted((*field.provinces, *ministries, *agendas))


@router.get("/v1/incidents", responses=read_responses(403), response_model=IncidentPage)
async def list_incidents(
    request: Request,
    listed: Listed,
    province: Annotated[str | None, Query(max_length=20, description="ISO 3166-2.")] = None,
    ministry: Annotated[str | None, Query(max_length=128)] = None,
    agenda: Annotated[str | None, Query(max_length=128)] = None,
    deputy: Annotated[
        str | None,
        Query(max_length=128, description="In this person's area, functions or agendas."),
    ] = None,
    state: Literal["open", "closed", "any"] = "open",
    severity: Severity | None = None,
    opened_from: Annotated[
        str | None, Query(alias="from", description="Opened at this moment or day, or later.")
    ] = None,
    opened_to: Annotated[
        str | None, Query(alias="to", description="Opened at this moment or day, or earlier.")
    ] = None,
) -> Response:
    """Incidents that lie in the reader's scope, the last opened first."""
    question = listed.question
    question.require(Resource.SITUATION)
    wanted = Wanted(
        state=None if state == "any" else state,
        provinces=None if province is None else [province],
        ministry=ministry,
        agenda=agenda,
        held=None if deputy is None else held_by(question.matrix, deputy),
        severity=severity,
        opened_from=None if opened_from is None else first_of(opened_from, "from"),
        opened_to=None if opened_to is None else last_of(opened_to, "to"),
        after=_after(listed),
        limit=listed.limit + 1,
    )
    rows = await find(question, wanted)
    page = rows[: listed.limit]
    more = len(rows) > len(page)
    last = [stated(page[-1].opened_at), page[-1].id] if more else None
    items = [IncidentItem(**_item(row, question.matrix)) for row in page]
    return answer_page(request, listed, IncidentPage(items=items), last)


def held_by(matrix: Matrix, deputy: str) -> Field:
    """What a person holds, as the coordinates of incidents."""

    def targets(dimension: Dimension) -> frozenset[str]:
        given = (holding.given for holding in matrix.held_by(deputy))
        return frozenset(one.target for one in given if one.dimension == dimension)

    return Field(targets("area"), targets("function"), targets("agenda"))


def _after(listed: Listing) -> tuple[datetime, str] | None:
    match listed.last:
        case None:
            return None
        case [str(opened_at), str(incident)]:
            return datetime.fromisoformat(opened_at), incident
        case _:
            raise Problem(BAD_CURSOR)


@router.get(
    "/v1/incidents/{incident:path}",
    responses=read_responses(403, 404),
    response_model=IncidentDetail,
)
async def get_incident(
    request: Request,
    question: Asked,
    incident: Annotated[str, Path(max_length=128, examples=["tsunami-2004"])],
) -> Response:
    """One incident: its state, its history, and what was said of each place in scope."""
    question.require(Resource.SITUATION)
    rows = await find(question, Wanted(state=None, incidents=[incident], limit=1))
    if not rows:
        raise not_found()
    changes = await question.rows(
        _CHANGES.format(counts=question.moment.counts("c")), incident=incident
    )
    detail = IncidentDetail(
        **_item(rows[0], question.matrix),
        changes=[Change(**change) for change in changes],
        situation=await _situation(question, incident, _places(question, rows[0])),
    )
    return answer(request, question, detail)


async def _situation(
    question: Question, incident: str, places: Sequence[str]
) -> list[PlaceFigures]:
    said, reports = await read_said(question, places, [incident], depth=2)
    precedence = patterns(question)
    return [
        PlaceFigures(
            place=place,
            figures=figures_of(said.get((place, incident), {}), place, precedence),
            reports=[said_of(row) for row in reports[place, incident]],
        )
        for place in places
        if (place, incident) in reports
    ]


def _places(question: Question, incident: Row) -> list[str]:
    """The nation and every province of which it is seen what was said of it in the incident."""
    every = [NATION, *(one.province for one in question.registered.provinces)]
    said = (incident.ministries, incident.agendas)
    return [place for place in every if question.scope.sees_said(place, *said)]


def _item(row: Row, matrix: Matrix) -> dict[str, object]:
    return {**row, "overseers": overseers_of(row, matrix)}


def overseers_of(row: Row | Found, matrix: Matrix) -> list[Overseer]:
    """Everybody in whose field the incident lies, and by which dimension."""
    coordinates: tuple[tuple[Dimension, Sequence[str]], ...] = (
        ("area", row.provinces),
        ("function", row.ministries),
        ("agenda", row.agendas),
    )
    holdings: list[Holding] = [
        holding
        for dimension, targets in coordinates
        for target in targets
        for holding in matrix.cell(dimension, target).holdings
    ]
    return [
        Overseer(
            dimension=holding.given.dimension,
            target=holding.given.target,
            deputy=holding.given.deputy,
        )
        for holding in holdings
    ]
