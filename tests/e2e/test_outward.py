"""A directive from its issue to its addressee and back, by every way that a plain client has."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aiokafka
from fastapi import Response
from httpx_sse import ServerSentEvent, aconnect_sse

from schemas.envelope import OUT_PREFIX
from schemas.ids import CentreId, topic_of_centre
from services.eventlog.homes import EMBEDDED
from services.eventlog.log import TopicSpec
from tests.dispatcher.receiving import receiving
from tests.e2e.system import Json, System

POC = "poc:TH-83"
TOPIC = topic_of_centre(OUT_PREFIX, CentreId(POC))
_SECONDS = 60.0


async def send(system: System, path: str, identity: str, **said: object) -> Json:
    headers = {"Authorization": f"Bearer {system.token(identity)}", "Idempotency-Key": uuid4().hex}
    answer = await system.client.post(f"/v1/directives{path}", json=said, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()


@asynccontextmanager
async def stream(system: System, identity: str) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    headers = {"Authorization": f"Bearer {system.token(identity)}"}
    path = "/v1/directives/stream"
    async with aconnect_sse(system.client, "GET", path, headers=headers) as source:
        yield source.aiter_sse()


async def changes(events: AsyncIterator[ServerSentEvent], directive: str, until: str) -> list[str]:
    """What the stream tells of the directive, until this happens to it."""
    told: list[str] = []
    async with asyncio.timeout(_SECONDS):
        async for event in events:
            data = json.loads(event.data)["data"]
            if data["directive"] == directive:
                told.append(data["change"])
                if data["change"] == until:
                    break
    return told


async def feed(system: System, identity: str) -> tuple[list[Json], str]:
    """Everything since the reader's place, and the place after it."""
    items: list[Json] = []
    page = await system.ask("/v1/directives/feed", identity)
    while page["items"]:
        items += page["items"]
        page = await system.ask("/v1/directives/feed", identity, cursor=page["next"])
    return items, page["next"]


async def issued(system: System) -> str:
    directive = f"outward-{uuid4().hex[:12]}"
    await send(
        system, "", "pm", directive=directive, deputy="pm", kind="order",
        title_th="ให้อพยพ", text_th="ให้อพยพประชาชนออกจากชายฝั่ง", addressees=["TH-83"],
    )  # fmt: skip
    await send(system, f"/{directive}/issue", "pm")
    return directive


async def test_a_directive_goes_out_by_stream_and_feed_and_its_answer_comes_back(
    system: System,
) -> None:
    async with stream(system, POC) as own, stream(system, "pm") as issuer:
        directive = await issued(system)
        assert (await changes(own, directive, "issued"))[-1] == "issued"
        items, place = await feed(system, POC)
        assert directive in {one["data"]["directive"] for one in items}
        headers = {"Authorization": f"Bearer {system.token(POC)}"}
        committed = await system.client.put(
            "/v1/directives/feed/cursor", json={"cursor": place}, headers=headers
        )
        assert committed.status_code == 204
        # Delivered, because its commit has passed it; acknowledged only by its own word.
        assert await changes(issuer, directive, "delivered") == ["issued", "delivered"]
        await send(system, f"/{directive}/acknowledge", POC)
        assert await changes(issuer, directive, "acknowledged") == ["acknowledged"]
        assert (await changes(own, directive, "acknowledged"))[-1] == "acknowledged"


async def test_a_plain_consumer_of_the_centre_s_topic_meets_what_the_feed_tells(
    system: System, log_url: str
) -> None:
    if log_url == EMBEDDED:
        # There are no brokers: the feed is what a centre has.
        assert await system.operator.log.topics(OUT_PREFIX) == {}
        return
    await system.operator.log.ensure([TopicSpec(TOPIC, 1)])
    directive = await issued(system)
    consumer = aiokafka.AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=log_url.removeprefix("kafka://").split(","),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(_SECONDS):
            async for message in consumer:
                headers = {name: value.decode() for name, value in message.headers}
                if message.key == directive.encode():
                    break
    finally:
        await consumer.stop()
    items, _ = await feed(system, POC)
    (item,) = [one for one in items if one["id"] == headers["ce_id"]]
    assert json.loads(message.value)["text"] == item["data"]["text"]


async def test_a_province_s_own_system_is_told_by_webhook_and_answers(system: System) -> None:
    headers = {"Authorization": f"Bearer {system.token(POC)}", "Idempotency-Key": uuid4().hex}
    came: asyncio.Queue[Json] = asyncio.Queue()

    def take(event: Json) -> Response:
        came.put_nowait(event["data"])
        return Response("ได้รับแล้ว")

    async with receiving() as receiver, stream(system, "pm") as issuer:
        receiver.answer = take
        made = await system.client.post(
            "/v1/subscriptions", json={"url": receiver.url}, headers=headers
        )
        assert made.status_code == 201, made.text
        receiver.secrets.append(made.json()["secret"])
        try:
            directive = await issued(system)
            # Delivered by what its receiver answered; acknowledged only by its own word.
            assert await changes(issuer, directive, "delivered") == ["issued", "delivered"]
            await send(system, f"/{directive}/acknowledge", POC)
            async with asyncio.timeout(_SECONDS):
                while (await came.get())["change"] != "acknowledged":
                    pass
        finally:
            path = f"/v1/subscriptions/{made.json()['id']}"
            await system.client.delete(path, headers=headers)
    told = [one["data"] for one in receiver.received]
    own = [one["change"] for one in told if one["directive"] == directive]
    assert own == ["issued", "acknowledged"]
