"""The homes of the log, each on servers of its own, which its tests kill and start again."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import count

import pytest
import pytest_asyncio

from deploy.kafka.broker import Cluster
from services.embedded import postgres
from services.eventlog.log import Log, TopicSpec
from tests.database import make_template
from tests.eventlog.homes import Home, KafkaHome, PostgresHome

HOMES = ["postgres", "one broker", "three brokers"]
PARTITIONS = 4

_topics = count(1)


@pytest_asyncio.fixture(scope="session")
async def postgres_home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresHome]:
    server = postgres.start(tmp_path_factory.mktemp("postgres-home"))
    home = PostgresHome(server, "kamkap")
    try:
        await make_template(server, name="kamkap")
        yield home
    finally:
        home.server.stop()


@pytest.fixture(scope="module")
def one_broker_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaHome]:
    with closing(Cluster.start(tmp_path_factory.mktemp("one-broker-home"))) as cluster:
        yield KafkaHome(cluster)


@pytest.fixture(scope="module")
def three_brokers_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaHome]:
    with closing(Cluster.start(tmp_path_factory.mktemp("three-brokers-home"), 3)) as cluster:
        yield KafkaHome(cluster)


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> Home:
    """Each home in turn: what is asked of one is asked of all."""
    found: Home = request.getfixturevalue(f"{request.param.replace(' ', '_')}_home")
    return found


@pytest_asyncio.fixture
async def log(home: Home) -> AsyncIterator[Log]:
    async with home.open() as opened:
        yield opened


@pytest_asyncio.fixture
async def topic(log: Log) -> str:
    """A topic of four partitions that no other test uses."""
    name = f"topic-{next(_topics)}"
    await log.ensure([TopicSpec(name, PARTITIONS)])
    return name
