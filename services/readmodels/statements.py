"""Statements with names for their values, over a driver that only counts them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

_NAME = re.compile(r"(?<!:):([a-z][a-z_]*)")


class Asks[Row](Protocol):
    """A connection or a pool that answers a statement with rows."""

    async def fetch(self, query: str, /, *args: object) -> list[Row]:
        """The rows of a statement; `$1` is its first value."""
        ...


async def fetch[Row](connection: Asks[Row], sql: str, named: Mapping[str, object]) -> list[Row]:
    """The rows of a statement whose `:name`s stand for these values; others are passed over."""
    positional, names = _positional(sql)
    return await connection.fetch(positional, *[named[name] for name in names])


@lru_cache(maxsize=1_000)
def _positional(sql: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    places = {name: f"${nth}" for nth, name in enumerate(names, 1)}
    return _NAME.sub(lambda found: places[found[1]], sql), names
