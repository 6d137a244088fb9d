"""Statements with names for their values, over a driver that only counts them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase
from typing import Protocol

_NAME = re.compile(r"(?<!:):([a-z][a-z_]*)")


@dataclass(frozen=True, slots=True)
class Select:
    """A query and what its own names stand for."""

    sql: str
    named: Mapping[str, object]


class Asks[Row](Protocol):
    """A connection or a pool that answers a statement with rows."""

    async def fetch(self, query: str, /, *args: object) -> list[Row]:
        """The rows of a statement; `$1` is its first value."""
        ...


async def fetch[Row](connection: Asks[Row], sql: str, named: Mapping[str, object]) -> list[Row]:
    """The rows of a statement whose `:name`s stand for these values; others are passed over."""
    positional, names = _positional(sql)
    return await connection.fetch(positional, *[named[name] for name in names])


def together(queries: Sequence[Select]) -> Select:
    """One query for all: a single row, whose columns have the rows of each as JSON."""
    parts = tuple((query.sql, tuple(query.named)) for query in queries)
    named = {
        _its_own(name, nth): value
        for nth, query in enumerate(queries)
        for name, value in query.named.items()
    }
    return Select(_together(parts), named)


@lru_cache(maxsize=100)
def _together(parts: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    columns = (
        f"(SELECT json_agg(part) FROM ({_renamed(sql, names, nth)}) part) AS part_{nth}"
        for nth, (sql, names) in enumerate(parts)
    )
    return f"SELECT {', '.join(columns)}"


def _renamed(sql: str, names: Sequence[str], nth: int) -> str:
    def rename(found: re.Match[str]) -> str:
        return f":{_its_own(found[1], nth)}" if found[1] in names else found[0]

    return _NAME.sub(rename, sql)


def _its_own(name: str, nth: int) -> str:
    return f"{name}_of_{ascii_lowercase[nth]}"


@lru_cache(maxsize=1_000)
def _positional(sql: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    places = {name: f"${nth}" for nth, name in enumerate(names, 1)}
    return _NAME.sub(lambda found: places[found[1]], sql), names
