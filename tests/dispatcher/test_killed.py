"""A dispatcher that is killed while it sends: its heir sends all of it, under the same ids."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from deploy.kafka.broker import Cluster
from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import brokers_at
from tests.api.directing import MOC, issued, published
from tests.database import Database
from tests.dispatcher.sending import Sending, make_topic, read_topic
from tests.faults.processes import until

ROOT = Path(__file__).parents[2]
TOPIC = "out.moc.moi"
MANY = 20


@asynccontextmanager
async def dispatcher(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own; gone without a word in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.dispatcher", cwd=ROOT, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_nothing_is_lost_and_no_id_changes(
    sending: Sending, database: Database, kafka_one: Cluster, tmp_path: Path
) -> None:
    country, log = sending.country, KafkaLog(brokers_at(kafka_one.bootstrap))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KAMKAP_")},
        "KAMKAP_HOME": str(tmp_path / "dispatcher"),
        "KAMKAP_PORT": "0",
        "KAMKAP_SECRET": Fernet.generate_key().decode(),
        "KAMKAP_DATABASE_URL": database.dsn("").replace("//@", "//"),
        "KAMKAP_LOG_URL": f"kafka://{kafka_one.bootstrap}",
    }
    await make_topic(log, MOC)
    directives = [await issued(country, f"k-{n}", "moi", kind="report") for n in range(MANY)]
    await published(country)

    async def some_sent() -> bool:
        return (await log.ends(TOPIC))[0] > 0

    async def all_delivered() -> bool:
        standings = [await sending.standing(one) for one in directives]
        return all(one == {"moi": "delivered"} for one in standings)

    async def all_kept() -> bool:
        places = await sending.pool.fetch("SELECT next_position FROM outward.topics")
        return all(one["next_position"] > 0 for one in places)

    async with dispatcher(environment):
        await until(some_sent, what="something is sent")
    async with dispatcher(environment):
        await until(all_delivered, what="all is delivered")
        await until(all_kept, what="the place is kept")
    told = await read_topic(log, MOC)
    await log.close()
    contents: dict[str, set[str]] = {}
    for id_, data in told:
        contents.setdefault(id_, set()).add(f"{data['directive']} {data['change']}")
    issues = [next(iter(one)) for one in contents.values()]
    assert sorted(issues) == sorted(f"{one} issued" for one in directives)
    assert all(len(one) == 1 for one in contents.values())
