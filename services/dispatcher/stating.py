"""What becomes of deliveries to addressees is stated in their directives, once.

An addressee has a directive once its issue was taken in by its own system. Where that takes nothing
in for days, the directive's history says so, and the issuer's side reads it there.
"""

from datetime import datetime
from uuid import UUID, uuid5

import asyncpg

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.directive import DirectiveUndeliverable
from services.dispatcher.delivered import SOURCE, state_delivered
from services.domain import directives
from services.domain.directives import DECIDER, Directive
from services.eventlog.store import DecisionStore
from services.eventlog.transact import transact

_NAMES = UUID("6f6f3f7e-52a4-5d0b-9a41-0a0d6a4b7c58")
_AT_ONCE = 500

_UNSTATED = """
SELECT d.subscription, d.position, d.event, d.directive, d.addressee, d.state, d.tries,
       coalesce(d.first_at, d.queued_at) AS since, s.owner, s.realm, last.status
FROM outward.deliveries d
JOIN outward.subscriptions s ON s.id = d.subscription
LEFT JOIN LATERAL (
    SELECT a.status FROM outward.attempts a
    WHERE a.subscription = d.subscription AND a.position = d.position
    ORDER BY a.number DESC LIMIT 1
) last ON TRUE
WHERE d.addressee IS NOT NULL AND d.stated IS DISTINCT FROM d.state
  AND (d.state = 'undeliverable' OR (d.state = 'delivered' AND d.change = 'issued'))
ORDER BY d.queued_at, d.position LIMIT $1
"""
_STATED = """
UPDATE outward.deliveries d SET stated = s.state
FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS s (subscription, position, state)
WHERE d.subscription = s.subscription AND d.position = s.position
"""


async def state_outcomes(pool: asyncpg.Pool, store: DecisionStore, *, now: datetime) -> int:
    """Directives know of what came of deliveries since; of how many there was something to state.

    Raises:
        StoreUnavailable, Contended, or what asyncpg raises: the rest is stated the next time.
    """
    rows = await pool.fetch(_UNSTATED, _AT_ONCE)
    # A directive to many is read once for all of them.
    taken = [
        (row["realm"], row["directive"], row["addressee"])
        for row in rows
        if row["state"] == "delivered"
    ]
    await state_delivered(store, set(taken), channel="webhook", now=now)
    for row in rows:
        if row["state"] == "undeliverable":
            await _state_undeliverable(store, row, now=now)
    if rows:
        columns = ([row[name] for row in rows] for name in ("subscription", "position", "state"))
        await pool.execute(_STATED, *columns)
    return len(rows)


async def _state_undeliverable(store: DecisionStore, row: asyncpg.Record, *, now: datetime) -> None:
    told = DirectiveUndeliverable(
        directive=row["directive"],
        addressee=row["addressee"],
        channel="webhook",
        subscriber=row["owner"],
        notice=row["event"],
        attempts=row["tries"],
        since=row["since"],
        reason="no answer" if row["status"] is None else f"status {row['status']}",
    )

    def decide(directive: Directive) -> list[EventModel]:
        return directives.undeliverable(directive, told)

    def envelope(event: EventModel, _version: int) -> Envelope:
        # Of the endpoint and the directive: the other notices of it that wait are the same news.
        return Envelope(
            id=str(uuid5(_NAMES, f"{row['subscription']}/{told.directive}")),
            source=SOURCE,
            type=event.type,
            time=now,
            subject=f"directives/{told.directive}",
            realm=row["realm"],
        )

    await transact(store, DECIDER.within(row["realm"]), told.directive, decide, envelope=envelope)
