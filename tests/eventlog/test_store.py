"""The decision store: guards, versions and verdicts; positions without a gap, in commit order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
import pytest
import pytest_asyncio

from services.eventlog.store import (
    Appended,
    Decision,
    DecisionStore,
    Guard,
    Head,
    NewEvent,
    StoredEvent,
    StoreUnavailable,
    Unstorable,
)
from tests.database import Database
from tests.eventlog.stories import decision, envelope


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[DecisionStore]:
    async with database.pool("kamkap_api") as pool:
        store = DecisionStore(pool)
        try:
            yield store
        finally:
            await store.close()


@pytest_asyncio.fixture
async def store(database: Database) -> AsyncIterator[DecisionStore]:
    async with opened(database) as one:
        yield one


async def all_of(store: DecisionStore) -> list[StoredEvent]:
    return [event async for event in store.read_all()]


def assert_consistent(events: list[StoredEvent]) -> None:
    assert [event.position for event in events] == list(range(len(events)))
    versions: dict[str, int] = {}
    for event in events:
        versions[event.stream] = versions.get(event.stream, 0) + 1
        assert event.version == versions[event.stream]


async def test_a_decision_is_read_back_as_it_was_stored(store: DecisionStore) -> None:
    assert await store.append(decision("a/1", 0, "x", "y")) == Appended("appended", 0)
    assert await store.append(decision("a/2", 0, "z")) == Appended("appended", 2)
    assert await store.load("a/1") == [
        StoredEvent(0, "a/1", 1, envelope("x"), b'{"id": "x"}'),
        StoredEvent(1, "a/1", 2, envelope("y"), b'{"id": "y"}'),
    ]
    assert await store.read(1, limit=1) == [StoredEvent(1, "a/1", 2, envelope("y"), b'{"id": "y"}')]
    assert (await store.version("a/1"), await store.version("a/9")) == (2, 0)
    assert await store.next_position() == 3


async def test_the_head_of_a_stream_is_its_last_event(store: DecisionStore) -> None:
    await store.append(decision("a/1", 0, "x", "y"))
    await store.append(decision("a/2", 0, "z"))
    await store.append(decision("a/1", 2, "w"))
    assert await store.heads(["a/1", "a/2", "a/9"]) == {"a/1": Head(3, 3), "a/2": Head(1, 2)}


async def test_another_version_than_expected_is_a_conflict(store: DecisionStore) -> None:
    await store.append(decision("a/1", 0, "x"))
    for wrong in (0, 2):
        assert await store.append(decision("a/1", wrong, "y")) == Appended("conflict", None)
    assert await store.append(decision("a/1", 1, "y")) == Appended("appended", 1)


async def test_a_guard_at_another_version_is_a_conflict(store: DecisionStore) -> None:
    await store.append(decision("orders/all", 0, "order"))
    for version, verdict in ((0, "conflict"), (2, "conflict"), (1, "appended")):
        guarded = decision("a/1", 0, "x", guards=(Guard("orders/all", version),))
        assert (await store.append(guarded)).verdict == verdict
    fresh = decision("a/2", 0, "y", guards=(Guard("orders/none", 0),))
    assert (await store.append(fresh)).verdict == "appended"


async def test_an_id_that_is_known_is_a_duplicate_whatever_the_versions(
    store: DecisionStore,
) -> None:
    await store.append(decision("a/1", 0, "x"))
    for again in (decision("a/1", 0, "x"), decision("a/1", 1, "x"), decision("a/2", 0, "y", "x")):
        assert await store.append(again) == Appended("duplicate", None)
    assert await store.next_position() == 1


async def test_decisions_of_one_flush_have_each_their_own_verdict(store: DecisionStore) -> None:
    await store.append(decision("taken/1", 0, "taken"))
    await store.append(decision("orders/all", 0, "order"))
    verdicts = await asyncio.gather(
        store.append(decision("a/1", 0, "a", "b")),
        store.append(decision("taken/1", 0, "c")),
        store.append(decision("a/2", 0, "taken")),
        store.append(decision("a/3", 0, "d", guards=(Guard("orders/all", 1),))),
        store.append(decision("a/4", 0, "e", guards=(Guard("orders/all", 0),))),
        store.append(decision("a/1", 0, "f")),
        store.append(decision("a/5", 0, "g", guards=(Guard("a/3", 0),))),
    )
    assert [one.verdict for one in verdicts] == [
        "appended", "conflict", "duplicate", "appended", "conflict", "conflict", "conflict",
    ]  # fmt: skip
    assert [one.first_position for one in verdicts if one.verdict == "appended"] == [2, 4]
    assert_consistent(await all_of(store))


async def test_what_cannot_be_stored_fails_alone(store: DecisionStore) -> None:
    too_long = NewEvent(envelope("long"), b"{}")
    results = await asyncio.gather(
        store.append(decision("a/1", 0, "a")),
        store.append(decision("null\x00byte", 0, "b")),
        store.append(decision("a/2", 0, "same", "same")),
        store.append(Decision("a/3", 2**40, [too_long])),
        store.append(decision("a/4", 0, "d")),
        return_exceptions=True,
    )
    assert [getattr(one, "verdict", type(one)) for one in results] == [
        "appended", Unstorable, Unstorable, Unstorable, "appended",
    ]  # fmt: skip
    assert_consistent(await all_of(store))
    assert await store.next_position() == 2


async def test_among_many_writers_nothing_is_lost_skipped_or_reordered(database: Database) -> None:
    """The writers of three processes contend; a reader by position polls all the while."""
    ids = count()
    appended: list[tuple[int, str]] = []
    polled: list[StoredEvent] = []

    async def write(store: DecisionStore, seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(30):
            stream, guard = f"s/{choose.randrange(6)}", f"s/{choose.randrange(6)}"
            version = await store.version(stream)
            guards = (Guard(guard, await store.version(guard)),) if guard != stream else ()
            new = [f"id-{next(ids)}" for _ in range(choose.randint(1, 3))]
            verdict = await store.append(decision(stream, version, *new, guards=guards))
            if verdict.first_position is not None:
                appended.extend((verdict.first_position + n, id_) for n, id_ in enumerate(new))

    async def poll(store: DecisionStore, done: asyncio.Event) -> None:
        while not done.is_set() or len(polled) < await store.next_position():
            polled.extend(await store.read(len(polled), limit=50))

    async with opened(database) as a, opened(database) as b, opened(database) as c:
        done = asyncio.Event()
        polling = asyncio.create_task(poll(c, done))
        await asyncio.gather(*(write(one, seed) for seed, one in enumerate((a, b, c, a, b, c) * 2)))
        done.set()
        await polling
        assert polled == await all_of(a)
    assert_consistent(polled)
    assert sorted(appended) == [(event.position, event.envelope.id) for event in polled]


async def test_a_guard_that_changes_between_check_and_append_is_seen(database: Database) -> None:
    """Each decides by the other's stream: of two that race, at most one may pass."""
    async with opened(database) as left, opened(database) as right:
        both_passed = 0
        for n in range(150):
            verdicts = await asyncio.gather(
                left.append(decision(f"l/{n}", 0, f"l-{n}", guards=(Guard(f"r/{n}", 0),))),
                right.append(decision(f"r/{n}", 0, f"r-{n}", guards=(Guard(f"l/{n}", 0),))),
            )
            both_passed += [one.verdict for one in verdicts] == ["appended", "appended"]
        assert both_passed == 0
        assert await left.next_position() == 150


async def test_the_store_comes_back_by_itself_when_its_session_is_cut_in_mid_flush(
    database: Database,
) -> None:
    async with opened(database) as store, database.pool() as owner, owner.acquire() as holder:
        await store.append(decision("a/1", 0, "x"))
        async with holder.transaction():
            await holder.execute("SELECT FROM decisions.head FOR UPDATE")
            flush = asyncio.create_task(store.append(decision("a/1", 1, "y")))
            await cut_when_waiting(owner)
            with pytest.raises(StoreUnavailable):
                await flush
        assert (await store.append(decision("a/1", 1, "y"))).verdict == "appended"


async def cut_when_waiting(owner: asyncpg.Pool) -> None:
    """End the store's session, once it waits for a lock."""
    async with asyncio.timeout(10):
        cut = False
        while not cut:
            cut = await owner.fetchval(
                "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE usename = 'kamkap_api' AND datname = current_database() "
                "AND wait_event_type = 'Lock'"
            )


async def test_a_store_that_does_not_answer_in_time_says_so_and_decides_later(
    database: Database,
) -> None:
    async with opened(database) as store, database.pool() as owner, owner.acquire() as holder:
        async with holder.transaction():
            await holder.execute("SELECT FROM decisions.head FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                await store.append(decision("a/1", 0, "x"), timeout=0.1)
        # It was under way when its writer gave up, so it may be there: here it is.
        assert (await store.append(decision("a/1", 0, "x"))).verdict == "duplicate"


async def test_a_closed_store_decides_nothing(database: Database) -> None:
    async with opened(database) as store:
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.append(decision("a/1", 0, "x"))
