"""A country with a dispatcher beside it, in the dispatcher's own role, on any log."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from schemas.envelope import OUT_PREFIX, from_headers
from schemas.events import decode
from schemas.ids import CentreId, topic_of_centre
from services.dispatcher.audiences import AudienceReader
from services.dispatcher.feeds import Feeds
from services.dispatcher.topics import Topics
from services.domain.directives import DECIDER
from services.eventlog.log import Log, TopicSpec
from services.eventlog.store import DecisionStore
from tests.api.country import Country
from tests.database import Database

type Told = tuple[str, dict[str, Any]]
"""An event's id, and its data."""


@dataclass(frozen=True)
class Sending:
    """What a dispatcher of a test works with."""

    country: Country
    pool: asyncpg.Pool
    store: DecisionStore

    def topics(self, log: Log, name: str = "one") -> Topics:
        return Topics(self.pool, log, self.store, self._audiences(), name=name, clock=self._clock)

    def feeds(self) -> Feeds:
        return Feeds(self.pool, self.store, self._audiences(), clock=self._clock)

    async def fill(self, topics: Topics) -> None:
        """Every topic there is has everything."""
        centres = await topics.look()
        while await topics.fill(centres):
            pass

    async def standing(self, directive: str) -> dict[str, str]:
        """Where each addressee stands, as the store has it."""
        stored = await self.store.load(DECIDER.stream(directive))
        fold = DECIDER.fold(decode(one.envelope.type, one.data) for one in stored)
        return dict(fold.standing)

    def _audiences(self) -> AudienceReader:
        return AudienceReader(self.pool, self.store, self._clock)

    def _clock(self) -> datetime:
        return self.country.now


@asynccontextmanager
async def open_sending(country: Country, database: Database) -> AsyncIterator[Sending]:
    """The dispatcher's side of a country."""
    async with database.pool("kamkap_dispatcher", size=8) as pool:
        store = DecisionStore(pool)
        try:
            yield Sending(country, pool, store)
        finally:
            await store.close()


async def make_topic(log: Log, centre: str) -> None:
    await log.ensure([TopicSpec(topic_of_centre(OUT_PREFIX, CentreId(centre)), 1)])


async def read_topic(log: Log, centre: str) -> list[Told]:
    """Everything that the centre's topic holds."""
    topic = topic_of_centre(OUT_PREFIX, CentreId(centre))
    (end,) = await log.ends(topic)
    reader, told = log.reader(topic, {0: 0}), list[Told]()
    while len(told) < end:
        for record in await reader.batch(limit=500, timeout=5):
            envelope = from_headers(record.headers)
            assert envelope.subject == f"directives/{record.key.decode()}"
            told.append((envelope.id, json.loads(record.value)))
    await reader.close()
    return told
