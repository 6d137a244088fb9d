"""The log on Kafka as others meet it: a centre's own producer, `kcat`, the CloudEvents SDK."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings import kafka

from schemas.envelope import STATUS_TOPIC
from tests.e2e.country import INBOX, PHUKET, opened, report
from tests.e2e.system import Json, System
from tests.e2e.test_journeys import dead_in, fresh_incident

KCAT = ("kcat", "-q", "-C", "-t", STATUS_TOPIC, "-o", "beginning", "-e", "-J")


pytestmark = pytest.mark.parametrize("log_url", ["one broker", "three brokers"], indirect=True)


@pytest.fixture
def servers(log_url: str) -> str:
    """The brokers."""
    return log_url.removeprefix("kafka://")


async def produce(servers: str, *events: Json | bytes) -> None:
    """A centre's own producer writes into its inbox, in structured mode."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    try:
        for one in events:
            value = one if isinstance(one, bytes) else json.dumps(one).encode()
            headers = [("content-type", b"application/cloudevents+json")]
            await producer.send_and_wait(INBOX, value, headers=headers)
    finally:
        await producer.stop()


async def test_what_a_centres_producer_writes_arrives_and_the_bad_is_in_quarantine(
    system: System, servers: str
) -> None:
    incident = fresh_incident()
    last = report(incident, dead=7)
    foreign = {**report(incident, dead=8), "source": "/centres/poc/TH-82"}
    broken = b'{"specversion": "1.0", "id": '
    before = len(await unreadable(system))
    await produce(servers, opened(incident, "TH-83"), foreign, broken, last)

    await shown(system, incident, dead=7)
    # One after the other: what stood before the last is settled too.
    new = (await unreadable(system))[before:]
    assert [one["of"] for one in new] == [INBOX, INBOX]
    assert [one["reason"].partition(":")[0] for one in new] == ["not-own-source", "event-malformed"]


async def shown(system: System, incident: str, *, dead: int) -> None:
    """The province's situation shows so many dead; no position tells when, so it is asked again."""
    async with asyncio.timeout(60):
        while True:
            if await dead_in(system, incident) == dead:
                return
            await asyncio.sleep(0.1)


async def unreadable(system: System) -> list[Json]:
    """What is in quarantine, in the order of the inbox."""
    items = (await system.ask("/v1/quarantine", "operator"))["items"]
    return [one for one in items if one["kind"] == "unreadable"]


async def test_kcat_sees_cloudevents_which_the_sdk_parses(system: System, servers: str) -> None:
    data = {"incident": fresh_incident(), "place": "TH-83", "dead": 3, "note": "น้ำท่วม"}
    stated = {**report("x", dead=0), "data": data, "traceparent": "00-abc-01"}
    await system.tell(stated)

    read = await kcat(servers)
    ends = await system.operator.log.ends(STATUS_TOPIC)
    assert len(read) == sum(ends)
    for message in read:
        assert message["headers"]["ce_specversion"] == "1.0"
        event = parsed(message)
        assert event.get_source() == message["key"]
        assert event.get_type() == message["headers"]["ce_type"]
        json.loads(message["payload"])
    [mine] = [parsed(one) for one in read if one["headers"]["ce_id"] == stated["id"]]
    assert mine.get_data() == data
    assert mine.get_source() == PHUKET
    assert mine.get_time() == datetime.fromisoformat(stated["time"]).astimezone(UTC)
    assert mine.get_extension("traceparent") == "00-abc-01"


async def kcat(servers: str) -> list[Json]:
    """Every message of `status`, headers as a mapping."""
    process = await asyncio.create_subprocess_exec(
        *KCAT, "-b", servers, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    read = [json.loads(line) for line in out.splitlines()]
    for message in read:
        names = message["headers"][::2]
        message["headers"] = dict(zip(names, message["headers"][1::2], strict=True))
    return read


def parsed(message: Json) -> Json:
    """The message as the SDK reads it."""
    headers = {name: value.encode() for name, value in message["headers"].items()}
    key, value = message["key"].encode(), message["payload"].encode()
    return kafka.from_kafka_event(kafka.KafkaMessage(headers, key, value))
