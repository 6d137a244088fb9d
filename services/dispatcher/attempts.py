"""Who sends what next: deliveries that are due, leased to one dispatcher, and what came of each.

An attempt is written down when it begins: one that a crash cuts off stays in the timeline without
an end, its lease runs out, and the same message is sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from schemas.ids import Realm
from services.domain.retrying import Answer, Tried, Verdict
from services.domain.subscriptions import AT_ONCE
from services.identity.signing import Signing

LEASE = timedelta(seconds=30)
"""Twice what an attempt takes at most."""

type Lane = Literal["healthy", "failing"]
"""Endpoints whose last attempt failed wait for each other, and nobody else for them."""

# The next of a directive waits until the one before is settled, unless it overtakes.
_DUE = """
d.state = 'waiting' AND d.next_at <= $1 AND d.leased_until <= $1
AND (d.overtakes OR d.directive IS NULL OR NOT EXISTS (
    SELECT FROM outward.deliveries earlier
    WHERE earlier.subscription = d.subscription AND earlier.directive = d.directive
      AND earlier.state = 'waiting' AND earlier.position < d.position))
"""
_ROOM = f"""
(CASE WHEN s.failing THEN 1 ELSE {AT_ONCE} END - (
    SELECT count(*) FROM outward.deliveries f
    WHERE f.subscription = s.id AND f.state = 'waiting' AND f.leased_until > $1))
"""
# The lock first: the statement after it sees what its holder before leased, so that no endpoint is
# ever called more often at once than it may be.
_ENDPOINTS = f"""
SELECT s.id FROM outward.subscriptions s
WHERE s.disabled_at IS NULL AND s.failing = $2 AND {_ROOM} > 0
  AND EXISTS (SELECT FROM outward.deliveries d WHERE d.subscription = s.id AND {_DUE})
ORDER BY s.id LIMIT $3 FOR UPDATE OF s SKIP LOCKED
"""
_LEASE = f"""
WITH chosen AS (
    SELECT d.subscription, d.position
    FROM outward.subscriptions s
    CROSS JOIN LATERAL (
        SELECT d.subscription, d.position FROM outward.deliveries d
        WHERE d.subscription = s.id AND {_DUE}
        ORDER BY d.overtakes DESC, d.next_at, d.position LIMIT greatest(0, {_ROOM})
    ) d
    WHERE s.id = ANY ($2) LIMIT $3
), leased AS (
    UPDATE outward.deliveries d
    SET leased_until = $4, tries = d.tries + 1, first_at = coalesce(d.first_at, $1)
    FROM chosen c WHERE d.subscription = c.subscription AND d.position = c.position
    RETURNING d.*
), begun AS (
    INSERT INTO outward.attempts (subscription, position, number, at)
    SELECT l.subscription, l.position, 1 + (
        SELECT count(*) FROM outward.attempts a
        WHERE a.subscription = l.subscription AND a.position = l.position), $1
    FROM leased l RETURNING subscription, position, number
)
SELECT l.subscription, l.position, l.event, l.directive, l.body, l.reads, l.tries, l.first_at,
       b.number, s.owner, s.realm, s.url, s.signing,
       ARRAY(SELECT k.sealed FROM outward.secrets k
             WHERE k.subscription = s.id AND k.ends_at > $1 ORDER BY k.number DESC) AS secrets
FROM leased l
JOIN begun b ON b.subscription = l.subscription AND b.position = l.position
JOIN outward.subscriptions s ON s.id = l.subscription
"""
# Subscriptions are locked before deliveries here as everywhere, so that nobody waits in a ring.
_FAILING = """
UPDATE outward.subscriptions s SET failing = NOT told.delivered
FROM (SELECT t.subscription, bool_or(t.state = 'delivered') AS delivered
      FROM unnest($1::uuid[], $2::text[]) AS t (subscription, state) GROUP BY t.subscription) told
WHERE s.id = told.subscription AND s.failing = told.delivered
RETURNING s.id, s.failing
"""
_DISABLE = """
UPDATE outward.subscriptions s SET disabled_at = t.at, disabled_because = t.because
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t (subscription, at, because)
WHERE s.id = t.subscription AND s.disabled_at IS NULL
"""
# A notice that was superseded meanwhile stays so, unless it was delivered after all.
_SETTLE = """
WITH told AS (
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::timestamptz[], $5::smallint[],
                         $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
         AS t (subscription, position, number, ended_at, status, said, state, next_at, leased_until)
    ORDER BY subscription, position
), ended AS (
    UPDATE outward.attempts a SET ended_at = t.ended_at, status = t.status, said = t.said
    FROM told t
    WHERE a.subscription = t.subscription AND a.position = t.position AND a.number = t.number
)
UPDATE outward.deliveries d
SET state = t.state, next_at = coalesce(t.next_at, d.next_at), leased_until = '-infinity',
    body = CASE WHEN t.state = 'delivered' THEN NULL ELSE d.body END
FROM told t
WHERE d.subscription = t.subscription AND d.position = t.position
  AND (t.state = 'delivered' OR (d.state = 'waiting' AND d.leased_until = t.leased_until))
"""
# They take things in again: what they missed need not wait for its next turn.
_HASTEN = """
UPDATE outward.deliveries SET next_at = $2
WHERE subscription = ANY ($1) AND state = 'waiting' AND next_at > $2
"""
_GIVE_UP = """
UPDATE outward.deliveries SET state = 'undeliverable'
WHERE subscription = ANY ($1) AND state = 'waiting'
"""
_WITHHOLD = """
WITH unmade AS (
    DELETE FROM outward.attempts WHERE subscription = $1 AND position = $2 AND number = $3
)
UPDATE outward.deliveries SET state = 'withheld', body = NULL, leased_until = '-infinity'
WHERE subscription = $1 AND position = $2 AND state = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that is ours to send now."""

    subscription: UUID
    position: int
    event: str
    directive: str | None
    body: bytes
    reads: bytes | None
    tries: int
    first_at: datetime
    number: int
    """Of the attempt, from 1, whatever came between."""
    owner: str
    realm: Realm
    url: str
    signing: Signing
    secrets: Sequence[bytes]
    """Sealed, the newest first."""
    leased_until: datetime

    def tried(self, ended_at: datetime) -> Tried:
        """The attempts so far, when this one ended."""
        return Tried(self.tries, self.first_at, ended_at)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, and what follows from it."""

    due: Due
    answer: Answer
    verdict: Verdict
    ended_at: datetime


async def lease(pool: asyncpg.Pool, lane: Lane, *, limit: int, now: datetime) -> list[Due]:
    """At most so many deliveries of this lane, ours until their lease ends; attempts have begun.

    Raises: what asyncpg raises; nothing was leased then, or all of it runs out.
    """
    until = now + LEASE
    async with pool.acquire() as connection, connection.transaction():
        found = await connection.fetch(_ENDPOINTS, now, lane == "failing", limit)
        if not found:
            return []
        rows = await connection.fetch(_LEASE, now, [row["id"] for row in found], limit, until)
    return [Due(**row, leased_until=until) for row in rows]


async def settle(pool: asyncpg.Pool, outcomes: Sequence[Outcome]) -> None:
    """What came of these attempts, and what follows from it, is written down.

    Raises: what asyncpg raises; their leases run out then, and all of it is sent again.
    """
    subscriptions = [one.due.subscription for one in outcomes]
    states = [one.verdict.is_now for one in outcomes]
    given_up = [one for one in outcomes if one.verdict.disables]
    async with pool.acquire() as connection, connection.transaction():
        turned = await connection.fetch(_FAILING, subscriptions, states)
        if given_up:
            await connection.execute(
                _DISABLE,
                [one.due.subscription for one in given_up],
                [one.ended_at for one in given_up],
                [one.verdict.disables for one in given_up],
            )
        await connection.execute(_SETTLE, *map(list, zip(*map(_row, outcomes), strict=True)))
        if back := [row["id"] for row in turned if not row["failing"]]:
            await connection.execute(_HASTEN, back, max(one.ended_at for one in outcomes))
        if given_up:
            await connection.execute(_GIVE_UP, [one.due.subscription for one in given_up])


async def withhold(pool: asyncpg.Pool, due: Due) -> None:
    """It is not for this subscriber any more: nothing was attempted.

    Raises: what asyncpg raises; the lease runs out then.
    """
    await pool.execute(_WITHHOLD, due.subscription, due.position, due.number)


def _row(one: Outcome) -> tuple[object, ...]:
    """The columns of `_SETTLE`."""
    due, answer, verdict = one.due, one.answer, one.verdict
    return (
        due.subscription,
        due.position,
        due.number,
        one.ended_at,
        answer.status,
        answer.said,
        verdict.is_now,
        verdict.next_at,
        due.leased_until,
    )
