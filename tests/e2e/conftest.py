"""One network for each home of the log, with the demonstration country, for all journeys."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Literal

import pytest
import pytest_asyncio

from deploy.kafka.broker import Cluster
from services.agent import demo
from services.agent.importing import Archive
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.homes import EMBEDDED
from tests.database import fresh_database
from tests.e2e.country import register
from tests.e2e.system import System, open_system

HOMES = ("postgres", "one broker", "three brokers")


@pytest.fixture(scope="session", params=HOMES)
def log_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Each home in turn. Brokers are the network's own: its topics have fixed names."""
    if request.param == "postgres":
        yield EMBEDDED
        return
    brokers: Literal[1, 3] = 1 if request.param == "one broker" else 3
    with closing(Cluster.start(tmp_path_factory.mktemp("brokers"), brokers)) as cluster:
        yield f"kafka://{cluster.bootstrap}"


@pytest_asyncio.fixture(scope="session")
async def system(
    log_url: str, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """A network that took over the demonstration country and has a deputy of today."""
    home = tmp_path_factory.mktemp("home")
    async with (
        fresh_database(postgres_server) as database,
        open_system(database, home, log_url=log_url) as opened,
    ):
        await register(opened)
        archive = Archive.of_files("demonstration", demo.loaded_at_start())
        report = await opened.take_over(archive)
        assert (report.refused, report.revision) == ([], 1)
        yield opened
