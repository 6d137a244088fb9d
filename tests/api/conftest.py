"""The country that most tests of the gateway ask."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.api.country import Country, open_country
from tests.database import Database


@pytest_asyncio.fixture
async def country(database: Database, tmp_path: Path) -> AsyncIterator[Country]:
    """A country of its own, without events."""
    async with open_country(database, tmp_path) as opened:
        yield opened
