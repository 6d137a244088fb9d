"""When the log or the read model is away: nothing acknowledged is lost, nothing claimed."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.eventlog.log import Log, LogUnavailable, Message, Reader, Record, TopicSpec
from services.ingest.content import NDJSON
from services.operation.health import NotReady
from tests.database import Database
from tests.ingest.doorway import Doorway, event, open_doorway
from tests.projections.network import event as noted


class Faltering:
    """A log that can be told not to acknowledge, or not to answer; else it is the real one."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.acknowledges = True
        self.reached = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        self.reached.set()
        if self.held is not None:
            await self.held.wait()
        if not self.acknowledges:
            raise LogUnavailable("told so")
        return await self.log.append(topic, batches, timeout=timeout)

    async def ends(self, topic: str) -> list[int]:
        if not self.acknowledges:
            raise LogUnavailable("told so")
        return await self.log.ends(topic)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        await self.log.ensure(topics)

    async def check(self, topics: Sequence[str]) -> None:
        await self.log.check(topics)

    async def topics(self, prefix: str) -> dict[str, int]:
        return await self.log.topics(prefix)

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        return self.log.reader(topic, offsets)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        return await self.log.at(topic, partition, offset)

    async def close(self) -> None:
        await self.log.close()


def falter(doorway: Doorway) -> Faltering:
    log = Faltering(doorway.network.log)
    doorway.ingest.endpoint.door.log = log
    return log


async def test_what_the_log_does_not_acknowledge_is_503_and_not_remembered(
    doorway: Doorway,
) -> None:
    log, stated = falter(doorway), event()
    log.acknowledges = False
    answer = await doorway.post_event(stated)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    log.acknowledges = True
    again = await doorway.post_event(stated)
    assert (again.status_code, again.json()["duplicate"]) == (202, False)


async def test_who_waits_for_another_that_fails_appends_itself(doorway: Doorway) -> None:
    log, stated = falter(doorway), event()
    log.held, log.acknowledges = asyncio.Event(), False
    first = asyncio.create_task(doorway.post_event(stated))
    second = asyncio.create_task(doorway.post_event(stated))
    await log.reached.wait()
    log.held.set()
    assert {(await first).status_code, (await second).status_code} == {503}
    log.acknowledges = True
    assert (await doorway.post_event(stated)).json()["duplicate"] is False


async def test_a_large_request_is_acknowledged_whole_or_not_at_all(doorway: Doorway) -> None:
    log = falter(doorway)
    log.acknowledges = False
    body = "".join(json.dumps(event()) + "\n" for _ in range(1_000))
    assert (await doorway.post(body, NDJSON)).status_code == 503
    log.acknowledges = True
    assert (await doorway.post(body, NDJSON)).json()["accepted"] == 1_000


async def test_a_door_is_ready_only_while_its_log_answers(doorway: Doorway) -> None:
    readiness = doorway.ingest.readiness
    with pytest.raises(NotReady):
        await readiness.check_log()
    assert await readiness.renew()
    await readiness.check_log()
    doors = await doorway.network.pool.fetch("SELECT door FROM eventlog.doors")
    assert [row["door"] for row in doors] == ["door-1"]


async def test_a_door_whose_log_just_failed_claims_nothing(doorway: Doorway) -> None:
    log = falter(doorway)
    log.acknowledges = False
    await doorway.post_event(event())
    assert not await doorway.ingest.readiness.renew()


async def test_at_the_end_the_door_is_closed_for_the_ticker(doorway: Doorway) -> None:
    await doorway.ingest.readiness.renew()
    doors = "SELECT count(*) FROM eventlog.doors"
    assert await doorway.network.pool.fetchval(doors) == 1
    work = asyncio.create_task(doorway.ingest.readiness.run())
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    assert await doorway.network.pool.fetchval(doors) == 0


async def test_the_pages_say_whether_the_door_can_serve(doorway: Doorway) -> None:
    assert (await doorway.client.get("/healthz")).status_code == 200
    assert (await doorway.client.get("/readyz")).status_code == 503
    await doorway.ingest.readiness.renew()
    assert (await doorway.client.get("/readyz")).status_code == 200
    await doorway.post_event(event())
    figures = (await doorway.client.get("/metrics")).text
    assert 'kamkap_events_accepted_total{way="http"} 1.0' in figures


async def test_without_a_registry_nobody_is_judged(database: Database, tmp_path: Path) -> None:
    async with open_doorway(database, tmp_path) as doorway:
        registry = doorway.ingest.registry
        doorway.ingest.endpoint.door.registry = type(registry)(doorway.network.pool)
        answer = await doorway.post_event(event())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_the_registry_is_read_again_when_it_changes(doorway: Doorway) -> None:
    assert not await doorway.ingest.registry.refresh()
    ((source, id_),) = await doorway.network.pool.fetch(
        "SELECT source, id FROM registry.entries WHERE entry = 'poc:TH-83' AND subject = 'centre'"
    )
    sealed = {"sealed_source": source, "sealed_id": id_, "reason": "no", "ordered_by": "the court"}
    await doorway.network.decide("seals", noted("event.sealed.v1", sealed, source=source))
    await doorway.network.project()
    assert await doorway.ingest.registry.refresh()
    assert (await doorway.post_event(event())).json()["rule"] == "centre-not-registered"
