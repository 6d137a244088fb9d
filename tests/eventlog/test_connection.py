"""Pools and kept connections end in bounded time, whatever became of their server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from services.embedded import postgres
from services.embedded.postgres import OWNER, EmbeddedPostgres
from services.eventlog.connection import LOST, KeptConnection, open_until_left
from services.operation.process import persist
from tests.database import Database

PATIENCE_SECONDS = 10


@pytest.fixture
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server of the test's own, which it may kill."""
    server = postgres.start(tmp_path_factory.mktemp("db"), settings={"shared_buffers": "16MB"})
    try:
        yield server
    finally:
        server.stop()


def pool_on(server: EmbeddedPostgres) -> asyncpg.Pool:
    """At most so many connections that nobody can have one while others keep theirs."""
    return asyncpg.create_pool(server.dsn(OWNER, database=OWNER), min_size=0, max_size=4)


async def until_lost(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """The connection has noticed that its server is away."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        with contextlib.suppress(asyncpg.InterfaceError):  # The pool has its place back already.
            while not connection.is_closed():  # noqa: ASYNC110 -- of another process
                await asyncio.sleep(0.01)


async def test_a_closed_kept_connection_takes_none_from_the_pool(database: Database) -> None:
    async with open_until_left(asyncpg.create_pool(database.dsn(OWNER), min_size=0)) as pool:
        kept = KeptConnection(pool)
        async with kept.use(timeout=PATIENCE_SECONDS) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await kept.close()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            async with kept.use(timeout=PATIENCE_SECONDS):
                raise AssertionError("nobody gives it back")
        assert pool.get_size() == 0


async def test_who_waited_for_a_kept_connection_gets_none_once_it_is_closed(
    database: Database,
) -> None:
    async with open_until_left(asyncpg.create_pool(database.dsn(OWNER), min_size=0)) as pool:
        kept = KeptConnection(pool)
        async with kept.use(timeout=PATIENCE_SECONDS):
            closing = asyncio.create_task(kept.close())
            await asyncio.sleep(0)
            waiting = asyncio.create_task(_ask(kept))
            await asyncio.sleep(0)
        await closing
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await waiting
        assert pool.get_size() == 0


async def _ask(kept: KeptConnection) -> None:
    async with kept.use(timeout=PATIENCE_SECONDS) as connection:
        await connection.execute("SELECT 1")


async def test_a_pool_whose_connection_nobody_gives_back_is_cut_off(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    pool = asyncpg.create_pool(database.dsn(OWNER), min_size=0)
    async with asyncio.timeout(PATIENCE_SECONDS), open_until_left(pool, patience=0.1):
        kept_for_ever = await pool.acquire()
    with pytest.raises(asyncpg.InterfaceError, match="released"):
        await kept_for_ever.fetchval("SELECT 1")
    assert "cut off" in caplog.text


async def test_work_that_is_stopped_while_its_server_is_away_stops(
    mortal: EmbeddedPostgres,
) -> None:
    """Giving back what was lost raises an error of its own; it must not hide the cancellation."""
    holds: list[asyncpg.pool.PoolConnectionProxy] = []

    async def hold(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection, connection.transaction():
            holds.append(connection)
            await asyncio.Event().wait()

    async with asyncio.timeout(3 * PATIENCE_SECONDS), open_until_left(pool_on(mortal)) as pool:
        kept = KeptConnection(pool)
        await _ask(kept)
        work = partial(persist, partial(hold, pool), name="hold", through=LOST, pause_seconds=0)
        tasks = [asyncio.create_task(work()) for _ in range(3)]
        while len(holds) < len(tasks):  # noqa: ASYNC110 -- as long as connecting takes
            await asyncio.sleep(0.01)
        # Nobody answers any more, and who waits for a place in the pool waits on.
        waiting = asyncio.create_task(_ask(KeptConnection(pool)))
        mortal.kill()
        for connection in holds:
            await until_lost(connection)
        for task in (*tasks, waiting):
            task.cancel()
        _, stuck = await asyncio.wait([*tasks, waiting], timeout=PATIENCE_SECONDS)
        assert not stuck
        await kept.close()
