"""The country that dispatchers of tests serve, and a receiver of webhooks."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from tests.api.country import open_country
from tests.database import Database
from tests.dispatcher.receiving import Receiver, receiving
from tests.dispatcher.sending import Sending, open_sending
from tests.dispatcher.webhooking import Hooks, dispatcher


@pytest_asyncio.fixture
async def sending(database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    """A country of its own, and a dispatcher's side of it."""
    async with (
        open_country(database, tmp_path) as country,
        open_sending(country, database) as open_,
    ):
        yield open_


@pytest_asyncio.fixture
async def hooks(database: Database, tmp_path: Path) -> AsyncIterator[Hooks]:
    """A country of its own whose webhooks may lead to this machine, and their dispatcher."""
    async with open_country(database, tmp_path) as country:
        resources = replace(country.app.state.resources, webhooks_loopback=True)
        country.app.state.resources = resources
        async with dispatcher(database, country) as webhooks:
            yield Hooks(country, webhooks)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything in until it is told otherwise."""
    async with receiving() as opened:
        yield opened
