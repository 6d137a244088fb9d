"""The relay: every decision reaches the topic, in order; doubles at worst, never a gap."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from schemas.envelope import DECISIONS_TOPIC, from_headers
from services.eventlog.decisions import fresh, position_of
from services.eventlog.log import Log, LogUnavailable, Message, Reader, Record, TopicSpec
from services.eventlog.postgres import PostgresLog
from services.eventlog.relay import Relay
from services.eventlog.store import Decision, DecisionStore, NewEvent
from tests.database import Database
from tests.eventlog.stories import decision, envelope


@dataclass
class Network:
    """A decision store, a log, and the pool between them."""

    pool: asyncpg.Pool
    store: DecisionStore
    log: Log

    async def decide(self, *ids: str) -> None:
        version = await self.store.version("a/1")
        assert (await self.store.append(decision("a/1", version, *ids))).verdict == "appended"

    async def published(self) -> list[Record]:
        (end,) = await self.log.ends(DECISIONS_TOPIC)
        reader = self.log.reader(DECISIONS_TOPIC, {0: 0})
        found: list[Record] = []
        while len(found) < end:
            found += await reader.batch(limit=1_000, timeout=10)
        return found


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Network]:
    async with database.pool(size=10) as pool:
        store, log = DecisionStore(pool), PostgresLog(pool)
        await log.ensure([TopicSpec(DECISIONS_TOPIC, 1)])
        try:
            yield Network(pool, store, log)
        finally:
            await store.close()
            await log.close()


@pytest_asyncio.fixture
async def network(database: Database) -> AsyncIterator[Network]:
    async with opened(database) as one:
        yield one


class DiesAfterAppend:
    """A log whose process is killed between the acknowledgement and whatever comes next."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        await self._log.append(topic, batches, timeout=timeout)
        raise LogUnavailable("killed")

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        await self._log.ensure(topics)

    async def check(self, topics: Sequence[str]) -> None:
        await self._log.check(topics)

    async def ends(self, topic: str) -> list[int]:
        return await self._log.ends(topic)

    async def topics(self, prefix: str) -> dict[str, int]:
        return await self._log.topics(prefix)

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        return self._log.reader(topic, offsets)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        return await self._log.at(topic, partition, offset)

    async def close(self) -> None:
        await self._log.close()


async def test_a_decision_travels_with_its_position(network: Network) -> None:
    await network.decide("x", "y")
    relay = Relay(network.pool, network.log, network.store)
    assert await relay.publish() == 2
    assert await relay.publish() == 0
    found = await network.published()
    assert [position_of(record) for record in found] == [0, 1]
    assert found[0].key == b"a/1"
    assert found[0].value == b'{"id": "x"}'
    assert from_headers(found[0].headers).id == envelope("x").id


async def test_a_relay_killed_before_its_checkpoint_publishes_again_and_leaves_no_gap(
    network: Network,
) -> None:
    await network.decide("x", "y")
    dying = Relay(network.pool, DiesAfterAppend(network.log), network.store)
    with pytest.raises(LogUnavailable):
        await dying.publish()
    await network.decide("z")
    assert await Relay(network.pool, network.log, network.store).publish() == 3
    found = await network.published()
    assert [position_of(record) for record in found] == [0, 1, 0, 1, 2]
    assert [position_of(record) for record in fresh(found, 0)] == [0, 1, 2]


async def test_two_relays_at_once_publish_everything_in_order(network: Network) -> None:
    relays = [Relay(network.pool, network.log, network.store) for _ in range(2)]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    for number in range(100):
        await network.decide(f"id-{number}")
    await relayed(network, 100)
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(fresh(await network.published(), 0)) == 100


async def test_a_relay_goes_on_after_its_database_was_away(
    network: Network, database: Database
) -> None:
    running = asyncio.create_task(Relay(network.pool, network.log, network.store).run())
    await network.decide("before")
    await relayed(network, 1)
    async with database.pool(size=1) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    async with opened(database) as another:
        await another.decide("after")
        await relayed(another, 2)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert len(fresh(await another.published(), 0)) == 2


async def test_large_decisions_are_published_in_appends_that_the_log_takes(
    network: Network,
) -> None:
    for number in range(6):
        event = NewEvent(envelope(f"id-{number}"), b"x" * 2**21)
        await network.store.append(Decision("big/1", number, [event]))
    relay = Relay(network.pool, network.log, network.store)
    while await relay.publish():
        pass
    assert len(fresh(await network.published(), 0)) == 6


async def relayed(network: Network, position: int) -> None:
    async with asyncio.timeout(20):
        while True:
            reached = await network.pool.fetchval("SELECT next_position FROM decisions.relayed")
            if reached >= position:
                return
            await asyncio.sleep(0.01)
