"""Direct Kafka: what a centre writes into its inbox is judged as if it had been posted."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.kafka.broker import Cluster
from schemas.envelope import SLOTS, STATUS_TOPIC, Envelope, to_headers
from schemas.ids import CentreId
from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import brokers_at
from services.eventlog.log import Headers, Log, Message, TopicSpec
from services.ingest.inbox import Inbox, Inboxes, LeaseLost, inbox_of
from tests.database import Database
from tests.ingest.doorway import NOW, PHUKET, Doorway, event, open_doorway

DATA = b'{"incident": "flood", "place": "TH-83", "dead": 3}'
TOPIC = "inbox.poc.TH-83"
CENTRE = CentreId("poc:TH-83")
QUARANTINED = 'SELECT "offset", reason, value FROM projections.quarantine ORDER BY "offset"'


def headers(id_: str, **changes: str) -> Headers:
    envelope = Envelope(id=id_, source=PHUKET, type="situation.reported.v1", time=NOW)
    stated = [(name, value) for name, value in to_headers(envelope) if name not in changes]
    return stated + [(name, value.encode()) for name, value in changes.items()]


def message(id_: str, data: bytes = DATA, **changes: str) -> Message:
    return Message(b"", data, headers(id_, **changes))


async def write(log: Log, *messages: Message) -> None:
    await log.ensure([TopicSpec(TOPIC, 1)])
    await log.append(TOPIC, {0: list(messages)}, timeout=10)


def inbox_at(doorway: Doorway, owner: str = "door-1") -> Inbox:
    inboxes = doorway.ingest.inboxes
    return Inbox(doorway.network.pool, inboxes.door, centre=CENTRE, owner=owner)


async def take_all(doorway: Doorway, inbox: Inbox, log: Log) -> int:
    assert await inbox.claim(1)
    reader = log.reader(TOPIC, dict(enumerate(inbox.following)))
    records = await reader.batch(limit=100, timeout=5)
    await reader.close()
    return len(await inbox.take_over(records, now=NOW))


def test_a_topic_has_no_colon() -> None:
    assert inbox_of(CentreId("doc:moi.ddpm")) == "inbox.doc.moi.ddpm"
    assert inbox_of(CentreId("pmoc")) == "inbox.pmoc"


async def test_what_a_centre_writes_is_in_status_byte_for_byte(doorway: Doorway) -> None:
    log = doorway.network.log
    structured = json.dumps(event(id="two")).encode()
    await write(
        log,
        message("one"),
        Message(b"k", structured, [("content-type", b"application/cloudevents+json")]),
    )
    assert await take_all(doorway, inbox_at(doorway), log) == 2
    stored = await doorway.stored()
    assert [dict(record.headers)["ce_id"] for record in stored] == [b"one", b"two"]
    assert stored[0].value == DATA
    assert doorway.counted("kamkap_events_accepted_total", way="inbox") == 2


async def test_what_is_refused_goes_to_quarantine_and_blocks_nobody(doorway: Doorway) -> None:
    log = doorway.network.log
    await write(
        log,
        message("one", b'{"incident": "flood"'),
        message("two", ce_source="/centres/poc/TH-82"),
        Message(b"", b"nothing", []),
        message("three", ce_time="2547-12-26T07:58:53+07:00"),
        message("four"),
    )
    await take_all(doorway, inbox_at(doorway), log)
    assert len(await doorway.stored()) == 1
    found = await doorway.network.pool.fetch(QUARANTINED)
    assert [(row["offset"], row["reason"].partition(":")[0]) for row in found] == [
        (0, "event-malformed"),
        (1, "not-own-source"),
        (2, "attribute-missing"),
        (3, "buddhist-era"),
    ]
    assert found[0]["value"] == b'{"incident": "flood"'


async def test_what_is_read_twice_counts_once(doorway: Doorway) -> None:
    log = doorway.network.log
    await write(log, message("one"), message("two", b"nothing"))
    await take_all(doorway, inbox_at(doorway), log)
    await doorway.network.pool.execute("UPDATE inbox.progress SET next_offsets = '{}'")
    assert await take_all(doorway, inbox_at(doorway), log) == 2
    assert len(await doorway.stored()) == 1
    assert len(await doorway.network.pool.fetch(QUARANTINED)) == 1


async def test_the_next_door_goes_on_where_the_last_one_stopped(doorway: Doorway) -> None:
    log = doorway.network.log
    await write(log, message("one"))
    await take_all(doorway, inbox_at(doorway), log)
    await write(log, message("two"))
    await doorway.network.pool.execute("UPDATE inbox.progress SET leased_until = '-infinity'")
    assert await take_all(doorway, inbox_at(doorway, "door-2"), log) == 1


async def test_one_door_at_a_time_reads_an_inbox(doorway: Doorway) -> None:
    await write(doorway.network.log, message("one"))
    first, second = inbox_at(doorway), inbox_at(doorway, "door-2")
    assert await first.claim(1)
    assert not await second.claim(1)
    await doorway.network.pool.execute("UPDATE inbox.progress SET leased_until = '-infinity'")
    assert await second.claim(1)
    with pytest.raises(LeaseLost):
        await first.take_over([], now=NOW)


@asynccontextmanager
async def reading(inboxes: Inboxes) -> AsyncIterator[None]:
    work = asyncio.create_task(inboxes.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


async def eventually(done: Callable[[], bool], log: Log) -> None:
    """Wait on `status` until it is so."""
    reader = log.reader(STATUS_TOPIC, dict.fromkeys(range(SLOTS), 0))
    async with asyncio.timeout(30):
        while not done():
            await reader.batch(limit=10, timeout=1)
    await reader.close()


async def test_inboxes_are_found_and_read_by_themselves(doorway: Doorway) -> None:
    log = doorway.network.log
    await write(log, message("one"))

    def both() -> bool:
        return doorway.counted("kamkap_events_accepted_total", way="inbox") == 2

    async with reading(doorway.ingest.inboxes):
        await write(log, message("two"))
        await eventually(both, log)


async def test_an_inbox_on_kafka_is_read_too(
    database: Database, tmp_path: Path, kafka_one: Cluster
) -> None:
    log = KafkaLog(brokers_at(kafka_one.bootstrap))
    try:
        await log.ensure([TopicSpec(STATUS_TOPIC, SLOTS)])
        async with open_doorway(database, tmp_path, log=log) as doorway:
            await write(log, message("kafka-one"), message("kafka-two", b"nothing"))
            await take_all(doorway, inbox_at(doorway), log)
            assert len(await doorway.network.pool.fetch(QUARANTINED)) == 1
            assert doorway.counted("kamkap_events_accepted_total", way="inbox") == 1
    finally:
        await log.close()
