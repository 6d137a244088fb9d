"""The topics in Kafka: made to keep for ever, and refused when they would not."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from services.eventlog.kafka_brokers import Brokers
from services.eventlog.log import MAX_APPEND_BYTES, LogMisconfigured, LogUnavailable, TopicSpec

_REPLICAS = 3
_IN_SYNC = 2
_TIMEOUT_MS = 30_000
_POLL_SECONDS = 0.05

MAX_BATCH_BYTES = MAX_APPEND_BYTES + 1024 * 1024
"""The largest append with the frames of its messages: about 30 bytes and 3 for each header."""

_KEPT_FOR_EVER = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
}


async def ensure_topics(brokers: Brokers, topics: Sequence[TopicSpec]) -> None:
    """Make the topics that are missing and wait until they can be written to."""
    async with _administration(brokers) as admin:
        count = await _brokers(admin)
        configs = _KEPT_FOR_EVER | {
            "min.insync.replicas": str(min(_IN_SYNC, count)),
            "max.message.bytes": str(MAX_BATCH_BYTES),
        }
        answer = await admin.create_topics(
            [
                NewTopic(spec.name, spec.partitions, min(_REPLICAS, count), topic_configs=configs)
                for spec in topics
            ]
        )
        for name, code, *reason in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise LogMisconfigured(f"topic {name} could not be made: {code} {reason}")
        for spec in topics:
            if (actual := await _led_partitions(admin, spec.name)) != spec.partitions:
                raise LogMisconfigured(
                    f"topic {spec.name}: partitions is {actual}, must be {spec.partitions}"
                )


async def check_topics(brokers: Brokers, topics: Sequence[str]) -> None:
    """Refuse topics that would forget, or that could lose what was acknowledged."""
    async with _administration(brokers) as admin:
        if missing := set(topics) - set(await admin.list_topics()):
            raise LogMisconfigured(f"topics are missing: {', '.join(sorted(missing))}")
        count = await _brokers(admin)
        for topic in await admin.describe_topics(list(topics)):
            replicas = min(len(partition["replicas"]) for partition in topic["partitions"])
            if replicas < min(_REPLICAS, count):
                raise LogMisconfigured(
                    f"topic {topic['topic']}: replication factor is {replicas}, "
                    f"must be at least {min(_REPLICAS, count)}"
                )
        for name in topics:
            _check_configs(name, await _configs(admin, name), in_sync=min(_IN_SYNC, count))


def _check_configs(topic: str, actual: Mapping[str, str], *, in_sync: int) -> None:
    for setting, wanted in _KEPT_FOR_EVER.items():
        if actual[setting] != wanted:
            raise LogMisconfigured(
                f"topic {topic}: {setting} is {actual[setting]}, must be {wanted}"
            )
    at_least = {"min.insync.replicas": in_sync, "max.message.bytes": MAX_BATCH_BYTES}
    for setting, least in at_least.items():
        if int(actual[setting]) < least:
            raise LogMisconfigured(
                f"topic {topic}: {setting} is {actual[setting]}, must be at least {least}"
            )


async def partition_count(brokers: Brokers, topic: str) -> int:
    """How many partitions the topic has; 0 when there is no such topic."""
    async with _administration(brokers) as admin:
        # Listed first: to describe a topic that is missing would make it on some clusters.
        if topic not in await admin.list_topics():
            return 0
        return await _led_partitions(admin, topic)


async def partition_counts(brokers: Brokers, prefix: str) -> dict[str, int]:
    """How many partitions each topic has whose name begins so; asked in two requests for all."""
    async with _administration(brokers) as admin:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        # Nothing named would mean all of them.
        found = await admin.describe_topics(names) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in found if topic["partitions"]}


@asynccontextmanager
async def _administration(brokers: Brokers) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**brokers.client, request_timeout_ms=_TIMEOUT_MS)
    try:
        async with asyncio.timeout(2 * _TIMEOUT_MS / 1000):
            await admin.start()
            yield admin
    except (KafkaError, OSError) as away:
        raise LogUnavailable(f"Kafka is away: {away!r}") from away
    finally:
        await admin.close()


async def _brokers(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


async def _led_partitions(admin: AIOKafkaAdminClient, topic: str) -> int:
    """How many partitions the topic has, once each has a leader."""
    while True:
        found: dict[str, Any] = (await admin.describe_topics([topic]))[0]
        partitions = found["partitions"]
        if partitions and all(partition["leader"] >= 0 for partition in partitions):
            return len(partitions)
        await asyncio.sleep(_POLL_SECONDS)


async def _configs(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    (resource,) = answers[0].resources
    return {entry[0]: entry[1] for entry in resource[4]}
