"""A database and a log in today's shape."""

import asyncpg

from deploy.migrations.run import migrate
from services.embedded.postgres import OWNER, EmbeddedPostgres
from services.operation.connections import TOPICS, log_of
from services.operation.settings import Settings

DATABASE = "kamkap"


async def run_migrate(settings: Settings) -> int:
    """`kamkap migrate`: every migration is applied and every topic is there."""
    await prepare(settings)
    return 0


async def prepare(settings: Settings) -> None:
    """The settings' database is migrated, and the log has its topics. Forward only, any time."""
    owner = settings.dsn(settings.database_owner)
    await migrate(owner)
    async with (
        asyncpg.create_pool(owner, min_size=0, max_size=3) as pool,
        log_of(settings, pool) as log,
    ):
        await log.ensure(TOPICS)


async def make_database(server: EmbeddedPostgres) -> None:
    """The embedded server has the network's database, empty when it is new."""
    connection = await asyncpg.connect(server.dsn(OWNER, database="postgres"))
    try:
        known = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
        if not await connection.fetchval(known, DATABASE):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
