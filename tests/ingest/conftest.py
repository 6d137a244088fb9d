"""The doorway that most tests of the door stand in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.database import Database
from tests.ingest.doorway import Doorway, open_doorway


@pytest_asyncio.fixture
async def doorway(database: Database, tmp_path: Path) -> AsyncIterator[Doorway]:
    """A door on the log in Postgres."""
    async with open_doorway(database, tmp_path) as opened:
        yield opened
