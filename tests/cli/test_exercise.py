"""`kamkap exercise`: what is sent when, and what is told of it."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI, Request, Response
from rich.progress import Progress

from services.agent.exercise import Clock, injects_of
from services.cli.exercise import Play
from services.cli.load import Door
from services.operation.serving import listen, serve

START = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
HEARTBEAT = {"source": "/centres/poc/TH-83", "type": "heartbeat.sent.v1", "data": {}}


@dataclass
class FarNetwork:
    """Another machine's door and gateway: keeps what it is sent."""

    address: str = ""
    events: list[dict[str, object]] = field(default_factory=list)
    posts: list[tuple[str, str, str]] = field(default_factory=list)
    status: int = 200

    async def take(self, request: Request) -> Response:
        body = gzip.decompress(await request.body())
        self.events.extend(json.loads(line) for line in body.splitlines())
        taken = {"accepted": 1, "duplicates": 0, "rejected": [], "position": "p"}
        return Response(json.dumps(taken), 202, media_type="application/json")

    async def decide(self, request: Request) -> Response:
        key = request.headers["idempotency-key"]
        self.posts.append((request.url.path, request.query_params["realm"], key))
        return Response('{"type": "urn:kamkap:problem:illegal-step"}', self.status)


@dataclass
class TimeTable:
    """A clock that goes as far as it is waited for."""

    now: datetime = START
    waits: list[float] = field(default_factory=list)

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=max(0.0, seconds))


@asynccontextmanager
async def far_network() -> AsyncIterator[FarNetwork]:
    far, app, started = FarNetwork(), FastAPI(), asyncio.Event()
    app.add_api_route("/v1/events", far.take, methods=["POST"])
    app.add_api_route("/v1/directives", far.decide, methods=["POST"])
    place = listen("127.0.0.1", 0)
    far.address = f"http://127.0.0.1:{place.getsockname()[1]}"
    serving = asyncio.create_task(serve(app, place, on_started=started.set))
    try:
        await started.wait()
        yield far
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def played(
    far: FarNetwork, folder: Path, *lines: Mapping[str, object], speed: float = 1
) -> tuple[Play, TimeTable]:
    file, time = folder / "e.ndjson", TimeTable()
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    door = Door(far.address, "token", None)
    play = Play(door, Clock(START, speed), "run", now=lambda: time.now, wait=time.wait)
    await play.all(injects_of(file), Progress(disable=True))
    return play, time


async def test_each_inject_is_made_in_its_time(tmp_path: Path) -> None:
    lines = [{"at": f"T+00:{at}:00", "event": HEARTBEAT} for at in ("00", "10", "30")]
    async with far_network() as far:
        play, time = await played(far, tmp_path, *lines, speed=60)
    assert time.waits == [0, 10, 20]
    assert play.report.accepted == 3
    assert [event["realm"] for event in far.events] == ["exercise"] * 3


async def test_decisions_are_posted_in_the_realm_of_the_exercise(tmp_path: Path) -> None:
    line = {"at": "T+00:00:00", "as": "pm", "post": "/v1/directives", "body": {"directive": "x"}}
    async with far_network() as far:
        play, _ = await played(far, tmp_path, line)
    assert far.posts == [("/v1/directives", "exercise", "run-1")]
    assert (play.report.accepted, play.report.refused) == (1, [])


async def test_what_is_refused_is_told_with_its_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"at": "T+00:00:00", "as": "pm", "post": "/v1/directives", "body": {}},
        {"at": "T+00:00:01", "event": HEARTBEAT},
    ]
    async with far_network() as far:
        far.status = 409
        play, _ = await played(far, tmp_path, *lines)
    assert play.report.accepted == 1
    (refused,) = play.report.refused
    assert refused.place.endswith("line 1")
    assert refused.problem["type"] == "urn:kamkap:problem:illegal-step"
