"""Server-sent events of a real server: resumed from anywhere, by the authority of the moment."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from httpx_sse import ServerSentEvent, aconnect_sse

from services.api.places import Places
from services.api.streams import BUFFERED_FRAMES, Listener
from services.eventlog.authority import STREAM
from services.eventlog.position import PositionTokens
from services.operation.serving import listen, serve
from tests.api.country import PHUKET, SECRET, Country, gives, order
from tests.api.directing import MOC, PM, POC, TEXT, A, B, issued, post, published, step
from tests.projections.network import NOON

PATH = "/v1/directives/stream"
_SECONDS = 20.0


@dataclass(frozen=True)
class Server:
    """A country that serves on a port of its own."""

    country: Country
    client: httpx.AsyncClient
    serving: asyncio.Task[None]

    @asynccontextmanager
    async def stream(
        self, reader: str, *, last: str | None = None, **query: str
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """The events of one stream."""
        headers = {**self.country._authorization(reader)}
        if last is not None:
            headers["Last-Event-ID"] = last
        async with aconnect_sse(self.client, "GET", PATH, headers=headers, params=query) as source:
            yield source.aiter_sse()

    async def place(self, reader: str, position: int = 0) -> str:
        return Places(self.country.tokens).seal(reader, position)


@pytest_asyncio.fixture
async def server(country: Country) -> AsyncIterator[Server]:
    place = listen("127.0.0.1", 0)
    started = asyncio.Event()
    serving = asyncio.create_task(
        serve(country.app, place, on_started=started.set, on_stop=country.gateway.stop)
    )
    await started.wait()
    host, port = place.getsockname()[:2]
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=_SECONDS) as client:
        yield Server(country, client, serving)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def take(events: AsyncIterator[ServerSentEvent], many: int) -> list[ServerSentEvent]:
    async with asyncio.timeout(_SECONDS):
        return [await anext(events) for _ in range(many)]


def changes(events: list[ServerSentEvent]) -> list[tuple[str, str]]:
    told: list[dict[str, Any]] = [json.loads(one.data)["data"] for one in events]
    return [(one["directive"], one["change"]) for one in told]


async def test_a_stream_tells_what_happens_as_the_feed_does(server: Server) -> None:
    country = server.country
    begun = (await country.ask("/v1/directives/feed", POC))["next"]
    async with server.stream(POC) as events:
        id_ = await issued(country, "live", PHUKET)
        await published(country)
        (first,) = await take(events, 1)
        await step(country, id_, "acknowledge", POC)
        await published(country)
        (second,) = await take(events, 1)
    page = await country.ask("/v1/directives/feed", POC, cursor=begun)
    assert changes([first, second]) == [(id_, "issued"), (id_, "acknowledged")]
    assert [json.loads(one.data)["id"] for one in (first, second)] == [
        one["id"] for one in page["items"]
    ]
    assert {first.event, second.event} == {"notice"}
    assert second.id == page["next"]


async def test_a_stream_resumes_from_every_position_there_ever_was(server: Server) -> None:
    country = server.country
    for nth in range(4):
        await issued(country, f"old-{nth}", PHUKET)
    await published(country)
    async with server.stream(POC, cursor=await server.place(POC)) as events:
        whole = await take(events, 4)
    for nth, event in enumerate(whole[:-1]):
        async with server.stream(POC, last=event.id) as events:
            rest = await take(events, len(whole) - nth - 1)
        assert [one.id for one in rest] == [one.id for one in whole[nth + 1 :]]
    async with server.stream(POC, last=whole[-1].id) as events:
        await issued(country, "new", PHUKET)
        await published(country)
        assert changes(await take(events, 1)) == [("new", "issued")]


async def test_who_joins_while_it_happens_misses_nothing_and_meets_nothing_twice(
    server: Server,
) -> None:
    country = server.country
    begin = await server.place(POC)

    async def read(many: int) -> list[str]:
        async with server.stream(POC, cursor=begin) as events:
            return [one.id for one in await take(events, many)]

    async def happen() -> None:
        for nth in range(12):
            await issued(country, f"busy-{nth}", PHUKET)
            await published(country)

    happening = asyncio.create_task(happen())
    read_ids = await asyncio.gather(*(read(12) for _ in range(8)))
    await happening
    assert len(set(read_ids[0])) == 12
    assert all(ids == read_ids[0] for ids in read_ids)


@pytest.mark.parametrize("which", ["another reader's", "another epoch's", "no token"])
async def test_where_it_cannot_resume_it_says_so_and_where_it_begins(
    server: Server, which: str
) -> None:
    country = server.country
    await issued(country, "missed", PHUKET)
    await published(country)
    last = {
        "another reader's": await server.place(MOC),
        "another epoch's": Places(PositionTokens(SECRET, epoch=2)).seal(POC, 0),
        "no token": "17",
    }[which]
    async with server.stream(POC, last=last) as events:
        (reset,) = await take(events, 1)
        await issued(country, "after", PHUKET)
        await published(country)
        (after,) = await take(events, 1)
    said = json.loads(reset.data)
    assert (reset.event, reset.id) == ("reset", "")
    assert ("epoch" in said["reason"]) is (which == "another epoch's")
    assert changes([after]) == [("after", "issued")]
    async with server.stream(POC, cursor=said["next"]) as events:
        assert changes(await take(events, 1)) == [("after", "issued")]


async def test_an_order_ends_an_overseer_s_sight_at_once_and_never_an_addressee_s(
    server: Server,
) -> None:
    country = server.country
    # In the Prime Minister's name, so that A sees it through the province alone.
    await pm_issued(country, "passes", PHUKET)
    await published(country)
    async with server.stream(A) as a, server.stream(B) as b, server.stream(POC) as own:
        await step(country, "passes", "acknowledge", POC)
        await published(country)
        for events in (a, own):
            assert changes(await take(events, 1)) == [("passes", "acknowledged")]
        moves = order("2/2567", NOON - timedelta(hours=1), gives("area", PHUKET, "b"), complete=[])
        await country.network.decide(STREAM, moves)
        await step(country, "passes", "begin", POC)
        await pm_issued(country, "stays", "moi")
        await published(country)
        assert changes(await take(a, 1)) == [("stays", "issued")]
        assert changes(await take(b, 1)) == [("passes", "begun")]
        assert changes(await take(own, 1)) == [("passes", "begun")]


async def test_listeners_of_one_reader_get_the_same_bytes_and_others_their_own(
    server: Server,
) -> None:
    country = server.country

    readers = [POC, POC, POC, MOC, MOC]
    connected = asyncio.Barrier(len(readers) + 1)

    async def raw(reader: str, until: bytes) -> bytes:
        headers = country._authorization(reader)
        content = b""
        async with server.client.stream("GET", PATH, headers=headers) as response:
            await connected.wait()
            async with asyncio.timeout(_SECONDS):
                async for chunk in response.aiter_raw():
                    content += chunk
                    if content.count(b"\n\n") and until in content and content.endswith(b"\n\n"):
                        return content
        return content

    reading = [asyncio.create_task(raw(one, b"begun")) for one in readers]
    await connected.wait()
    id_ = await issued(country, "same", PHUKET, "moi", kind="report")
    for by in (POC, MOC):
        await step(country, id_, "acknowledge", by)
        await step(country, id_, "begin", by)
    await published(country)
    first, *_ = told = await asyncio.gather(*reading)
    assert told[:3] == [first] * 3
    assert told[3] == told[4] != first


async def test_a_browser_s_session_listens(server: Server) -> None:
    country = server.country
    bearer = country._authorization(POC)
    opened = await server.client.post("/v1/session", headers=bearer)
    assert opened.status_code == 201
    async with aconnect_sse(server.client, "GET", PATH) as source:
        await issued(country, "cookie", PHUKET)
        await published(country)
        assert changes(await take(source.aiter_sse(), 1)) == [("cookie", "issued")]


async def test_a_server_that_stops_ends_its_streams_in_order(server: Server) -> None:
    async with server.stream(PM) as events:
        server.serving.cancel()
        async with asyncio.timeout(_SECONDS):
            assert [one async for one in events] == []
        await asyncio.gather(server.serving, return_exceptions=True)


async def test_who_does_not_read_is_cut_off_and_nothing_is_kept_for_it() -> None:
    listener = Listener(0)
    for _ in range(BUFFERED_FRAMES + 1):
        listener.hand(b"x")
    assert await listener.take() is None


async def test_what_came_meanwhile_is_sent_together() -> None:
    listener = Listener(0)
    listener.hand(b"one ")
    listener.hand(b"two")
    assert await listener.take() == b"one two"


async def pm_issued(country: Country, id_: str, *to: str) -> None:
    body = {**TEXT, "directive": id_, "deputy": "pm", "kind": "report", "addressees": list(to)}
    assert (await post(country, "", PM, body)).status_code == 201
    assert await step(country, id_, "issue", PM) == "open"
