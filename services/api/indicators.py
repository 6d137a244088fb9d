"""Indicators: values by place and date, each with all its revisions."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.api.answers import answer_page, read_responses
from services.api.bodies import Body, Measured, Page, When
from services.api.database import Row
from services.api.moments import day_of_text
from services.api.problems import BAD_CURSOR, not_found
from services.api.reading import Listed, Listing, Question
from services.domain.scope import Resource
from services.operation.problems import Problem

router = APIRouter(tags=["indicators"])

# A series exists once one of its values counts.
_SERIES = """
SELECT n.indicator, array_agg(DISTINCT n.source ORDER BY n.source) AS sources,
       count(DISTINCT n.place) AS places
FROM indicators.names n
WHERE n.realm = :realm AND (:nation OR n.place = ANY(:scope_places))
  AND (CAST(:after AS text) IS NULL OR n.indicator > :after)
  AND EXISTS (
      SELECT FROM indicators.measurements m
      WHERE m.indicator = n.indicator AND m.place = n.place AND m.source = n.source AND {counts}
  )
GROUP BY n.indicator ORDER BY n.indicator LIMIT :limit
"""

_EXISTS = """
SELECT 1 FROM indicators.names n
WHERE n.realm = :realm AND n.indicator = :indicator AND (:nation OR n.place = ANY(:scope_places))
  AND EXISTS (
      SELECT FROM indicators.measurements m
      WHERE m.indicator = n.indicator AND m.place = n.place AND m.source = n.source AND {counts}
  )
LIMIT 1
"""

_VALUES = """
WITH keys AS (
    SELECT DISTINCT m.place, m.date, m.source FROM indicators.measurements m
    WHERE m.indicator = :indicator AND {counts}
      AND (:nation OR m.place = ANY(:scope_places))
      AND (CAST(:province AS text) IS NULL OR m.place = :province)
      AND (CAST(:first AS date) IS NULL OR m.date >= :first)
      AND (CAST(:last AS date) IS NULL OR m.date <= :last)
      AND (CAST(:after_place AS text) IS NULL OR (m.place, m.date, m.source) >
           (:after_place, CAST(:after_date AS date), CAST(:after_source AS text)))
    ORDER BY m.place, m.date, m.source LIMIT :limit
)
SELECT m.place, m.date, m.source, m.value, m.unit, m.implausible, m.time, m.id
FROM keys JOIN indicators.measurements m USING (place, date, source)
WHERE m.indicator = :indicator AND {counts}
ORDER BY m.place, m.date, m.source, m.time, coalesce(m.sequence, -1), m.id
"""


class Indicator(Body):
    """An indicator somebody measured."""

    id: str
    places: int
    """In how many places of the reader's scope it was measured."""
    sources: list[str]


class IndicatorPage(Page[Indicator]):
    """Indicators by id."""


class Revision(Body):
    """A value as its source stated it at one time."""

    value: Measured
    time: When
    id: str
    implausible: str | None


class IndicatorValue(Body):
    """A source's value for a place and a date: the last one stated, and all before it."""

    province: str
    """A province, or `TH` for the nation as the source states it."""
    date: date
    value: Measured
    unit: str
    source: str
    implausible: str | None
    """Why the value or its date cannot be right; it is kept all the same."""
    revisions: list[Revision]
    """Every statement, the oldest first."""


class IndicatorValuePage(Page[IndicatorValue]):
    """Values by place, date and source."""


@router.get("/v1/indicators", responses=read_responses(403), response_model=IndicatorPage)
async def list_indicators(request: Request, listed: Listed) -> Response:
    """The indicators that were measured in the reader's scope."""
    question = listed.question
    question.require(Resource.SITUATION)
    rows = await question.rows(
        _SERIES.format(counts=question.moment.counts("m")),
        **_scoped(question),
        after=None if listed.last is None else str(listed.last[0]),
        limit=listed.limit + 1,
    )
    page = rows[: listed.limit]
    last = [page[-1].indicator] if len(rows) > len(page) else None
    items = [Indicator(id=row.indicator, places=row.places, sources=row.sources) for row in page]
    return answer_page(request, listed, IndicatorPage(items=items), last)


@router.get(
    "/v1/indicators/{id}/values",
    responses=read_responses(403, 404),
    response_model=IndicatorValuePage,
)
async def list_values(
    request: Request,
    listed: Listed,
    indicator: Annotated[str, Path(alias="id", max_length=128, examples=["covid19.cases_new"])],
    province: Annotated[str | None, Query(max_length=20, description="ISO 3166-2.")] = None,
    first: Annotated[
        str | None,
        Query(alias="from", description="The first date.", json_schema_extra={"format": "date"}),
    ] = None,
    last: Annotated[
        str | None,
        Query(alias="to", description="The last date.", json_schema_extra={"format": "date"}),
    ] = None,
) -> Response:
    """Values by place and date, as they were stated and revised."""
    question = listed.question
    question.require(Resource.SITUATION)
    parameters = {**_scoped(question), "indicator": indicator}
    counts = question.moment.counts("m")
    if not await question.rows(_EXISTS.format(counts=counts), **parameters):
        raise not_found()
    after_place, after_date, after_source = _after(listed)
    rows = await question.rows(
        _VALUES.format(counts=counts),
        **parameters,
        province=province,
        first=None if first is None else day_of_text(first, "from"),
        last=None if last is None else day_of_text(last, "to"),
        after_place=after_place,
        after_date=after_date,
        after_source=after_source,
        limit=listed.limit + 1,
    )
    values = list(_values(rows))
    page = values[: listed.limit]
    following = None
    if len(values) > len(page):
        following = [page[-1].province, page[-1].date.isoformat(), page[-1].source]
    return answer_page(request, listed, IndicatorValuePage(items=page), following)


def _scoped(question: Question) -> dict[str, object]:
    scope = question.scope
    return {"nation": scope.nation, "scope_places": sorted(scope.provinces)}


def _values(rows: Sequence[Row]) -> Iterator[IndicatorValue]:
    for (place, day, source), stated in groupby(
        rows, key=lambda row: (row.place, row.date, row.source)
    ):
        revisions = list(stated)
        latest = revisions[-1]
        yield IndicatorValue(
            province=place,
            date=day,
            value=latest.value,
            unit=latest.unit,
            source=source,
            implausible=latest.implausible,
            revisions=[
                Revision(value=one.value, time=one.time, id=one.id, implausible=one.implausible)
                for one in revisions
            ],
        )


def _after(listed: Listing) -> tuple[str | None, date | None, str | None]:
    match listed.last:
        case None:
            return None, None, None
        case [str(place), str(day), str(source)]:
            return place, date.fromisoformat(day), source
        case _:
            raise Problem(BAD_CURSOR)
