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
       b.number, s.owner, s.realm, s.url, s.signing, s.failing,
       ARRAY(SELECT k.sealed FROM outward.secrets k
             WHERE k.subscription = s.id AND k.ends_at > $1 ORDER BY k.number DESC) AS secrets
FROM leased l
JOIN begun b ON b.subscription = l.subscription AND b.position = l.position
JOIN outward.subscriptions s ON s.id = l.subscription
"""
# A notice that was superseded meanwhile stays so, unless it was delivered after all.
_SETTLE = """
WITH ended AS (
    UPDATE outward.attempts SET ended_at = $4, status = $5, said = $6
    WHERE subscription = $1 AND position = $2 AND number = $3
), settled AS (
    UPDATE outward.deliveries
    SET state = $7, next_at = coalesce($8, next_at), leased_until = '-infinity',
        body = CASE WHEN $7 = 'delivered' THEN NULL ELSE body END
    WHERE subscription = $1 AND position = $2
      AND ($7 = 'delivered' OR (state = 'waiting' AND leased_until = $9))
)
UPDATE outward.subscriptions SET failing = $10 WHERE id = $1 AND failing <> $10
"""
# It takes things in again: what it missed need not wait for its next turn.
_HASTEN = """
UPDATE outward.deliveries SET next_at = $2
WHERE subscription = $1 AND state = 'waiting' AND next_at > $2
"""
_DISABLE = """
WITH disabled AS (
    UPDATE outward.subscriptions SET disabled_at = $2, disabled_because = $3
    WHERE id = $1 AND disabled_at IS NULL
)
UPDATE outward.deliveries SET state = 'undeliverable'
WHERE subscription = $1 AND state = 'waiting'
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
    failing: bool
    secrets: Sequence[bytes]
    """Sealed, the newest first."""
    leased_until: datetime

    def tried(self, ended_at: datetime) -> Tried:
        """The attempts so far, when this one ended."""
        return Tried(self.tries, self.first_at, ended_at)


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


async def settle(
    pool: asyncpg.Pool, due: Due, answer: Answer, verdict: Verdict, *, now: datetime
) -> None:
    """What came of the attempt, and what follows from it, is written down.

    Raises: what asyncpg raises; the lease runs out then, and it is sent again.
    """
    delivered = verdict.is_now == "delivered"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            _SETTLE,
            due.subscription,
            due.position,
            due.number,
            now,
            answer.status,
            answer.said,
            verdict.is_now,
            verdict.next_at,
            due.leased_until,
            not delivered,
        )
        if delivered and due.failing:
            await connection.execute(_HASTEN, due.subscription, now)
        if verdict.disables:
            await connection.execute(_DISABLE, due.subscription, now, verdict.disables)


async def withhold(pool: asyncpg.Pool, due: Due) -> None:
    """It is not for this subscriber any more: nothing was attempted.

    Raises: what asyncpg raises; the lease runs out then.
    """
    await pool.execute(_WITHHOLD, due.subscription, due.position, due.number)
