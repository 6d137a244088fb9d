"""From notices to what is queued for each webhook, in the order of decisions.

A subscription's cursor moves in the transaction of what it queues, under the row's lock, so any
number of dispatchers queue each notice once. What is queued has its bytes for good.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from schemas.ids import Realm
from services.dispatcher.audiences import Audiences, stamp
from services.domain.subscriptions import OVERTAKING, VOIDING, is_news, own_right
from services.readmodels.notices import (
    Audience,
    Notice,
    Wanted,
    end_of,
    names_in,
    notices,
    structured,
)

_AT_ONCE = 200
"""Subscriptions that one transaction locks."""

_PAGE = 500
"""Notices of one subscription that one transaction queues: a replay goes on in the next."""

# Who is told the same stands together, so that it is looked up once.
_BEHIND = """
SELECT id, owner, realm, filter::text AS filter, cursor FROM outward.subscriptions
WHERE disabled_at IS NULL AND cursor < $1
ORDER BY cursor, owner, realm, filter::text, id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
# What waits already stays as it is; what was settled is told again because of a replay.
_QUEUE = """
INSERT INTO outward.deliveries AS d (subscription, position, event, directive, change, addressee,
                                     overtakes, body, reads, queued_at, next_at)
SELECT n.subscription, n.position, n.event, n.directive, n.change, n.addressee, n.overtakes,
       n.body, n.reads, $1, $1
FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
            $9::bytea[], $10::bytea[])
     AS n (subscription, position, event, directive, change, addressee, overtakes, body, reads)
ORDER BY n.subscription, n.position
ON CONFLICT (subscription, position) DO UPDATE
SET state = 'waiting', body = excluded.body, reads = excluded.reads, queued_at = excluded.queued_at,
    next_at = excluded.next_at, tries = 0, first_at = NULL
WHERE d.state <> 'waiting'
"""
_VOID = """
UPDATE outward.deliveries d SET state = 'superseded', body = NULL
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS v (subscription, directive, position)
WHERE d.subscription = v.subscription AND d.directive = v.directive AND d.position < v.position
  AND d.state = 'waiting'
"""
_MOVE = """
UPDATE outward.subscriptions s SET cursor = moved.cursor
FROM unnest($1::uuid[], $2::bigint[]) AS moved (id, cursor) WHERE s.id = moved.id
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Subscriptions that are told the same from the same place on."""

    owner: str
    realm: Realm
    filter: str
    cursor: int

    @property
    def wanted(self) -> Wanted:
        """Which notices."""
        stated = {name: frozenset(values) for name, values in json.loads(self.filter).items()}
        return Wanted(realm=self.realm, **stated)


@dataclass(frozen=True, slots=True)
class Queued:
    """One notice for one subscription; the fields are the columns of `outward.deliveries`."""

    subscription: UUID
    position: int
    event: str
    directive: str
    change: str
    addressee: str | None
    overtakes: bool
    body: bytes
    reads: bytes


async def queue(pool: asyncpg.Pool, audiences: Audiences, *, now: datetime) -> int:
    """Queue what subscriptions lack; how many of them were behind. None is: there is no more.

    Raises: what asyncpg raises; nothing was queued then.
    """
    async with pool.acquire() as connection, connection.transaction():
        upto = await end_of(connection)
        behind = await connection.fetch(_BEHIND, upto, _AT_ONCE)
        if not behind:
            return 0
        names = await names_in(connection, after=behind[0]["cursor"], upto=upto)
        if names == frozenset():
            # Decisions about other things move nobody's cursor.
            return 0
        queued: list[Queued] = []
        cursors: dict[UUID, int] = {}
        for group, members in _groups(behind).items():
            audience = audiences.of(group.owner, group.realm)
            told, reached = await _told(connection, audience, group, names, upto)
            queued += _rows(told, audience, members)
            cursors.update(dict.fromkeys(members, reached))
        await _write(connection, queued, now=now)
        await connection.execute(_MOVE, list(cursors), list(cursors.values()))
    return len(behind)


def _groups(behind: Sequence[asyncpg.Record]) -> dict[Group, list[UUID]]:
    groups: dict[Group, list[UUID]] = {}
    for row in behind:
        group = Group(row["owner"], row["realm"], row["filter"], row["cursor"])
        groups.setdefault(group, []).append(row["id"])
    return groups


async def _told(
    connection: asyncpg.pool.PoolConnectionProxy,
    audience: Audience,
    group: Group,
    names: frozenset[str] | None,
    upto: int,
) -> tuple[list[Notice], int]:
    """What this group lacks; nobody is asked for whom none of it can be."""
    if audience.reads.is_empty or not audience.may_see(names):
        return [], upto
    return await notices(
        connection, audience, group.wanted, after=group.cursor, upto=upto, limit=_PAGE
    )


def _rows(told: Sequence[Notice], audience: Audience, members: Sequence[UUID]) -> Iterator[Queued]:
    seen_by = stamp(audience.reads)
    for notice in told:
        change = notice.event.change
        if not is_news(change, notice.event.addressee, audience.reads):
            continue
        body = structured(notice)
        for member in members:
            yield Queued(
                member,
                notice.position,
                notice.id,
                notice.event.directive,
                change,
                own_right(notice.told, audience.reads),
                change in OVERTAKING,
                body,
                seen_by,
            )


async def _write(
    connection: asyncpg.pool.PoolConnectionProxy, queued: Sequence[Queued], *, now: datetime
) -> None:
    columns = [[getattr(one, name) for one in queued] for name in Queued.__dataclass_fields__]
    await connection.execute(_QUEUE, now, *columns)
    voiding = [one for one in queued if one.change in VOIDING]
    await connection.execute(
        _VOID,
        [one.subscription for one in voiding],
        [one.directive for one in voiding],
        [one.position for one in voiding],
    )
