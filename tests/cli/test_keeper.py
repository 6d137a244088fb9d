"""The embedded database comes back by itself."""

import asyncio
from pathlib import Path

import asyncpg

from services.cli.keeper import Keeper
from services.embedded.postgres import OWNER


async def test_a_database_server_that_was_killed_comes_back_where_it_was(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "postgres")
    keeping = asyncio.create_task(keeper.run())
    try:
        before, dsn = keeper.server.pid, keeper.server.dsn(OWNER, database="postgres")
        keeper.server.kill()
        async with asyncio.timeout(60):
            while keeper.server.pid == before:  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.05)
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        keeper.stop()
