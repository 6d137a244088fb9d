"""Delivered by the feed: an addressee's commit that has passed an issue says so, once."""

import asyncio
import json

from tests.api.country import PHUKET, Country, Json
from tests.api.directing import MOC, POC, issued, published, step
from tests.dispatcher.sending import Sending


async def read(country: Country, identity: str) -> Json:
    return await country.ask("/v1/directives/feed", identity)


async def commit(country: Country, identity: str, cursor: str | None) -> None:
    body = json.dumps({"cursor": cursor}).encode()
    response = await country.send("PUT", "/v1/directives/feed/cursor", identity, content=body)
    assert response.status_code == 204, response.text


async def test_what_an_addressee_committed_is_delivered_to_it_alone(sending: Sending) -> None:
    country = sending.country
    id_ = await issued(country, "pulled", PHUKET, "moi", kind="report")
    await published(country)
    page = await read(country, POC)
    await sending.feeds().state()
    assert await sending.standing(id_) == {PHUKET: "issued", "moi": "issued"}
    await commit(country, POC, page["next"])
    await asyncio.gather(sending.feeds().state(), sending.feeds().state())
    assert await sending.standing(id_) == {PHUKET: "delivered", "moi": "issued"}
    stored = await sending.store.load(f"directives/{id_}")
    assert [one.envelope.type for one in stored].count("directive.delivered.v1") == 1
    assert json.loads(stored[-1].data)["channel"] == "pull"


async def test_what_an_overseer_committed_delivers_nothing(sending: Sending) -> None:
    country = sending.country
    id_ = await issued(country, "overseen", PHUKET)
    await published(country)
    await commit(country, "pm", (await read(country, "pm"))["next"])
    await sending.feeds().state()
    assert await sending.standing(id_) == {PHUKET: "issued"}


async def test_who_answered_already_or_owes_nothing_is_not_delivered_to(sending: Sending) -> None:
    country = sending.country
    answered = await issued(country, "answered", PHUKET)
    await step(country, answered, "acknowledge", POC)
    gone = await issued(country, "gone", "moi", kind="report")
    await step(country, gone, "withdraw", "pm", reason="ไม่ใช้แล้ว")
    await published(country)
    for identity in (POC, MOC):
        await commit(country, identity, (await read(country, identity))["next"])
    await sending.feeds().state()
    assert await sending.standing(answered) == {PHUKET: "acknowledged"}
    assert await sending.standing(gone) == {"moi": "issued"}
