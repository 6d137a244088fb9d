"""Public alerts that stand at a moment: neither expired, nor updated, nor cancelled."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.api.answers import answer_page, read_responses, stated
from services.api.bodies import Body, Page, When
from services.api.database import Row
from services.api.problems import BAD_CURSOR
from services.api.reading import Listed, Listing, Question
from services.domain.scope import Resource
from services.operation.problems import Problem
from services.readmodels.facts import span
from services.readmodels.statements import Select

router = APIRouter(tags=["alerts"])

# Source: OASIS CAP 1.2, 3.2.1: an Update or a Cancel supersedes the messages its references name.
_ACTIVE = """
SELECT a.alert, a.source, a.id, a.time, a.message, a.incident, a.event_th, a.headline_th,
       a.headline_en, a.description, a.instruction, a.urgency, a.severity, a.certainty, a.effective,
       a.expires, a.provinces, a.slot, a.position, a.root_slot, a.root_position
FROM alerts.messages a
WHERE {stands} AND a.message <> 'cancel' AND {counts}
  AND (:nation OR a.provinces && CAST(:scope_provinces AS text[]))
  AND (CAST(:provinces AS text[]) IS NULL OR a.provinces && :provinces)
  AND (CAST(:after_time AS timestamptz) IS NULL OR (a.effective, a.source, a.id) <
       (:after_time, CAST(:after_source AS text), CAST(:after_id AS text)))
  AND NOT EXISTS (
      SELECT FROM alerts.messages later
      WHERE later."references" @> ARRAY[a.alert] AND later.source = a.source AND {later_counts}
  )
ORDER BY a.effective DESC, a.source DESC, a.id DESC LIMIT :limit
"""


class Alert(Body):
    """A public alert that stands, in the words of OASIS CAP 1.2."""

    alert: str
    source: str
    id: str
    time: When
    message: Literal["alert", "update"]
    incident: str | None
    event_th: str
    headline_th: str
    headline_en: str | None
    description: str | None
    instruction: str | None
    urgency: Literal["immediate", "expected", "future", "past", "unknown"]
    severity: Literal["extreme", "severe", "moderate", "minor", "unknown"]
    certainty: Literal["observed", "likely", "possible", "unlikely", "unknown"]
    effective: When
    expires: When
    provinces: list[str]


class AlertPage(Page[Alert]):
    """Alerts, the last to take effect first."""


@router.get("/v1/alerts", responses=read_responses(403), response_model=AlertPage)
async def list_alerts(
    request: Request,
    listed: Listed,
    province: Annotated[str | None, Query(max_length=20, description="ISO 3166-2.")] = None,
) -> Response:
    """The alerts that stand at the moment, in the reader's scope."""
    question = listed.question
    question.require(Resource.SITUATION)
    provinces = None if province is None else [province]
    rows = await active(question, provinces, after=_after(listed), limit=listed.limit + 1)
    page = rows[: listed.limit]
    last = None
    if len(rows) > len(page):
        last = [stated(page[-1].effective), page[-1].source, page[-1].id]
    return answer_page(request, listed, AlertPage(items=[alert_of(row) for row in page]), last)


def alert_of(row: Row) -> Alert:
    """The alert of a row."""
    return Alert(**{name: row[name] for name in Alert.model_fields})


async def active(
    question: Question,
    provinces: Sequence[str] | None,
    *,
    after: tuple[datetime, str, str] | None = None,
    limit: int | None = None,
) -> list[Row]:
    """The alerts that stand in these provinces, or anywhere, within the reader's scope."""
    return await question.select(query_of(question, provinces, after=after, limit=limit))


def query_of(
    question: Question,
    provinces: Sequence[str] | None,
    *,
    after: tuple[datetime, str, str] | None = None,
    limit: int | None = None,
) -> Select:
    """What finds them."""
    moment, scope = question.moment, question.scope
    after_time, after_source, after_id = after or (None, None, None)
    named = {
        "nation": scope.nation,
        "scope_provinces": sorted(scope.provinces),
        "provinces": None if provinces is None else list(provinces),
        "after_time": after_time,
        "after_source": after_source,
        "after_id": after_id,
        "limit": limit,
    }
    sql = _ACTIVE.format(
        stands=f"{span('a.effective', 'a.expires')} @> CAST(:as_of AS timestamptz)",
        counts=moment.counts("a"),
        later_counts=moment.counts("later"),
    )
    return Select(sql, named)


def _after(listed: Listing) -> tuple[datetime, str, str] | None:
    match listed.last:
        case None:
            return None
        case [str(effective), str(source), str(id_)]:
            return datetime.fromisoformat(effective), source, id_
        case _:
            raise Problem(BAD_CURSOR)
