"""Centres: what they are, when they were last heard, and which of their events never came."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from schemas.events.registry import CentreRegistered
from schemas.ids import CentreId, source_of_centre
from services.api.answers import answer, answer_page, page_of, read_responses
from services.api.bodies import Body, Page, When
from services.api.database import Row
from services.api.problems import not_found
from services.api.reading import Asked, Listed, Question
from services.domain import thai
from services.domain.scope import Resource, Scope
from services.readmodels.statements import Select

router = APIRouter(tags=["centres"])

LOOKED_AT = 5_000
"""Missing sequence numbers are looked for among so many of a source's latest events."""

MOST_RANGES = 100

# What was last stated of a centre.
_WORD = """
SELECT s.state, s.since, s.source AS word_source, s.id AS word_id, s.slot, s.position,
       s.root_slot, s.root_position
FROM centres.silences s
WHERE s.centre = c.centre AND {counts}
ORDER BY s.time DESC, s.source DESC, coalesce(s.sequence, -1) DESC, s.id DESC LIMIT 1
"""
# IS TRUE keeps the list a table to look names up in, made when the first is looked up: joined with
# it, the planner may go through all of it for each of them.
_SILENT = f"""
SELECT c.centre, word.* FROM (
    SELECT DISTINCT span.centre FROM centres.spans span
    WHERE span.realm = :realm AND {{may_be}}
      AND (span.centre IN (SELECT unnest(string_to_array(:centres, ',')))) IS TRUE
) c
CROSS JOIN LATERAL ({_WORD}) word WHERE word.state = 'silent' ORDER BY c.centre
"""
# A sealed event was heard too, but nothing of it is shown.
_HEARD = f"""
SELECT c.centre, c.source, heard.time AS last_heard, word.*
FROM unnest(CAST(:centres AS text[]), CAST(:sources AS text[])) AS c (centre, source)
LEFT JOIN LATERAL (
    SELECT i.time FROM events.identities i
    WHERE i.realm = :realm AND i.source = c.source AND i.time <= :as_of AND i.slot IS NOT NULL
      AND NOT i.sealed AND {{known}}
    ORDER BY i.time DESC LIMIT 1
) heard ON TRUE
LEFT JOIN LATERAL ({_WORD}) word ON TRUE
"""

_MISSING = """
WITH reset AS (
    SELECT max(r.time) AS time FROM centres.resets r WHERE r.source = :source AND {counts}
), looked_at AS (
    SELECT i.sequence, i.time FROM events.identities i, reset
    WHERE i.realm = :realm AND i.source = :source AND i.time <= :as_of AND i.sequence IS NOT NULL
      AND (reset.time IS NULL OR i.time >= reset.time) AND {known}
    ORDER BY i.time DESC LIMIT :looked_at
), numbered AS (
    SELECT sequence, lead(sequence) OVER (ORDER BY sequence) AS following
    FROM (SELECT DISTINCT sequence FROM looked_at) known
), gaps AS (
    SELECT sequence + 1 AS first, following - 1 AS last FROM numbered
    WHERE following > sequence + 1 ORDER BY 1 DESC LIMIT :ranges
)
SELECT (SELECT min(time) FROM looked_at) AS since,
       (SELECT count(*) FROM looked_at) AS seen,
       (SELECT array_agg(ARRAY[first, last] ORDER BY first) FROM gaps) AS gaps
"""


class Centre(Body):
    """A centre and whether it is heard."""

    id: str
    source: str
    level: Literal["PMOC", "MOC", "DOC", "POC", "other"]
    parent: str | None
    name_th: str
    name_en: str | None
    province: str | None
    ministry: str | None
    department: str | None
    reporting_interval_seconds: int | None
    """Null: it owes no regular sign of life."""
    last_heard: When | None
    """The time of its latest event."""
    silent_since: When | None
    """When its interval ran out; null while it is heard."""


class CentrePage(Page[Centre]):
    """Centres in the order of their Thai names."""


class Range(Body):
    """Sequence numbers from first to last, both missing."""

    first: int
    last: int


class Missing(Body):
    """Which of a source's sequence numbers never came, the latest hundred ranges of them."""

    since: When | None
    """Looked for from here on: the last reset of the counter, or the oldest event looked at."""
    complete: bool
    """False: older events, or more ranges, were not looked at."""
    ranges: list[Range]


class CentreDetail(Centre):
    """A centre, whether it is heard, and what of it is missing."""

    missing: Missing


@router.get("/v1/centres", responses=read_responses(403), response_model=CentrePage)
async def list_centres(request: Request, listed: Listed) -> Response:
    """The centres in the reader's scope on the day, by Thai name."""
    question = listed.question
    scope = question.require(Resource.CENTRES)
    keyed = (
        ([*thai.sort_key(one.name_th), one.centre], one) for one in centres_in(question, scope)
    )
    page, last = page_of(listed, keyed)
    heard = await hearing(question, page)
    items = [Centre(**_fields(one, heard)) for one in page]
    return answer_page(request, listed, CentrePage(items=items), last)


@router.get("/v1/centres/{centre}", responses=read_responses(403, 404), response_model=CentreDetail)
async def get_centre(
    request: Request,
    question: Asked,
    centre: Annotated[str, Path(max_length=128, examples=["poc:TH-83"])],
) -> Response:
    """One centre: its place in the network, when it was last heard, what is missing."""
    scope = question.require(Resource.CENTRES)
    found = question.registry.centre(centre, question.day)
    if found is None or not scope.sees_centre(found.centre, found.province):
        raise not_found()
    heard = await hearing(question, [found])
    missing = await _missing(question, source_of_centre(CentreId(found.centre)))
    detail = CentreDetail(**_fields(found, heard), missing=missing)
    return answer(request, question, detail)


def centres_in(question: Question, scope: Scope) -> Iterable[CentreRegistered]:
    """The centres there were on the day, as far as the scope reaches."""
    return (
        one for one in question.registered.centres if scope.sees_centre(one.centre, one.province)
    )


async def hearing(question: Question, centres: Sequence[CentreRegistered]) -> Mapping[str, Row]:
    """When each was last heard and whether it is silent, by source."""
    moment = question.moment
    rows = await question.rows(
        _HEARD.format(known=moment.known_by("i"), counts=moment.counts("s")),
        centres=[one.centre for one in centres],
        sources=[source_of_centre(CentreId(one.centre)) for one in centres],
    )
    return {row.source: row for row in rows}


async def silent_of(question: Question, centres: str) -> list[Row]:
    """Since when each of these (ids with commas between them) is silent, of those that are."""
    return await question.select(silences(question, centres))


def silences(question: Question, centres: str) -> Select:
    """What finds them."""
    moment = question.moment
    may_be = moment.may_span("span.began", "span.ended")
    # In one text: the driver takes longer over each element of an array than the question.
    return Select(_SILENT.format(counts=moment.counts("s"), may_be=may_be), {"centres": centres})


async def _missing(question: Question, source: str) -> Missing:
    moment = question.moment
    (row,) = await question.rows(
        _MISSING.format(known=moment.known_by("i"), counts=moment.counts("r")),
        source=source,
        looked_at=LOOKED_AT,
        ranges=MOST_RANGES,
    )
    gaps = row.gaps or []
    return Missing(
        since=row.since,
        complete=row.seen < LOOKED_AT and len(gaps) < MOST_RANGES,
        ranges=[Range(first=first, last=last) for first, last in gaps],
    )


def _fields(centre: CentreRegistered, heard: Mapping[str, Row]) -> dict[str, object]:
    source = source_of_centre(CentreId(centre.centre))
    row = heard[source]
    return {
        "id": centre.centre,
        "source": source,
        "level": centre.level,
        "parent": centre.parent,
        "name_th": centre.name_th,
        "name_en": centre.name_en,
        "province": centre.province,
        "ministry": centre.ministry,
        "department": centre.department,
        "reporting_interval_seconds": centre.reporting_interval_seconds,
        "last_heard": row.last_heard,
        "silent_since": row.since if row.state == "silent" else None,
    }
