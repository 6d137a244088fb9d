"""The Kafka of the suite keeps what it acknowledged and refuses what it could lose."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NotEnoughReplicasError

from deploy.kafka.broker import Cluster

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with closing(Cluster.start(tmp_path_factory.mktemp("one"))) as cluster:
        yield cluster


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    with closing(Cluster.start(tmp_path, 3)) as cluster:
        yield cluster


async def test_an_acknowledged_message_is_read_back(one: Cluster) -> None:
    topic = await created_topic(one)
    await send(one, topic, b"heard")
    assert await read(one, topic, 1) == [b"heard"]


async def test_acknowledged_messages_survive_kill_9(one: Cluster) -> None:
    topic = await created_topic(one)
    sent = [b"%d" % number for number in range(20)]
    await send(one, topic, *sent)
    before = one.pids[1]
    one.kill(1)
    one.start_node(1)
    assert one.pids[1] != before
    assert await read(one, topic, len(sent)) == sent


async def test_a_paused_broker_answers_again_after_resume(one: Cluster) -> None:
    topic = await created_topic(one)
    one.pause(1)
    waiting = asyncio.create_task(send(one, topic, b"late"))
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    one.resume(1)
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    assert await read(one, topic, 1) == [b"late"]


async def test_three_serve_without_one_and_refuse_without_two(three: Cluster) -> None:
    topic = await created_topic(three, replicas=3)
    await send(three, topic, b"of three")
    three.kill(1)
    await send(three, topic, b"of two")
    # Stopped in order, the second still tells the leader that it is alone. Killed, it would not:
    # the quorum would be gone with it, and a produce request would wait in vain.
    three.stop(2)
    with pytest.raises(NotEnoughReplicasError):
        await send(three, topic, b"of one", idempotent=False)
    three.start_node(1, 2)
    await send(three, topic, b"of three again")
    assert await read(three, topic, 3) == [b"of three", b"of two", b"of three again"]


def test_close_leaves_no_process(tmp_path: Path) -> None:
    cluster = Cluster.start(tmp_path)
    (pid,) = cluster.pids.values()
    cluster.close()
    assert cluster.pids == {}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def created_topic(cluster: Cluster, *, replicas: int = 1) -> str:
    topic = f"test.{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()
    return topic


async def send(cluster: Cluster, topic: str, *values: bytes, idempotent: bool = True) -> None:
    # An idempotent producer of aiokafka tries for ever; only the other kind tells of a refusal.
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap,
        acks="all",
        enable_idempotence=idempotent,
        request_timeout_ms=PATIENCE_SECONDS * 1000 if idempotent else 1000,
    )
    async with asyncio.timeout(PATIENCE_SECONDS), producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def read(cluster: Cluster, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        values: list[bytes] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(values) < count:
                polled = await consumer.getmany(timeout_ms=200)
                values += [record.value for records in polled.values() for record in records]
        return values
    finally:
        await consumer.stop()
