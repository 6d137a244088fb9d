"""The gateway's way to the database: rows with attributes, one snapshot.

A read is a read-only transaction at REPEATABLE READ. Statements are prepared once per connection
and planned once: all of them go by index, and planning them anew costs more than running them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.eventlog.connection import PLANNED_ONCE, leave_as_it_is, open_until_left
from services.readmodels.confidential import NAME_READER
from services.readmodels.statements import fetch

CONNECTIONS = 10
STATEMENT_SECONDS = 10
_STATEMENTS_KEPT = 500

_SETTINGS = {
    "application_name": "kamkap_api",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    **PLANNED_ONCE,
}


class Row(asyncpg.Record):
    """A row whose columns are attributes too."""

    def __getattr__(self, column: str) -> Any:  # noqa: ANN401 -- whatever the column holds
        try:
            return self[column]
        except KeyError:
            raise AttributeError(column) from None


class Found(dict[str, Any]):
    """A row that was asked for together with others: values as JSON has them, times as texts."""

    def __getattr__(self, column: str) -> Any:  # noqa: ANN401 -- whatever the column holds
        try:
            return self[column]
        except KeyError:
            raise AttributeError(column) from None


type Pool = asyncpg.Pool[Row]
type Connection = PoolConnectionProxy[Row]


@asynccontextmanager
async def readers_of(dsn: str, *, size: int = CONNECTIONS) -> AsyncIterator[Pool]:
    """Connections of the gateway's role; the first is made when it is needed."""
    pool = asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        record_class=Row,
        reset=leave_as_it_is,
        statement_cache_size=_STATEMENTS_KEPT,
        max_cached_statement_lifetime=0,
        # Longer ones too, which the driver would prepare anew each time.
        max_cacheable_statement_size=0,
        server_settings=_SETTINGS,
    )
    async with open_until_left(pool):
        yield pool


@asynccontextmanager
async def snapshot_of(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction that sees one moment of the database and changes nothing.

    Raises:
        TimeoutError: no connection became free in ten seconds.
    """
    async with (
        pool.acquire(timeout=STATEMENT_SECONDS) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


@asynccontextmanager
async def transaction_for(pool: Pool, reader: str) -> AsyncIterator[Connection]:
    """A transaction that writes, for this reader alone.

    Raises:
        TimeoutError: no connection became free in ten seconds.
    """
    async with pool.acquire(timeout=STATEMENT_SECONDS) as connection, connection.transaction():
        await fetch(connection, f"SELECT {NAME_READER}", {"reader": reader})
        yield connection
