"""Who works on which slots: leases in Postgres, fenced by an epoch in every commit.

A lease is a promise of politeness only. What protects the rows is the fence: progress moves from
the value its owner expects, at the owner's epoch, in the transaction of the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import asyncpg

LEASE_SECONDS = 10.0
RENEW_SECONDS = 2.0

_SEEN = """
INSERT INTO projections.workers (worker, seen_until)
VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (worker) DO UPDATE SET seen_until = excluded.seen_until
"""
_FORGET = """
DELETE FROM projections.workers
WHERE worker = $1 OR seen_until < clock_timestamp() - interval '1 hour'
"""
_LIVE = """
SELECT count(*) FROM projections.workers
WHERE seen_until > clock_timestamp() AND starts_with(worker, $1)
"""
_RENEW = """
UPDATE projections.progress SET leased_until = clock_timestamp() + make_interval(secs => $2)
WHERE owner = $1 RETURNING slot, next_position, next_offset, epoch
"""
_TAKE = """
UPDATE projections.progress p
SET owner = $1, epoch = p.epoch + 1,
    leased_until = clock_timestamp() + make_interval(secs => $2)
FROM (SELECT slot FROM projections.progress
      WHERE leased_until < clock_timestamp() AND slot = ANY ($3::smallint[])
      ORDER BY slot LIMIT $4 FOR UPDATE SKIP LOCKED) free
WHERE p.slot = free.slot
RETURNING p.slot, p.next_position, p.next_offset, p.epoch
"""
_RELEASE = """
UPDATE projections.progress SET owner = NULL, leased_until = '-infinity'
WHERE owner = $1 AND slot = ANY ($2::smallint[])
"""
_ADVANCE = """
UPDATE projections.progress p
SET next_position = moved.next_position, next_offset = moved.next_offset
FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
     AS moved (slot, expected, next_position, next_offset, epoch)
WHERE p.slot = moved.slot AND p.owner = $1 AND p.epoch = moved.epoch
  AND p.next_position = moved.expected
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One slot, held at an epoch, applied up to here."""

    slot: int
    next_position: int
    next_offset: int
    epoch: int


class Fenced(Exception):
    """Somebody else owns a slot by now. Nothing was written; take leases anew."""


class Leases:
    """The leases of one worker on some of these slots."""

    def __init__(self, pool: asyncpg.Pool, slots: Sequence[int], *, group: str, name: str) -> None:
        self._pool = pool
        self._slots = list(slots)
        self._group = f"{group}/"
        self._worker = f"{group}/{name}"

    async def refresh(self) -> dict[int, Lease]:
        """Renew what is held, take a fair share of what is free, give back what is too much."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SEEN, self._worker, LEASE_SECONDS)
            share = ceil(len(self._slots) / max(1, await connection.fetchval(_LIVE, self._group)))
            held = _leases(await connection.fetch(_RENEW, self._worker, LEASE_SECONDS))
            if len(held) < share:
                taken = await connection.fetch(
                    _TAKE, self._worker, LEASE_SECONDS, self._slots, share - len(held)
                )
                held |= _leases(taken)
            elif len(held) > share:
                surplus = sorted(held)[share:]
                await connection.execute(_RELEASE, self._worker, surplus)
                held = {slot: lease for slot, lease in held.items() if slot not in surplus}
            return held

    async def advance(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        held: Mapping[int, Lease],
        moved: Mapping[int, tuple[int, int]],
    ) -> None:
        """Move the progress of slots to (next_position, next_offset), inside the rows' transaction.

        Raises:
            Fenced: a slot has another owner, epoch or position than expected.
        """
        slots = sorted(moved)
        done = await connection.execute(
            _ADVANCE,
            self._worker,
            slots,
            [held[slot].next_position for slot in slots],
            [moved[slot][0] for slot in slots],
            [moved[slot][1] for slot in slots],
            [held[slot].epoch for slot in slots],
        )
        if done != f"UPDATE {len(slots)}":
            raise Fenced(self._worker)

    async def release(self) -> None:
        """Give everything back, so that others need not wait for the leases to end."""
        await self._pool.execute(_RELEASE, self._worker, self._slots)
        await self._pool.execute(_FORGET, self._worker)


def _leases(rows: Sequence[asyncpg.Record]) -> dict[int, Lease]:
    return {row["slot"]: Lease(*row) for row in rows}
