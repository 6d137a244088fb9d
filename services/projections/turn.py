"""One at a time: a rebuild, or whoever tries again what was set aside.

A fact that is put into the live models while others are built beside them would be missing there
after the switch.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_LOCK = 784127


@asynccontextmanager
async def turn(pool: asyncpg.Pool) -> AsyncIterator[None]:
    """It is the caller's turn, after waiting for it, until the end of the block."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            yield
        finally:
            await _end(connection)


@asynccontextmanager
async def turn_if_free(pool: asyncpg.Pool) -> AsyncIterator[bool]:
    """Whether it is the caller's turn; it does not wait."""
    async with pool.acquire() as connection:
        mine: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK)
        try:
            yield mine
        finally:
            if mine:
                await _end(connection)


async def _end(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    # A connection that was lost has given its turn back already.
    if not connection.is_closed():
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
