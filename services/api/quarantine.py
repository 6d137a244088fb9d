"""What could not be read or applied, and what contradicts; for operators alone.

The bytes stay where they are: they may be what nobody should read. A retry is only asked for here;
the runner does it, and says what came of it.
"""

import asyncio
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request, status
from starlette.responses import Response

from services.api.answers import answer_page, read_responses
from services.api.bodies import Body, Page, When
from services.api.database import Pool, Row, transaction_for
from services.api.events import conflicts_known
from services.api.problems import BAD_CURSOR, documented, forbidden
from services.api.reading import Asker, Listed, Listing, Opened
from services.domain.scope import Resource, may_retry
from services.operation.problems import Problem
from services.readmodels.moment import Live

router = APIRouter(tags=["quarantine"])

_EVER = datetime.max.replace(tzinfo=UTC)

_LISTED = """
SELECT * FROM (
    SELECT 'unreadable' AS kind, q.topic AS of, q.partition::bigint AS partition,
           q."offset" AS place, q.reason, q.quarantined_at AS at, NULL AS key,
           q.bytes, encode(q.digest, 'hex') AS digest
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

_LOOK_SECONDS = 0.2
_ASK = """
WITH asked AS (
    INSERT INTO projections.retries (requested_by) VALUES ($1) ON CONFLICT DO NOTHING
    RETURNING number
)
SELECT number FROM asked
UNION ALL SELECT number FROM projections.retries WHERE done_at IS NULL LIMIT 1
"""
_ASKED = """
SELECT number, requested_at, done_at, outcome FROM projections.retries WHERE number = $1
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


class Counted(Body):
    """How many, of each kind."""

    unreadable: int
    parked: int


class Tried(Body):
    """One message or fact that was tried again."""

    kind: Literal["unreadable", "parked"]
    of: str
    """The topic it lies in, or the read model."""
    partition: int
    place: int
    key: str | None
    resolved: bool
    """Whether it is no longer in the list."""
    note: str
    """What came of it, or why it is still refused."""


class Outcome(Body):
    """What was tried again, and what came of it."""

    resolved: Counted
    refused: Counted
    items: list[Tried]
    """The first 500 of them, in the order they were tried."""


class Retry(Body):
    """One request to try again what could not be read or applied."""

    number: int
    requested_at: When
    done_at: When | None
    """Null while it is under way: ask again, and the answer is about the same request."""
    outcome: Outcome | None


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


@router.post(
    "/v1/quarantine/retry",
    response_model=Retry,
    responses={
        200: {"description": "It is done."},
        202: {"model": Retry, "description": "It is under way: ask again."},
        **documented(401, 403, 503),
    },
)
async def retry_quarantine(resources: Opened, asker: Asker) -> Response:
    """Try everything again that could not be read or applied; what is still refused stays listed.

    What can be read by now has its effect at its own place in the log, so that the state becomes
    what it would have been. Asked twice, it is done once. A message in a centre's inbox was refused
    by the door and is not tried: its centre sends it again.
    """
    if not may_retry(asker):
        raise forbidden()
    number = await _asked(resources.pool, str(asker))
    seconds = resources.patience.after_seconds
    row = await _done(resources.pool, str(asker), number=number, seconds=seconds)
    outcome = None if row.outcome is None else Outcome.model_validate_json(row.outcome)
    body = Retry(
        number=row.number, requested_at=row.requested_at, done_at=row.done_at, outcome=outcome
    )
    return Response(
        body.model_dump_json(),
        status.HTTP_202_ACCEPTED if row.done_at is None else status.HTTP_200_OK,
        media_type="application/json",
    )


async def _asked(pool: Pool, asker: str) -> int:
    """The request that waits by now: a new one, or the one that somebody made before."""
    while True:
        async with transaction_for(pool, asker) as connection:
            number: int | None = await connection.fetchval(_ASK, asker)
        # None when the one that was in the way has been done at this very moment.
        if number is not None:
            return number


async def _done(pool: Pool, asker: str, *, number: int, seconds: float) -> Row:
    """The request, once it is done or this much time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        async with transaction_for(pool, asker) as connection:
            (row,) = await connection.fetch(_ASKED, number)
        if row.done_at is not None or asyncio.get_running_loop().time() > deadline:
            return row
        await asyncio.sleep(_LOOK_SECONDS)
