"""The feed over HTTP: its pages, its places, who reads it, and what is committed."""

import json
from datetime import timedelta

import pytest

from schemas.envelope import DECISIONS_SLOT
from services.api.database import transaction_for
from services.api.places import Places
from services.eventlog.authority import STREAM
from services.eventlog.position import Position, PositionTokens
from tests.api.country import PHUKET, SECRET, Country, Json, gives, order
from tests.api.directing import MOC, PM, POC, TEXT, A, B, issued, post, published, step
from tests.projections.network import NOON

FEED = "/v1/directives/feed"


async def changes(country: Country, reader: str, **query: Json) -> list[tuple[str, str]]:
    return told(await country.ask(FEED, reader, **query))


def told(page: Json) -> list[tuple[str, str]]:
    return [(one["data"]["directive"], one["data"]["change"]) for one in page["items"]]


async def commit(country: Country, reader: str, cursor: str | None) -> int:
    body = json.dumps({"cursor": cursor}).encode()
    return (await country.send("PUT", f"{FEED}/cursor", reader, content=body)).status_code


async def test_a_reader_goes_on_from_each_next_and_misses_nothing(country: Country) -> None:
    for nth in range(3):
        await issued(country, f"one-{nth}", PHUKET)
    await published(country)
    page, found = await country.ask(FEED, POC, limit=1), []
    while page["items"]:
        found += told(page)
        page = await country.ask(FEED, POC, limit=1, cursor=page["next"])
    assert found == [(f"one-{nth}", "issued") for nth in range(3)]
    await step(country, "one-1", "acknowledge", POC)
    await published(country)
    later = await country.ask(FEED, POC, cursor=page["next"])
    assert told(later) == [("one-1", "acknowledged")]


async def test_a_notice_is_a_cloudevent(country: Country) -> None:
    id_ = await issued(country, "event", PHUKET)
    await published(country)
    (item,) = (await country.ask(FEED, POC))["items"]
    assert item["specversion"] == "1.0"
    assert item["type"] == "directive.notice.v1"
    assert item["subject"] == f"directives/{id_}"
    assert item["data"]["text"]["addressees"] == [PHUKET]


async def test_the_feed_goes_on_from_what_was_committed(country: Country) -> None:
    await issued(country, "before", PHUKET)
    await published(country)
    first = await country.ask(FEED, POC)
    assert await changes(country, POC) == told(first)
    assert await commit(country, POC, first["next"]) == 204
    await issued(country, "behind", PHUKET)
    await published(country)
    assert await changes(country, POC) == [("behind", "issued")]
    assert await changes(country, "governor:TH-83") == [("before", "issued"), ("behind", "issued")]
    assert await commit(country, POC, None) == 204
    assert len(await changes(country, POC)) == 2


async def test_a_place_of_another_reader_or_epoch_is_refused_by_name(country: Country) -> None:
    theirs = (await country.ask(FEED, MOC))["next"]
    older = Places(PositionTokens(SECRET, epoch=0)).seal(POC, 0)
    position = country.tokens.seal(Position({DECISIONS_SLOT: 0}))
    for cursor, said in ((theirs, "not one of this network"), (older, "epoch 0"), ("x", ""),
                         (position, "not one of this network")):  # fmt: skip
        response = await country.get(FEED, POC, cursor=cursor)
        assert (response.status_code, response.json()["type"]) == (
            400,
            "urn:kamkap:problem:invalid-cursor",
        )
        assert said in response.json()["detail_en"]
        assert await commit(country, POC, cursor) == 400


async def test_who_no_directive_is_ever_for_is_forbidden(country: Country) -> None:
    for reader in ("analyst", "operator", "press:cnn"):
        assert (await country.get(FEED, reader)).status_code == 403
        assert await commit(country, reader, None) == 403
        assert (await country.get("/v1/directives/stream", reader)).status_code == 403


async def test_authority_is_that_of_the_moment_of_reading(country: Country) -> None:
    id_ = await issued(country, "moved", PHUKET)
    await published(country)
    page = {reader: await country.ask(FEED, reader) for reader in (A, B, POC)}
    assert [len(page[reader]["items"]) for reader in (A, B, POC)] == [1, 0, 1]
    moves = order("2/2567", NOON - timedelta(hours=1), gives("area", PHUKET, "b"), complete=[])
    await country.network.decide(STREAM, moves)
    await step(country, id_, "acknowledge", POC)
    await published(country)
    seen = {reader: await changes(country, reader, cursor=page[reader]["next"]) for reader in page}
    assert seen == {
        # In whose name it was issued stays on its side.
        A: [(id_, "acknowledged")],
        B: [(id_, "acknowledged")],
        POC: [(id_, "acknowledged")],
    }


async def test_the_gateway_s_role_has_the_place_of_the_reader_it_names_alone(
    country: Country,
) -> None:
    assert await commit(country, POC, None) == 204
    async with transaction_for(country.gateway.resources.pool, POC) as connection:
        assert await connection.fetchval("SELECT count(*) FROM outward.feeds") == 1
    async with transaction_for(country.gateway.resources.pool, MOC) as connection:
        assert await connection.fetchval("SELECT count(*) FROM outward.feeds") == 0


async def test_filters_narrow_what_is_read(country: Country) -> None:
    await issued(country, "wide", PHUKET, "moi", kind="report")
    await issued(country, "narrow", PHUKET)
    await published(country)
    url = f"{FEED}?kind=order&kind=advice"
    assert told((await country.get_url(url, PM)).json()) == []
    found = await country.get(FEED, PM, kind=["order", "report"], ministry=["moi", "moph"])
    assert told(found.json()) == [("wide", "issued")]


@pytest.mark.parametrize("word", ["feed", "stream", "times"])
async def test_no_directive_is_named_like_an_address(country: Country, word: str) -> None:
    body = {**TEXT, "directive": word, "addressees": [PHUKET]}
    response = await post(country, "", A, body)
    assert (response.status_code, response.json()["rule"]) == (409, "directive-id-taken")
