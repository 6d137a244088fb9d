"""Kafka out: `out.<centre>` of every centre that has one, filled after the check of its scope.

A round claims topics that are behind, sends to each what its centre may read now, and moves its
place on after Kafka has acknowledged: whoever dies in between sends again, under the same ids. Any
number of dispatchers share the topics, a round's at a time.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from schemas.envelope import OUT_PREFIX, to_headers
from schemas.ids import CentreId, topic_of_centre
from services.dispatcher.audiences import AudienceReader
from services.dispatcher.delivered import Delivery, deliveries_of, state_delivered
from services.eventlog.connection import LOST, KeptConnection, heed_cancellation
from services.eventlog.log import Log, LogUnavailable, Message, size_of
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.eventlog.transact import Contended
from services.operation.logs import describe
from services.readmodels.notices import (
    Audience,
    Notice,
    Wanted,
    end_of,
    message_of,
    names_in,
    notices,
)

LOOK_SECONDS = 15.0
"""How often the log is asked for topics that were made meanwhile."""

_AT_ONCE = 32
_PAGE = 200
_PAGE_BYTES = 4 * 1024 * 1024
_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_APPEND_SECONDS = 10.0
# Longer than an append may take; a topic that refuses is left alone for as long.
_LEASE_SECONDS = 15

_KNOWN = """
INSERT INTO outward.topics (centre) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""
_CLAIM = """
UPDATE outward.topics t
SET owner = $1, leased_until = clock_timestamp() + make_interval(secs => $4)
FROM (
    SELECT centre FROM outward.topics
    WHERE centre = ANY($2) AND next_position < $3 AND leased_until < clock_timestamp()
    ORDER BY next_position, centre LIMIT $5 FOR UPDATE SKIP LOCKED
) due
WHERE t.centre = due.centre
RETURNING t.centre, t.next_position
"""
_ADVANCE = """
UPDATE outward.topics t SET next_position = sent.following, leased_until = '-infinity'
FROM unnest($2::text[], $3::bigint[]) AS sent (centre, following)
WHERE t.centre = sent.centre AND t.owner = $1 AND t.next_position < sent.following
"""
_AWAY = (*LOST, LogUnavailable, StoreUnavailable, Contended, asyncpg.UndefinedTableError,
         asyncpg.InvalidSchemaNameError, asyncpg.InvalidCachedStatementError)  # fmt: skip

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Filled:
    """What one topic was sent: up to where, and what is thereby delivered."""

    centre: str
    following: int
    deliveries: set[Delivery]


class Topics:
    """Fills the topics of one log."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        log: Log,
        store: DecisionStore,
        audiences: AudienceReader,
        *,
        name: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._log = log
        self._store = store
        self._audiences = audiences
        self._name = name
        self._clock = clock
        self._applied = asyncio.Event()
        self._listening = KeptConnection(pool, prepare=self._listen)

    async def run(self) -> None:
        """Fill for ever; woken by what the read models apply, and every second without."""
        try:
            while True:
                await self._fill_while_known()
        finally:
            await self._listening.close()

    async def look(self) -> list[CentreId]:
        """The registered centres that have a topic; from now on each has its place.

        Raises:
            LogUnavailable, or what asyncpg raises.
        """
        there = await self._log.topics(OUT_PREFIX)
        registered = (await self._audiences.read()).registry.centres()
        centres = [one for one in registered if topic_of_centre(OUT_PREFIX, one) in there]
        await self._pool.execute(_KNOWN, centres)
        return centres

    async def fill(self, centres: Sequence[CentreId]) -> int:
        """One round; returns how many topics moved on.

        Raises:
            StoreUnavailable, Contended, or what asyncpg raises: what was sent is sent again.
        """
        audiences, end = await self._audiences.read(), await end_of(self._pool)
        claimed = await self._pool.fetch(_CLAIM, self._name, centres, end, _LEASE_SECONDS, _AT_ONCE)
        first = min((one["next_position"] for one in claimed), default=end)
        names = await names_in(self._pool, after=first, upto=end)
        found = await asyncio.gather(
            *(
                self._send(audiences.of(one["centre"], "actual"), one["next_position"], end)
                if audiences.of(one["centre"], "actual").may_see(names)
                else _passed(one["centre"], end)
                for one in claimed
            )
        )
        filled = [one for one in found if one is not None]
        await self._keep(filled)
        return len(filled)

    async def _fill_while_known(self) -> None:
        """Fill the topics that there are, until it is time to look for others."""
        loop = asyncio.get_running_loop()
        again = loop.time() + LOOK_SECONDS
        try:
            centres = await self.look()
            while loop.time() < again:
                async with self._listening.use(timeout=_CONNECT_SECONDS):
                    self._applied.clear()
                while centres and await self.fill(centres):
                    pass
                await self._wait()
        except _AWAY as away:
            heed_cancellation()
            logger.warning("topics_wait", error=describe(away))
            await asyncio.sleep(_POLL_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._applied.wait()
        except TimeoutError:
            return

    async def _send(self, audience: Audience, after: int, end: int) -> Filled | None:
        """The topic has the next notices; None when Kafka did not acknowledge them."""
        told, following = await notices(
            self._pool, audience, Wanted(), after=after, upto=end, limit=_PAGE
        )
        page = _page(told)
        if len(page) < len(told):
            following = page[-1][0].position + 1
        centre = str(audience.reader)
        topic = topic_of_centre(OUT_PREFIX, CentreId(centre))
        try:
            if page:
                messages = [message for _, message in page]
                await self._log.append(topic, {0: messages}, timeout=_APPEND_SECONDS)
        except LogUnavailable as away:
            logger.warning("topic_waits", topic=topic, error=describe(away))
            return None
        return Filled(centre, following, deliveries_of(audience, [one for one, _ in page]))

    async def _keep(self, filled: Sequence[Filled]) -> None:
        """What was delivered is stated, and then the places move on."""
        deliveries = {delivery for one in filled for delivery in one.deliveries}
        await state_delivered(self._store, deliveries, channel="kafka", now=self._clock())
        await self._pool.execute(
            _ADVANCE,
            self._name,
            [one.centre for one in filled],
            [one.following for one in filled],
        )

    async def _listen(self, connection: PoolConnectionProxy) -> None:
        await connection.add_listener("progress", self._hear)

    def _hear(self, *_notification: object) -> None:
        self._applied.set()


def kafka_message(notice: Notice) -> Message:
    """A notice in CloudEvents' binary mode, by its directive's key."""
    envelope, data = message_of(notice)
    return Message(notice.event.directive.encode(), data, to_headers(envelope))


async def _passed(centre: str, end: int) -> Filled:
    """Nothing up to the end is for the centre."""
    return Filled(centre, end, set())


def _page(told: Sequence[Notice]) -> list[tuple[Notice, Message]]:
    """As many of them as one append takes with ease; one at least."""
    page: list[tuple[Notice, Message]] = []
    size = 0
    for notice in told:
        message = kafka_message(notice)
        size += size_of([message])
        if page and size > _PAGE_BYTES:
            break
        page.append((notice, message))
    return page
