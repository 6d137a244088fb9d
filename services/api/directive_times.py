"""How long addressees take: from the issue to the acknowledgement, and until they have complied."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from schemas.events.registry import DepartmentRegistered, MinistryRegistered
from services.api.answers import answer, read_responses
from services.api.bodies import Body, Named
from services.api.database import Row
from services.api.directive_rows import read_shaped, readership
from services.api.moments import first_of, last_of
from services.api.reading import Asked, Question
from services.domain import thai

router = APIRouter(tags=["directives"])

type Grouping = Literal["ministry", "province"]

_EVER = datetime.min.replace(tzinfo=UTC)
_ISSUED = """
first.directive IN (SELECT s.directive FROM directives.steps s
                    WHERE s.realm = :realm AND s.leads_to = 'open'
                      AND s.time BETWEEN :first AND :last)
"""
# Whoever has not answered has no time yet and is left out of it: a percentile knows no null.
_TIMES = """
SELECT grouped.name, count(*) AS addressed,
       count(took.acknowledged) AS acknowledged, count(took.complied) AS complied,
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY took.acknowledged)
           AS acknowledged_in,
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY took.complied) AS complied_in
FROM shaped
CROSS JOIN LATERAL json_to_recordset(shaped.addressees::json) AS life (addressee text)
JOIN unnest(CAST(:members AS text[]), CAST(:names AS text[])) AS grouped (addressee, name)
  ON grouped.addressee = life.addressee
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM min(s.time) FILTER (WHERE s.leads_to = 'acknowledged')
                        - shaped.issued_at) AS float) AS acknowledged,
           CAST(extract(epoch FROM min(s.time) FILTER (WHERE s.leads_to IN ('complied', 'stopped'))
                        - shaped.issued_at) AS float) AS complied
    FROM directives.steps s
    WHERE s.directive = shaped.id AND s.addressee = life.addressee AND {step_counts}
) took
WHERE {in_scope} AND shaped.issued_at BETWEEN :first AND :last
GROUP BY grouped.name
"""


class Took(Body):
    """How long it took those who did it; null where nobody did."""

    count: int
    median_seconds: int | None
    p90_seconds: int | None


class Times(Named):
    """One ministry with its units, or one province."""

    addressed: int
    """How often a directive was issued to it, or to one of its units."""
    acknowledged: Took
    complied: Took
    """Until the report was accepted, or the suspended act had stopped."""


class DirectiveTimes(Body):
    """Everybody to whom a directive was issued in the period, by Thai name."""

    by: Grouping
    items: list[Times]


@router.get("/v1/directives/times", responses=read_responses(403), response_model=DirectiveTimes)
async def get_directive_times(
    request: Request,
    question: Asked,
    by: Annotated[Grouping, Query(description="Ministries with their units, or provinces.")],
    issued_from: Annotated[
        str | None, Query(alias="from", description="Issued at this moment or day, or later.")
    ] = None,
    issued_to: Annotated[
        str | None, Query(alias="to", description="Issued at this moment or day, or earlier.")
    ] = None,
) -> Response:
    """How long it took to acknowledge and to comply, of the directives that the reader may see."""
    reads = readership(question)
    named = {one.id: one for one in _named(question, by)}
    members = dict(_members(question, by))
    rows = await read_shaped(
        question,
        reads,
        _TIMES,
        only=_ISSUED,
        members=list(members),
        names=list(members.values()),
        first=_EVER if issued_from is None else first_of(issued_from, "from"),
        last=question.moment.as_of if issued_to is None else last_of(issued_to, "to"),
    )
    items = [_times(row, named[row.name]) for row in rows]
    items.sort(key=lambda one: [*thai.sort_key(one.name_th), one.id])
    return answer(request, question, DirectiveTimes(by=by, items=items))


def _named(question: Question, by: Grouping) -> Iterator[Named]:
    """The groups there are on the day."""
    if by == "province":
        for one in question.registered.provinces:
            yield Named(id=one.province, name_th=one.name_th, name_en=one.name_en)
    else:
        for ministry in question.registry.each(MinistryRegistered, question.day):
            name_th, name_en = ministry.name_th, ministry.name_en
            yield Named(id=ministry.ministry, name_th=name_th, name_en=name_en)


def _members(question: Question, by: Grouping) -> Iterator[tuple[str, str]]:
    """Every addressee and the group it counts in: a unit in the ministry it is under on the day."""
    there = {one.id for one in _named(question, by)}
    yield from ((one, one) for one in sorted(there))
    if by == "ministry":
        for unit in question.registry.each(DepartmentRegistered, question.day):
            if unit.ministry in there:
                yield unit.department, unit.ministry


def _times(row: Row, named: Named) -> Times:
    return Times(
        **dict(named),
        addressed=row.addressed,
        acknowledged=_took(row.acknowledged, row.acknowledged_in),
        complied=_took(row.complied, row.complied_in),
    )


def _took(count: int, seconds: list[float] | None) -> Took:
    median, p90 = seconds or (None, None)
    return Took(
        count=count,
        median_seconds=None if median is None else round(median),
        p90_seconds=None if p90 is None else round(p90),
    )
