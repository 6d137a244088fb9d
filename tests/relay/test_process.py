"""The relay as a process of its own, in its own database role."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.eventlog.postgres import PostgresLog
from services.operation.connections import TOPICS
from services.operation.serving import listen
from tests.database import Database


@asynccontextmanager
async def relay(database: Database, port: int) -> AsyncIterator[Process]:
    """A running relay; killed if the test left it so."""
    environment = {
        **os.environ,
        "KAMKAP_DATABASE_URL": database.dsn("").replace("//@", "//"),
        "KAMKAP_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.relay", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def free_port() -> int:
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
        return port


async def make_topics(database: Database) -> None:
    async with database.pool() as pool:
        log = PostgresLog(pool)
        await log.ensure(TOPICS)
        await log.close()


async def ready(port: int) -> httpx.Response:
    """The first answer of the pages; a process needs a second or two to start."""
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        asyncio.timeout(60),
    ):
        while True:
            try:
                answer = await client.get("/readyz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                return answer


async def test_the_relay_ticks_and_stops_cleanly(database: Database) -> None:
    await make_topics(database)
    port = free_port()
    async with relay(database, port) as process:
        assert (await ready(port)).json()["checks"] == {"ticks": "ok"}
        async with database.pool() as pool:
            assert await pool.fetchval("SELECT count(*) FROM eventlog.ticks") >= 1
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def test_the_relay_does_not_start_on_a_log_without_its_topics(database: Database) -> None:
    async with relay(database, free_port()) as process:
        async with asyncio.timeout(60):
            _, said = await process.communicate()
        assert process.returncode == 2
        assert b"topic status is missing" in said
