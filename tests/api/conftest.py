"""The country that most tests of the gateway ask."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from tests.api.country import Country, Interrupted, open_country
from tests.database import Database


@pytest_asyncio.fixture
async def country(database: Database, tmp_path: Path) -> AsyncIterator[Country]:
    """A country of its own, without events."""
    async with open_country(database, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def interrupted(country: Country, database: Database) -> AsyncIterator[Interrupted]:
    """The store of the country's gateway."""
    async with database.pool("kamkap_api", size=4) as pool:
        store = Interrupted(pool)
        country.app.state.resources = replace(country.gateway.resources, store=store)
        yield store
        await store.close()
