"""The doorway that most tests of the door stand in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.database import Database, fresh_database
from tests.ingest.doorway import Doorway, open_doorway


@pytest_asyncio.fixture(scope="module")
async def shared_doorway(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doorway]:
    """One door for the tests of a file that differ in what they send alone."""
    async with (
        fresh_database(postgres_server) as database,
        open_doorway(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        yield opened


@pytest_asyncio.fixture
async def doorway(database: Database, tmp_path: Path) -> AsyncIterator[Doorway]:
    """A door on the log in Postgres."""
    async with open_doorway(database, tmp_path) as opened:
        yield opened
