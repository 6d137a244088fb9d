"""Kafka out: each centre's topic has what the centre may read, at least once."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import aiokafka
import pytest

from deploy.kafka.broker import Cluster
from services.eventlog.authority import STREAM
from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import brokers_at
from services.eventlog.log import LogUnavailable, Message
from services.eventlog.postgres import PostgresLog
from tests.api.country import PHUKET, gives, order
from tests.api.directing import MOC, POC, issued, published, step
from tests.dispatcher.sending import Sending, make_topic, read_topic
from tests.projections.network import NOON

OTHER = "poc:TH-82"


def changes(told: list[tuple[str, dict[str, str]]]) -> list[tuple[str, str]]:
    return [(data["directive"], data["change"]) for _, data in told]


async def test_each_topic_has_its_centre_s_own_part(sending: Sending) -> None:
    country, log = sending.country, sending.country.network.log
    for centre in (POC, OTHER, MOC):
        await make_topic(log, centre)
    id_ = await issued(country, "part", PHUKET, "moi", kind="report")
    await step(country, id_, "acknowledge", MOC)
    await published(country)
    await sending.fill(sending.topics(log))
    assert changes(await read_topic(log, POC)) == [(id_, "issued")]
    assert changes(await read_topic(log, MOC)) == [(id_, "issued"), (id_, "acknowledged")]
    assert await read_topic(log, OTHER) == []


async def test_what_a_topic_took_is_delivered_and_not_acknowledged(sending: Sending) -> None:
    country, log = sending.country, sending.country.network.log
    await make_topic(log, POC)
    await make_topic(log, "pmoc")
    id_ = await issued(country, "taken", PHUKET, "moi", kind="report")
    await published(country)
    await sending.fill(sending.topics(log))
    assert len(await read_topic(log, "pmoc")) == 1
    assert await sending.standing(id_) == {PHUKET: "delivered", "moi": "issued"}
    await published(country)
    await sending.fill(sending.topics(log))
    assert changes(await read_topic(log, POC)) == [(id_, "issued"), (id_, "delivered")]
    await sending.fill(sending.topics(log))
    assert len(await sending.store.load(f"directives/{id_}")) == 3


async def test_a_centre_without_a_topic_stops_nobody_and_finds_it_all_later(
    sending: Sending,
) -> None:
    country, log = sending.country, sending.country.network.log
    await make_topic(log, MOC)
    id_ = await issued(country, "later", PHUKET, "moi", kind="report")
    await published(country)
    await sending.fill(sending.topics(log))
    await make_topic(log, POC)
    await sending.fill(sending.topics(log))
    assert (id_, "issued") in changes(await read_topic(log, POC))


async def test_an_overseer_s_topic_follows_the_orders_and_an_addressee_keeps_its_own(
    sending: Sending,
) -> None:
    country, log = sending.country, sending.country.network.log
    await make_topic(log, POC)
    id_ = await issued(country, "moved", PHUKET)
    moves = order("9/2567", NOON - timedelta(hours=1), gives("area", PHUKET, "b"), complete=[])
    await country.network.decide(STREAM, moves)
    await step(country, id_, "acknowledge", POC)
    await published(country)
    await sending.fill(sending.topics(log))
    assert changes(await read_topic(log, POC)) == [(id_, "issued"), (id_, "acknowledged")]


class Died(BaseException):
    """As kill -9: nothing that follows is done, not even what tidies up."""


class DyingLog(PostgresLog):
    """A log whose writer dies as soon as the append is acknowledged."""

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        await super().append(topic, batches, timeout=timeout)
        raise Died


async def test_who_dies_between_the_send_and_the_place_sends_again_under_the_same_ids(
    sending: Sending,
) -> None:
    country, log = sending.country, sending.country.network.log
    await make_topic(log, POC)
    id_ = await issued(country, "twice", PHUKET)
    await published(country)
    dying = DyingLog(country.network.pool)
    with pytest.raises(Died):
        await sending.fill(sending.topics(dying, "dead"))
    await dying.close()
    # As long as the lease runs, nobody takes the dead one's place.
    await sending.fill(sending.topics(log, "heir"))
    assert len(await read_topic(log, POC)) == 1
    await sending.country.network.pool.execute(
        "UPDATE outward.topics SET leased_until = clock_timestamp()"
    )
    await sending.fill(sending.topics(log, "heir"))
    first, second = await read_topic(log, POC)
    assert first == second
    assert await sending.standing(id_) == {PHUKET: "delivered"}


async def test_two_dispatchers_share_the_topics(sending: Sending) -> None:
    country, log = sending.country, sending.country.network.log
    centres = [POC, OTHER, MOC, "moc:moph", "doc:moi.ddpm", "pmoc"]
    for centre in centres:
        await make_topic(log, centre)
    for nth in range(5):
        await issued(country, f"shared-{nth}", PHUKET, "moi", kind="report")
    await published(country)
    both = (sending.topics(log, "one"), sending.topics(log, "two"))
    await asyncio.gather(*(sending.fill(one) for one in both))
    for centre, many in ((POC, 5), (MOC, 5), ("pmoc", 5), (OTHER, 0)):
        ids = [id_ for id_, _ in await read_topic(log, centre)]
        assert len(ids) == len(set(ids)) == many


class StuckLog(PostgresLog):
    """A log that acknowledges nothing for one centre."""

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        if topic == "out.poc.TH-83":
            raise LogUnavailable(topic)
        return await super().append(topic, batches, timeout=timeout)


async def test_a_topic_that_takes_nothing_stops_no_other(sending: Sending) -> None:
    country, log = sending.country, sending.country.network.log
    for centre in (POC, MOC):
        await make_topic(log, centre)
    id_ = await issued(country, "stuck", PHUKET, "moi", kind="report")
    await published(country)
    stuck = StuckLog(country.network.pool)
    await sending.fill(sending.topics(stuck))
    await stuck.close()
    assert (id_, "issued") in changes(await read_topic(log, MOC))
    assert await sending.standing(id_) == {PHUKET: "issued", "moi": "delivered"}


async def test_a_plain_kafka_consumer_reads_its_topic(sending: Sending, kafka_one: Cluster) -> None:
    country = sending.country
    log = KafkaLog(brokers_at(kafka_one.bootstrap))
    try:
        await make_topic(log, POC)
        id_ = await issued(country, "kafka", PHUKET, title_th="อพยพ")
        await published(country)
        await sending.fill(sending.topics(log))
    finally:
        await log.close()
    consumer = aiokafka.AIOKafkaConsumer(
        "out.poc.TH-83", bootstrap_servers=kafka_one.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        message = await asyncio.wait_for(consumer.getone(), 30)
    finally:
        await consumer.stop()
    headers = {name: value.decode() for name, value in message.headers}
    assert message.key == id_.encode()
    assert (headers["ce_type"], headers["ce_specversion"]) == ("directive.notice.v1", "1.0")
    assert headers["ce_subject"] == f"directives/{id_}"
    assert headers["content-type"] == "application/json"
    assert '"title_th":"อพยพ"' in message.value.decode()


async def test_the_dispatcher_s_role_writes_nothing_but_its_places_and_decisions(
    sending: Sending,
) -> None:
    for statement in (
        "DELETE FROM outward.topics",
        "UPDATE outward.feeds SET next_position = 0",
        "INSERT INTO decisions.events (position) VALUES (0)",
        "SELECT count(*) FROM projections.quarantine",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await sending.pool.execute(statement)
