"""A database of its own for each test, copied from one that was migrated once."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from deploy.migrations.run import migrate
from services.embedded.postgres import OWNER, EmbeddedPostgres
from services.eventlog.connection import PLANNED_ONCE

_TEMPLATE = "migrated"
_CLOSE_SECONDS = 20.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """One migrated database on a running server."""

    server: EmbeddedPostgres
    name: str

    def dsn(self, role: str) -> str:
        """How this role connects: `postgres` is the owner, the others are `kamkap_…`."""
        return self.server.dsn(role, database=self.name)

    @asynccontextmanager
    async def pool(self, role: str = OWNER, *, size: int = 4) -> AsyncIterator[asyncpg.Pool]:
        """A pool of connections of this role, none of them open before it is used."""
        pool = asyncpg.create_pool(
            self.dsn(role), min_size=0, max_size=size, server_settings={**PLANNED_ONCE}
        )
        await pool
        try:
            yield pool
        finally:
            # A connection that nobody gave back fails the test, and must not hang the suite.
            await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)


async def make_template(server: EmbeddedPostgres, *, name: str = _TEMPLATE) -> None:
    """The server has a migrated, empty database: by its usual name what `fresh_database` copies."""
    await _execute(server, f'CREATE DATABASE "{name}"')
    await migrate(server.dsn(OWNER, database=name))


@asynccontextmanager
async def fresh_database(
    server: EmbeddedPostgres, *, template: str = _TEMPLATE
) -> AsyncIterator[Database]:
    """A copy of a database that is gone afterwards, sessions and all: of a migrated, empty one."""
    name = f"test_{next(_numbers)}"
    await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    # A copy has what lies in the template, not what was granted on the template itself.
    await _execute(server, f'GRANT CREATE ON DATABASE "{name}" TO kamkap_projections')
    yield Database(server, name)
    await _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn(OWNER, database="postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
