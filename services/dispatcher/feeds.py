"""Delivered by the feed: what an addressee's commit has passed, it has taken in."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import asyncpg

from services.dispatcher.audiences import AudienceReader
from services.dispatcher.delivered import deliveries_of, state_delivered
from services.eventlog.store import DecisionStore
from services.readmodels.notices import Wanted, notices

POLL_SECONDS = 1.0

_AT_ONCE = 500
_BEHIND = """
SELECT identity, realm, next_position, stated_position FROM outward.feeds
WHERE stated_position < next_position ORDER BY identity, realm
"""
_STATED = """
UPDATE outward.feeds SET stated_position = $3
WHERE identity = $1 AND realm = $2 AND stated_position < $3
"""


class Feeds:
    """States what was delivered by the feed. Any number may run: each delivery is stated once."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        store: DecisionStore,
        audiences: AudienceReader,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._store = store
        self._audiences = audiences
        self._clock = clock

    async def run(self) -> None:
        """State for ever what commits have passed."""
        while True:
            await self.state()
            await asyncio.sleep(POLL_SECONDS)

    async def state(self) -> None:
        """Everything that commits have passed by now is stated.

        Raises:
            Contended, StoreUnavailable, or what asyncpg raises: the rest is stated another time.
        """
        for feed in await self._pool.fetch(_BEHIND):
            await self._state(feed)

    async def _state(self, feed: asyncpg.Record) -> None:
        audience = (await self._audiences.read()).of(feed["identity"], feed["realm"])
        position, upto = feed["stated_position"], feed["next_position"]
        while position < upto:
            told, position = await notices(
                self._pool,
                audience,
                Wanted(realm=feed["realm"]),
                after=position,
                upto=upto,
                limit=_AT_ONCE,
            )
            deliveries, now = deliveries_of(audience, told), self._clock()
            await state_delivered(self._store, deliveries, channel="pull", now=now)
            await self._pool.execute(_STATED, feed["identity"], feed["realm"], position)
