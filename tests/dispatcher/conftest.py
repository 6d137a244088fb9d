"""The country that dispatchers of tests serve."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.api.country import open_country
from tests.database import Database
from tests.dispatcher.sending import Sending, open_sending


@pytest_asyncio.fixture
async def sending(database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    """A country of its own, and a dispatcher's side of it."""
    async with (
        open_country(database, tmp_path) as country,
        open_sending(country, database) as open_,
    ):
        yield open_
