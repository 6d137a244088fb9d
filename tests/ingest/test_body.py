"""Bodies: how slow, how large, how many at once."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.body import ClientLeft, InFlight, Pace, read_body
from services.ingest.content import STRUCTURED, Content, Form
from services.operation.problems import Problem
from tests.ingest.doorway import Doorway, event

PACE = Pace()
PLAIN = Content(Form.STRUCTURED, "identity", None, {})


def test_one_kilobyte_a_second_is_patiently_read_for_fifteen_minutes() -> None:
    for second in range(15 * 60):
        assert PACE.deadline(1_000 * second) > second


def test_after_fifteen_minutes_no_body_goes_on() -> None:
    assert PACE.deadline(16 * 1024 * 1024) == 15 * 60


def test_whoever_sends_a_byte_now_and_then_is_cut_off() -> None:
    assert PACE.deadline(0) == 30
    assert PACE.deadline(60) < 31


@given(st.integers(0, 2**24), st.integers(0, 2**24))
def test_more_bytes_never_shorten_the_patience(some: int, more: int) -> None:
    assert PACE.deadline(some) <= PACE.deadline(some + more)


type Message = MutableMapping[str, Any]


def chunk(body: bytes, *, last: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": not last}


class Wire:
    """A client whose messages come when they are put here."""

    def __init__(self, *messages: Message) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        for message in messages:
            self._queue.put_nowait(message)

    async def receive(self) -> Message:
        return await self._queue.get()


async def test_a_body_that_stops_is_cut_off() -> None:
    room = InFlight()
    wire = Wire(chunk(b"{"))
    hasty = Pace(bytes_per_second=1_000, patience_seconds=0.05)
    with pytest.raises(Problem) as refused, room.account() as share:
        await read_body(wire.receive, PLAIN, share, pace=hasty)
    assert refused.value.kind.status == 408
    assert refused.value.headers["Connection"] == "close"
    assert room.held == 0


async def test_a_client_that_leaves_is_not_answered() -> None:
    room = InFlight()
    wire = Wire(chunk(b"{"), {"type": "http.disconnect"})
    with pytest.raises(ClientLeft), room.account() as share:
        await read_body(wire.receive, PLAIN, share, pace=PACE)
    assert room.held == 0


async def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    room = InFlight(limit=1_000)
    wire = Wire()
    stated = Content(Form.STRUCTURED, "identity", 1_001, {})
    with pytest.raises(Problem) as refused, room.account() as share:
        await read_body(wire.receive, stated, share, pace=PACE)
    assert (refused.value.kind.status, refused.value.headers["Retry-After"]) == (503, "2")


async def test_what_does_not_say_its_length_is_counted_as_it_comes() -> None:
    room = InFlight(limit=1_000)
    wire = Wire(chunk(b"x" * 600), chunk(b"x" * 600))
    with pytest.raises(Problem) as refused, room.account() as share:
        await read_body(wire.receive, PLAIN, share, pace=PACE)
    assert refused.value.kind.status == 503
    assert room.held == 0


async def test_a_full_door_says_when_to_come_again(doorway: Doorway) -> None:
    doorway.ingest.endpoint.in_flight = InFlight(limit=10)
    answer = await doorway.post_event(event())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert await doorway.stored() == []


async def test_a_slow_body_is_answered_408_and_counted(doorway: Doorway) -> None:
    doorway.ingest.endpoint.pace = Pace(bytes_per_second=1_000, patience_seconds=0.05)
    wire = Wire(chunk(json.dumps(event()).encode()[:40]))
    headers = [
        (b"authorization", f"Bearer {doorway.token('poc:TH-83')}".encode()),
        (b"content-type", STRUCTURED.encode()),
    ]
    answer = await doorway.ingest.endpoint.answer(
        {"path": "/v1/events", "headers": headers}, wire.receive
    )
    assert answer is not None
    assert answer.status == 408
    assert (b"connection", b"close") in answer.headers
    assert doorway.counted("kamkap_events_refused_total", reason="too-slow") == 1
