"""A country, a dispatcher of webhooks on its clock, and a receiver on loopback."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from tests.api.country import open_country
from tests.database import Database
from tests.dispatcher.receiving import Receiver, receiving
from tests.dispatcher.sending import Sending, dispatcher


@pytest_asyncio.fixture
async def sending(database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    async with open_country(database, tmp_path) as country:
        resources = replace(country.app.state.resources, webhooks_loopback=True)
        country.app.state.resources = resources
        async with dispatcher(database, country) as webhooks:
            yield Sending(country, webhooks)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened
