"""The servers of the suite: one Postgres, one broker, three brokers, each started on first use.

A test that kills, stops or fills a server starts one of its own. Brokers end with the file that
asked for them: idle ones cost a core between them.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio

from deploy.kafka.broker import Cluster
from services.embedded import postgres
from services.embedded.postgres import EmbeddedPostgres
from tests.database import Database, fresh_database, make_template


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares servers stays in one worker: a file's tests, or those of one whole network.

    So do the faults: two storms at once would take each other's cores and prove no more.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group_of(item)))


def _group_of(item: pytest.Item) -> str:
    chosen = getattr(item, "callspec", None)
    network = chosen.params.get("log_url") if chosen else None
    file = item.nodeid.partition("::")[0]
    return network or ("faults" if file.startswith("tests/faults/") else file)


@pytest_asyncio.fixture(scope="session")
async def postgres_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[EmbeddedPostgres]:
    """PostgreSQL with its usual durability, without any database of a test."""
    server = postgres.start(tmp_path_factory.mktemp("postgres"))
    try:
        await make_template(server)
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture
async def database(postgres_server: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A migrated database that no other test sees: `.dsn(role)`, `.pool(role)`."""
    async with fresh_database(postgres_server) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def kafka_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Apache Kafka on one broker. Tests take topics of their own."""
    with closing(Cluster.start(tmp_path_factory.mktemp("kafka-one"))) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def kafka_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Apache Kafka on three brokers, two in-sync replicas. Tests take topics of their own."""
    with closing(Cluster.start(tmp_path_factory.mktemp("kafka-three"), 3)) as cluster:
        yield cluster
