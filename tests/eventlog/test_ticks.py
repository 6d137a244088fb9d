"""Ticks: time that only rises, ends that only grow, and nothing acknowledged left uncovered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import SLOTS, STATUS_TOPIC
from services.eventlog.log import Log, Message, TopicSpec
from services.eventlog.postgres import PostgresLog
from services.eventlog.store import DecisionStore
from services.eventlog.ticks import (
    LISTENING_GAP,
    Door,
    LogWentBack,
    Tick,
    Ticker,
    following,
    last_tick,
)
from tests.database import Database
from tests.eventlog.stories import decision

MESSAGE = Message(b"k", b"v", [])
START = datetime(2025, 11, 22, tzinfo=UTC)


@dataclass
class Network:
    """What ticks are made of."""

    pool: asyncpg.Pool
    log: Log
    store: DecisionStore

    async def ticks(self) -> list[Tick]:
        rows = await self.pool.fetch("SELECT * FROM eventlog.ticks ORDER BY number")
        return [Tick(**dict(row)) for row in rows]

    async def append(self, slot: int) -> int:
        return (await self.log.append(STATUS_TOPIC, {slot: [MESSAGE]}, timeout=10))[slot]

    async def ticked(self) -> Tick:
        tick = await Ticker(self.pool, self.log).tick()
        assert tick is not None
        return tick

    async def set_back(self, passed: timedelta) -> None:
        """As if that much time had passed since the last tick."""
        await self.pool.execute("UPDATE eventlog.ticks SET time = time - $1::interval", passed)


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Network]:
    async with database.pool(size=12) as pool:
        log, store = PostgresLog(pool), DecisionStore(pool)
        await log.ensure([TopicSpec(STATUS_TOPIC, SLOTS)])
        try:
            yield Network(pool, log, store)
        finally:
            await log.close()
            await store.close()


@pytest_asyncio.fixture
async def network(database: Database) -> AsyncIterator[Network]:
    async with opened(database) as one:
        yield one


async def test_a_tick_says_how_far_every_slot_and_the_decisions_reach(network: Network) -> None:
    await network.append(3)
    await network.append(3)
    await network.store.append(decision("a/1", 0, "x"))
    tick = await network.ticked()
    assert tick.number == 1
    assert [(slot, end) for slot, end in enumerate(tick.ends) if end] == [(3, 2), (64, 1)]
    assert await last_tick(network.pool) == tick
    assert await last_tick(network.pool, not_after=tick.time) == tick
    assert await last_tick(network.pool, not_after=tick.time - timedelta(microseconds=1)) is None


async def test_without_news_a_tick_is_appended_only_after_the_idle_interval(
    network: Network,
) -> None:
    ticker = Ticker(network.pool, network.log)
    assert await ticker.tick() is not None
    assert await ticker.tick() is None
    await network.set_back(timedelta(seconds=11))
    assert await ticker.tick() is not None


async def test_of_two_tickers_one_works_at_a_time(network: Network) -> None:
    async with network.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM eventlog.ticker FOR UPDATE")
        assert await Ticker(network.pool, network.log).tick() is None
    assert await Ticker(network.pool, network.log).tick() is not None


async def test_under_load_time_rises_ends_grow_and_all_acknowledged_before_is_covered(
    network: Network,
) -> None:
    acknowledged: list[tuple[int, int, datetime]] = []
    running = [asyncio.create_task(Ticker(network.pool, network.log).run()) for _ in range(2)]

    async def write(slot: int) -> None:
        for _ in range(40):
            position = await network.append(slot)
            now = await network.pool.fetchval("SELECT clock_timestamp()")
            acknowledged.append((slot, position, now))

    await asyncio.gather(*(write(slot) for slot in range(4)))
    await until_ticks(network, 3)
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    ticks = await network.ticks()
    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    for earlier, later in pairwise(ticks):
        assert earlier.time < later.time
        assert all(before <= after for before, after in zip(earlier.ends, later.ends, strict=True))
    for slot, position, moment in acknowledged:
        assert all(tick.ends[slot] > position for tick in ticks if tick.time >= moment)


async def until_ticks(network: Network, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await network.ticks()) < count:
            await network.append(0)


async def test_a_clock_set_back_does_not_turn_time_back(network: Network) -> None:
    first = await network.ticked()
    await network.set_back(timedelta(hours=-1))
    await network.append(0)
    second = await network.ticked()
    assert second.time == first.time + timedelta(hours=1, microseconds=1)


async def test_a_log_that_went_back_is_not_ticked_on(network: Network) -> None:
    await network.append(0)
    await network.ticked()
    await network.pool.execute("UPDATE log.heads SET next_offset = 0")
    with pytest.raises(LogWentBack):
        await network.ticked()


async def test_time_is_listened_to_while_a_door_is_ready(network: Network) -> None:
    door = Door(network.pool, "door-1")
    await door.ready()
    assert (await network.ticked()).listening
    await network.set_back(timedelta(seconds=11))
    heard = await network.ticked()
    assert 11 <= heard.listened < 60
    await door.closed()
    await network.set_back(timedelta(seconds=11))
    assert not (await network.ticked()).listening
    await network.set_back(timedelta(seconds=11))
    assert (await network.ticked()).listened == heard.listened


async def test_a_door_that_dies_is_soon_no_longer_counted(network: Network) -> None:
    await Door(network.pool, "door-1").ready()
    await network.pool.execute(
        "UPDATE eventlog.doors SET ready_until = ready_until - $1::interval", Door.READY_FOR
    )
    assert not (await network.ticked()).listening


steps = st.lists(st.tuples(st.floats(1e-3, 40), st.booleans()), min_size=1, max_size=20)


@given(steps)
def test_listened_never_shrinks_and_counts_only_time_heard_at_both_ends(
    steps: list[tuple[float, bool]],
) -> None:
    ticks = [following(None, time=START, ends=[0] * 65, listening=True)]
    expected = 0.0
    for seconds, listening in steps:
        time = ticks[-1].time + timedelta(seconds=seconds)
        passed = time - ticks[-1].time
        if listening and ticks[-1].listening and passed <= LISTENING_GAP:
            expected += passed.total_seconds()
        ticks.append(following(ticks[-1], time=time, ends=[0] * 65, listening=listening))
    assert ticks[-1].listened == pytest.approx(expected)
    assert all(a.listened <= b.listened and a.number + 1 == b.number for a, b in pairwise(ticks))


async def test_the_tick_of_an_event_is_the_first_that_covers_it(network: Network) -> None:
    assert await network.pool.fetchval("SELECT eventlog.tick_of(0, 0)") is None
    for burst in (0, 3, 0, 1, 1, 5, 2):
        for _ in range(burst):
            await network.append(7)
        await network.set_back(timedelta(seconds=11))
        await network.ticked()
    ticks = await network.ticks()
    for position in range(14):
        first = next((tick.number for tick in ticks if tick.ends[7] > position), None)
        found = await network.pool.fetchval("SELECT eventlog.tick_of(7, $1)", position)
        assert found == first
    assert await network.pool.fetchval("SELECT eventlog.tick_of(8, 0)") is None


async def test_the_ticker_goes_on_after_the_database_was_away(
    network: Network, database: Database
) -> None:
    running = asyncio.create_task(Ticker(network.pool, network.log).run())
    await until_ticks(network, 1)
    async with database.pool(size=1) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    async with opened(database) as another:
        await until_ticks(another, len(await another.ticks()) + 2)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
