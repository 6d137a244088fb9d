"""What the timers share: whose word it is, how often they look, and many things stated at once."""

import asyncio
from collections.abc import Awaitable, Iterable

import asyncpg

SOURCE = "/network/timers"
POLL_SECONDS = 1.0

AT_ONCE = 64
"""How many streams a timer decides on at a time."""

NOT_THERE_YET = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
"""The projections have not made their tables: there is nothing to time yet."""


async def all_of(works: Iterable[Awaitable[None]]) -> None:
    """Every one of them is done; what failed is raised once all have ended."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
