"""What became of notices on their way to a subscription, attempt by attempt; and a test of it."""

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.answers import answer_page, read_responses
from services.api.bodies import Body, Page, When
from services.api.database import Row, transaction_for
from services.api.problems import BAD_CURSOR, documented
from services.api.reading import Asker, Listed, Listing, Opened
from services.api.subscriptions import SubscriptionPath, own_one
from services.domain.subscriptions import TEST, check_active
from services.operation.problems import Problem
from services.readmodels.statements import fetch

router = APIRouter(tags=["subscriptions"])

# One that waits already is the test that is asked for.
_TEST = """
INSERT INTO outward.deliveries (subscription, position, event, change, body, queued_at, next_at)
SELECT CAST(:id AS uuid), least(coalesce(min(position), 0), 0) - 1, CAST(:event AS text),
       CAST(:change AS text), CAST(:body AS bytea), CAST(:now AS timestamptz), :now
FROM outward.deliveries WHERE subscription = :id
HAVING NOT coalesce(bool_or(change = :change AND state = 'waiting'), FALSE)
"""
_LISTED = """
SELECT d.position, d.event, d.directive, d.change, d.state, d.queued_at,
       CASE WHEN d.state = 'waiting' THEN d.next_at END AS next_attempt_at, attempts.told
FROM outward.deliveries d
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
               'at', a.at, 'status', a.status, 'said', a.said,
               'duration_ms', round(extract(epoch FROM a.ended_at - a.at) * 1000)::int
           ) ORDER BY a.number), '[]')::text AS told
    FROM outward.attempts a
    WHERE a.subscription = d.subscription AND a.position = d.position
) attempts
WHERE d.subscription = :id
"""
_TIMELINE = f"""
{_LISTED} AND (CAST(:last_at AS timestamptz) IS NULL
               OR (d.queued_at, d.position) < (:last_at, CAST(:last AS bigint)))
ORDER BY d.queued_at DESC, d.position DESC LIMIT :limit
"""
_WAITING_TEST = f"{_LISTED} AND d.change = :change ORDER BY d.position LIMIT 1"


class Attempt(Body):
    """One attempt to deliver."""

    at: When
    status: int | None
    """Null where nothing was answered."""
    duration_ms: int | None
    """Null while it is under way; it stays so where the sender was cut off."""
    said: str | None
    """The beginning of what came back in one line, or why nothing did."""


class Delivery(Body):
    """One notice on its way."""

    event: str
    """Its `webhook-id`, the same at every attempt and for ever."""
    directive: str | None
    """Null of a test."""
    change: str
    """What is told: `issued`, `acknowledged`, …, `test`."""
    state: Literal["waiting", "delivered", "superseded", "withheld", "undeliverable"]
    """`superseded`: its directive has ended, and that is told instead. `withheld`: the subscriber
    may not see it any more."""
    queued_at: When
    next_attempt_at: When | None
    """While it waits; it may wait longer for what is told before it."""
    attempts: list[Attempt]


class DeliveryPage(Page[Delivery]):
    """What was told or is to be, the last queued first."""


@router.post(
    "/v1/subscriptions/{id}/test",
    status_code=202,
    response_model=Delivery,
    responses=documented(400, 401, 403, 404, 409, 503),
)
async def send_test(id_: SubscriptionPath, asker: Asker, resources: Opened) -> Delivery:
    """A test event is sent there; one that still waits is the one that is asked for."""
    now, event = resources.clock(), str(uuid4())
    async with transaction_for(resources.pool, str(asker)) as connection:
        row = await own_one(connection, id_, now=now)
        check_active(is_disabled=row.disabled_at is not None)
        body = _test_event(id_, event, realm=row.realm, now=now)
        named = {"id": id_, "event": event, "body": body, "now": now, "change": TEST}
        await fetch(connection, _TEST, named)
        (waiting,) = await fetch(connection, _WAITING_TEST, {"id": id_, "change": TEST})
    return _delivery(waiting)


@router.get(
    "/v1/subscriptions/{id}/deliveries",
    responses=read_responses(404),
    response_model=DeliveryPage,
)
async def list_deliveries(request: Request, listed: Listed, id_: SubscriptionPath) -> Response:
    """What was told there or is to be, with every attempt: when, what came back, how long it took.

    An attempt without an end was cut off, or is under way.
    """
    question = listed.question
    await own_one(question.connection, id_, now=question.resources.clock())
    last_at, last = _last_delivery(listed)
    rows = await question.rows(
        _TIMELINE, id=id_, last_at=last_at, last=last, limit=listed.limit + 1
    )
    page = rows[: listed.limit]
    key = [page[-1].queued_at.isoformat(), page[-1].position] if len(rows) > len(page) else None
    body = DeliveryPage(items=[_delivery(row) for row in page])
    return answer_page(request, listed, body, key)


def _test_event(id_: UUID, event: str, *, realm: str, now: datetime) -> bytes:
    """A CloudEvent of no directive, and of no type that is ever in the log."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event,
            "source": f"/subscriptions/{id_}",
            "type": "subscription.tested.v1",
            "time": now,
            "datacontenttype": "application/json",
            "realm": realm,
            "data": {"subscription": str(id_)},
        }
    )


def _delivery(row: Row) -> Delivery:
    attempts = msgspec.json.decode(row.told)
    return Delivery(
        event=row.event,
        directive=row.directive,
        change=row.change,
        state=row.state,
        queued_at=row.queued_at,
        next_attempt_at=row.next_attempt_at,
        attempts=[Attempt(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in attempts],
    )


def _last_delivery(listed: Listing) -> tuple[datetime | None, int | None]:
    match listed.last:
        case None:
            return None, None
        case [str(at), int(position)]:
            return datetime.fromisoformat(at), position
        case _:
            raise Problem(BAD_CURSOR)
