"""What only Kafka can get wrong: its topics' settings, and brokers that go one by one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.eventlog.homes import UnknownHome, open_log
from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import brokers_at
from services.eventlog.kafka_reader import start_consumer, stop_consumer
from services.eventlog.log import LogMisconfigured, LogUnavailable, Message, TopicSpec
from tests.eventlog.homes import KafkaHome

MESSAGE = Message(b"k", b"v", [])
PATIENCE = 30.0


@pytest_asyncio.fixture
async def log(three_brokers_home: KafkaHome) -> AsyncIterator[KafkaLog]:
    opened = KafkaLog(brokers_at(three_brokers_home.cluster.bootstrap))
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def admin(three_brokers_home: KafkaHome) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=three_brokers_home.cluster.bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("retention.ms", "604800000", "-1"),
        ("retention.bytes", "1000000", "-1"),
        ("cleanup.policy", "compact", "delete"),
        ("min.insync.replicas", "1", "at least 2"),
        ("unclean.leader.election.enable", "true", "false"),
        ("max.message.bytes", "1048588", "at least 17825792"),
    ],
)
async def test_a_topic_that_could_forget_or_lose_is_refused_by_name(
    log: KafkaLog, admin: AIOKafkaAdminClient, setting: str, value: str, wanted: str
) -> None:
    topic = f"bad-{setting}"
    await log.ensure([TopicSpec(topic, 1)])
    await until_kept(log, topic)
    kept = (await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))[0]
    configs = {entry[0]: entry[1] for entry in kept.resources[0][4] if entry[3] == 1}
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, configs | {setting: value})]
    )
    assert await refusal_of(log, topic) == f"topic {topic}: {setting} is {value}, must be {wanted}"


async def test_a_consumer_that_is_stopped_as_soon_as_it_started_cancels_nobody(
    one_broker_home: KafkaHome,
) -> None:
    for _ in range(3):
        consumer = await start_consumer(brokers_at(one_broker_home.cluster.bootstrap))
        await stop_consumer(consumer)
        assert not consumer._client._conns


async def until_kept(log: KafkaLog, topic: str) -> None:
    """The topic is as it must be; each broker knows a new one only a moment later."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(LogMisconfigured, LogUnavailable):
                await log.check([topic])
                return


async def refusal_of(log: KafkaLog, topic: str) -> str:
    """Why the topic is refused; a broker knows a new setting only a moment later."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await log.check([topic])
            except LogMisconfigured as refused:
                if "missing" not in str(refused):
                    return str(refused)
            except LogUnavailable:
                continue


async def test_a_topic_with_too_few_copies_is_refused(
    log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic("two-copies", 1, 2)])
    await log.ensure([TopicSpec("two-copies", 1)])
    with pytest.raises(LogMisconfigured, match="replication factor is 2, must be at least 3"):
        await log.check(["two-copies"])


async def test_with_one_broker_of_three_gone_all_goes_on(
    three_brokers_home: KafkaHome, log: KafkaLog
) -> None:
    await log.ensure([TopicSpec("one-gone", 6)])
    await log.append("one-gone", {part: [MESSAGE] for part in range(6)}, timeout=PATIENCE)
    await asyncio.to_thread(three_brokers_home.cluster.kill, 1)
    try:
        await log.append("one-gone", {part: [MESSAGE] for part in range(6)}, timeout=PATIENCE)
        assert await log.ends("one-gone") == [2] * 6
    finally:
        await asyncio.to_thread(three_brokers_home.cluster.start_node, 1)


async def test_with_two_brokers_of_three_gone_nothing_is_acknowledged(
    three_brokers_home: KafkaHome, log: KafkaLog
) -> None:
    await log.ensure([TopicSpec("two-gone", 3)])
    await log.append("two-gone", {part: [MESSAGE] for part in range(3)}, timeout=PATIENCE)
    await asyncio.to_thread(three_brokers_home.cluster.kill, 2, 3)
    try:
        for part in range(3):
            with pytest.raises(LogUnavailable):
                await log.append("two-gone", {part: [MESSAGE]}, timeout=1)
    finally:
        await asyncio.to_thread(three_brokers_home.cluster.start_node, 2, 3)
    first = await log.append("two-gone", {0: [MESSAGE]}, timeout=PATIENCE)
    # What was not acknowledged may be there or not, once: the producer writes nothing twice.
    assert first[0] in (1, 2)


async def test_a_broker_that_hangs_is_given_up_for_the_next(
    three_brokers_home: KafkaHome, log: KafkaLog
) -> None:
    await log.ensure([TopicSpec("hangs", 6)])
    await log.append("hangs", {part: [MESSAGE] for part in range(6)}, timeout=PATIENCE)
    three_brokers_home.cluster.pause(2)
    try:
        await log.append("hangs", {part: [MESSAGE] for part in range(6)}, timeout=PATIENCE)
    finally:
        three_brokers_home.cluster.resume(2)
    assert await log.ends("hangs") == [2] * 6


async def test_a_closed_log_acknowledges_nothing(three_brokers_home: KafkaHome) -> None:
    log = KafkaLog(brokers_at(three_brokers_home.cluster.bootstrap))
    await log.ensure([TopicSpec("closed", 1)])
    await log.append("closed", {0: [MESSAGE]}, timeout=PATIENCE)
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.append("closed", {0: [MESSAGE]}, timeout=PATIENCE)


async def test_an_unknown_home_is_refused() -> None:
    with pytest.raises(UnknownHome, match="amqp"):
        open_log("amqp://host", None)  # type: ignore[arg-type]
