"""What the tests of the timers share."""

from collections.abc import AsyncIterator

import pytest

from tests.database import Database
from tests.timers.watch import Watch, open_watch


@pytest.fixture
async def watch(database: Database) -> AsyncIterator[Watch]:
    """An open network with one registered centre, covered by a first tick."""
    async with open_watch(database) as watch:
        await watch.open()
        await watch.register()
        await watch.tick()
        yield watch
