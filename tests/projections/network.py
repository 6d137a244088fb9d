"""A small network in one database: a log, its store, and read models brought up to date at will."""

import itertools
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from schemas.envelope import DECISIONS_TOPIC, SLOTS, STATUS_TOPIC, Envelope, to_headers
from schemas.slots import slot_of
from services.eventlog.log import Message, TopicSpec
from services.eventlog.postgres import PostgresLog
from services.eventlog.relay import Relay
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.projections.runner import Worker, prepare
from tests.database import Database

NOON = datetime(2024, 9, 1, 5, 0, tzinfo=UTC)
PHUKET = "/centres/poc/TH-83"
PHANG_NGA = "/centres/poc/TH-82"
INTERIOR = "/centres/moc/moi"
_numbers = itertools.count(1)


def event(
    type_: str,
    data: Mapping[str, Any],
    *,
    source: str = PHUKET,
    minutes: float = 0,
    **attributes: object,
) -> tuple[Envelope, bytes]:
    """An event at so many minutes after noon."""
    named: dict[str, object] = {
        "id": f"e{next(_numbers)}",
        "source": source,
        "type": type_,
        **attributes,
    }
    time = NOON + timedelta(minutes=minutes)
    envelope = msgspec.convert({**named, "time": time}, Envelope)
    return envelope, json.dumps(data).encode()


def report(*, incident: str = "flood", place: str = "TH-83", **stated: object) -> dict[str, Any]:
    """The data of a situation report."""
    return {"incident": incident, "place": place, **stated}


@dataclass
class Network:
    """A log and its read models."""

    pool: asyncpg.Pool
    log: PostgresLog
    store: DecisionStore
    relay: Relay
    streams: dict[str, int] = field(default_factory=dict)

    async def post(self, events: Iterable[tuple[Envelope, bytes]]) -> None:
        """Append events of centres to the log, each in the slot of its source."""
        batches: dict[int, list[Message]] = {}
        for envelope, data in events:
            message = Message(envelope.source.encode(), data, to_headers(envelope))
            batches.setdefault(slot_of(envelope.source), []).append(message)
        await self.log.append(STATUS_TOPIC, batches, timeout=10)

    async def decide(self, stream: str, *events: tuple[Envelope, bytes]) -> None:
        """Append decisions to the store and publish them."""
        version = await self.store.version(stream)
        new = [NewEvent(envelope, data) for envelope, data in events]
        done = await self.store.append(Decision(stream, version, new))
        assert done.verdict == "appended"
        while await self.relay.publish():
            pass

    async def project(self, *, name: str = "worker") -> None:
        """Bring the read models up to the end of the log."""
        for topic in (DECISIONS_TOPIC, STATUS_TOPIC):
            worker = Worker(self.pool, self.log, name=name, topic=topic)
            while await worker.step(wait=0.0):
                pass
            await worker.close()


@asynccontextmanager
async def open_network(database: Database, *, role: str = "postgres") -> AsyncIterator[Network]:
    """A network on this database, its read models made and empty."""
    async with database.pool(role, size=10) as pool:
        log = PostgresLog(pool)
        await log.ensure([TopicSpec(STATUS_TOPIC, SLOTS), TopicSpec(DECISIONS_TOPIC, 1)])
        store = DecisionStore(pool)
        await prepare(pool)
        try:
            yield Network(pool, log, store, Relay(pool, log, store))
        finally:
            await store.close()
            await log.close()
