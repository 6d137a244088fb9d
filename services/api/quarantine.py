"""What could not be read or applied, and what contradicts; for operators alone.

The bytes stay where they are: they may be what nobody should read. `kamkap` retries what is parked.
"""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.answers import answer_page, read_responses
from services.api.bodies import Body, Page, When
from services.api.events import conflicts_known
from services.api.problems import BAD_CURSOR
from services.api.reading import Listed, Listing
from services.domain.scope import Resource
from services.operation.problems import Problem
from services.readmodels.moment import Live

router = APIRouter(tags=["quarantine"])

_EVER = datetime.max.replace(tzinfo=UTC)

_LISTED = """
SELECT * FROM (
    SELECT 'unreadable' AS kind, q.topic AS of, q.partition::bigint AS partition,
           q."offset" AS place, q.reason, q.quarantined_at AS at, NULL AS key,
           octet_length(q.value)::bigint AS bytes, encode(sha256(q.value), 'hex') AS digest
    FROM projections.quarantine q WHERE q.resolved_at IS NULL AND q.quarantined_at <= :until
    UNION ALL
    SELECT 'parked', p.model, p.slot, p.position, p.reason, p.parked_at, p.key, NULL, NULL
    FROM projections.parked p WHERE p.parked_at <= :until
    UNION ALL
    SELECT 'conflict', c.source, c.slot, c.position, 'the id is taken by other content', NULL, c.id,
           NULL, encode(c.digest, 'hex')
    FROM events.conflicts c WHERE c.realm = :realm AND {known}
) listed
WHERE CAST(:after_kind AS text) IS NULL OR (kind, of, partition, place) >
      (:after_kind, CAST(:after_of AS text), CAST(:after_partition AS bigint),
       CAST(:after_place AS bigint))
ORDER BY kind, of, partition, place LIMIT :limit
"""


class Quarantined(Body):
    """One message or fact that has no effect."""

    kind: Literal["unreadable", "parked", "conflict"]
    of: str
    """The topic it lies in, the read model that could not apply it, or its source."""
    partition: int
    place: int
    """Its offset or position in the partition."""
    key: str | None
    """What waits with it, or the id that is taken."""
    reason: str
    at: When | None
    bytes: int | None
    digest: str | None
    """SHA-256 of the bytes, or the digest of a conflict's content."""


class QuarantinePage(Page[Quarantined]):
    """What has no effect, by kind and place."""


@router.get("/v1/quarantine", responses=read_responses(403), response_model=QuarantinePage)
async def list_quarantine(request: Request, listed: Listed) -> Response:
    """What could not be read (unreadable) or applied (parked), and what contradicts (conflict)."""
    question = listed.question
    question.require(Resource.QUARANTINE)
    moment = question.moment
    after = _after(listed)
    rows = await question.rows(
        _LISTED.format(known=conflicts_known(moment)),
        until=_EVER if isinstance(moment.known, Live) else question.known_at,
        after_kind=after[0],
        after_of=after[1],
        after_partition=after[2],
        after_place=after[3],
        limit=listed.limit + 1,
    )
    page = rows[: listed.limit]
    last = None
    if len(rows) > len(page):
        last = [page[-1].kind, page[-1].of, page[-1].partition, page[-1].place]
    body = QuarantinePage(items=[Quarantined(**row) for row in page])
    return answer_page(request, listed, body, last)


def _after(listed: Listing) -> tuple[str | None, str | None, int | None, int | None]:
    match listed.last:
        case None:
            return None, None, None, None
        case [str(kind), str(of), int(partition), int(place)]:
            return kind, of, partition, place
        case _:
            raise Problem(BAD_CURSOR)
