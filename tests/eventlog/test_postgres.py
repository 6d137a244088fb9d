"""What only the log in Postgres can get wrong: settings, sessions, what one flush carries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.embedded import postgres
from services.eventlog.log import (
    Log,
    LogMisconfigured,
    LogUnavailable,
    Message,
    Reader,
    TopicSpec,
)
from services.eventlog.postgres import PostgresLog
from tests.database import Database, fresh_database, make_template

MESSAGE = Message(b"k", b"v", [])
TOPICS = [TopicSpec("a", 2), TopicSpec("b", 1)]


@asynccontextmanager
async def opened(database: Database, role: str = "kamkap_ingest") -> AsyncIterator[Log]:
    async with database.pool(role, size=4) as pool:
        log = PostgresLog(pool)
        await log.ensure(TOPICS)
        try:
            yield log
        finally:
            await log.close()


async def cut(database: Database) -> None:
    """End every other session of this database."""
    async with database.pool(size=1) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_server_that_acknowledges_before_it_writes_is_refused(database: Database) -> None:
    async with opened(database) as log:
        await log.check(["a", "b"])
    async with database.pool() as owner:
        await owner.execute(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
    async with opened(database) as log:
        with pytest.raises(LogMisconfigured, match="synchronous_commit is off"):
            await log.check(["a"])


async def test_a_server_without_fsync_is_refused(tmp_path: Path) -> None:
    server = postgres.start(tmp_path / "unsafe", settings={"fsync": "off"})
    try:
        await make_template(server)
        async with fresh_database(server) as database, opened(database) as log:
            with pytest.raises(LogMisconfigured, match="fsync is off, must be on"):
                await log.check(["a"])
    finally:
        server.stop()


async def test_writers_of_several_topics_do_not_mix(database: Database) -> None:
    async with opened(database) as log:
        firsts = await asyncio.gather(
            *(log.append(topic, {0: [MESSAGE] * 2}, timeout=10) for topic in "abab" * 10)
        )
        assert sorted(first[0] for first in firsts[::2]) == list(range(0, 40, 2))
        assert [await log.ends("a"), await log.ends("b")] == [[40, 0], [40]]


async def test_writers_of_several_processes_leave_no_gap_and_no_deadlock(
    database: Database,
) -> None:
    async def write(log: Log, *partitions: int) -> None:
        for _ in range(30):
            await log.append("a", {part: [MESSAGE] for part in partitions}, timeout=10)

    async with opened(database) as one, opened(database) as other:
        await asyncio.gather(write(one, 0, 1), write(other, 1, 0), write(one, 1), write(other, 0))
        assert await one.ends("a") == [90, 90]
        for partition in (0, 1):
            assert await one.at("a", partition, 89) is not None
            assert await one.at("a", partition, 90) is None


async def test_a_header_that_is_no_text_fails_its_writer_alone(database: Database) -> None:
    async with opened(database) as log:
        bad = Message(b"k", b"v", [("ce_id", b"\xff")])
        results = await asyncio.gather(
            log.append("a", {0: [bad]}, timeout=10),
            log.append("a", {0: [MESSAGE]}, timeout=10),
            return_exceptions=True,
        )
        assert isinstance(results[0], UnicodeDecodeError)
        assert results[1] == {0: 0}


async def test_a_flush_that_is_cut_is_not_acknowledged_and_the_next_one_is(
    database: Database,
) -> None:
    async with opened(database) as log, database.pool() as owner, owner.acquire() as holder:
        await log.append("a", {0: [MESSAGE]}, timeout=10)
        async with holder.transaction():
            await holder.execute("SELECT FROM log.heads FOR UPDATE")
            append = asyncio.create_task(log.append("a", {0: [MESSAGE]}, timeout=10))
            await cut_when_waiting(owner)
            with pytest.raises(LogUnavailable):
                await append
        assert await log.append("a", {0: [MESSAGE]}, timeout=10) == {0: 1}


async def cut_when_waiting(owner: asyncpg.Pool) -> None:
    async with asyncio.timeout(10):
        found = False
        while not found:
            found = await owner.fetchval(
                "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE usename = 'kamkap_ingest' AND datname = current_database() "
                "AND wait_event_type = 'Lock'"
            )


async def test_sessions_cut_again_and_again_cost_the_pool_no_place(database: Database) -> None:
    async with opened(database) as log:
        reader = log.reader("a", {0: 0})
        for number in range(8):
            await cut(database)
            async with asyncio.timeout(20):
                await taken(log)
                while not await read(reader):
                    continue
            assert (await log.ends("a"))[0] == number + 1
        await reader.close()


async def taken(log: Log) -> None:
    while True:
        try:
            await log.append("a", {0: [MESSAGE]}, timeout=5)
        except LogUnavailable:
            continue
        return


async def read(reader: Reader) -> int:
    try:
        return len(await reader.batch(limit=1, timeout=2))
    except LogUnavailable:
        return 0
