"""`kamkap load`: what is sent, and what is told of it."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from rich.progress import Progress

from services.cli.load import BATCH, Door, RefusedLine, Report, batches, lines_of, send_files
from services.identity.issuer import Issuer
from services.operation.serving import listen, serve
from services.operation.settings import Settings


@dataclass
class FarDoor:
    """Another machine's door: keeps what it is sent, answers what it is told to."""

    answers: list[Response]
    address: str = ""
    bodies: list[bytes] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.bodies.append(gzip.decompress(await request.body()))
        return self.answers.pop(0)


def taken(count: int, *rejected: dict[str, object]) -> Response:
    body = {"accepted": count, "duplicates": 0, "rejected": list(rejected), "position": "p"}
    return Response(json.dumps(body), 202, media_type="application/json")


@asynccontextmanager
async def far_door(*answers: Response) -> AsyncIterator[FarDoor]:
    door, app, started = FarDoor(list(answers)), FastAPI(), asyncio.Event()
    app.add_api_route("/v1/events", door.take, methods=["POST"])
    place = listen("127.0.0.1", 0)
    door.address = f"http://127.0.0.1:{place.getsockname()[1]}"
    serving = asyncio.create_task(serve(app, place, on_started=started.set))
    try:
        await started.wait()
        yield door
    finally:
        serving.cancel()
        await asyncio.wait([serving])


def ndjson(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


async def sent(door: Door, file: Path) -> Report:
    report = Report()
    await send_files(door, [file], report, Progress(disable=True))
    return report


def event(number: int, source: str = "/centres/poc/TH-83") -> str:
    return json.dumps({"source": source, "id": f"e{number}", "data": {"n": 1.50}})


async def test_lines_go_out_as_they_are_written(tmp_path: Path) -> None:
    odd = '{"source": "/centres/poc/TH-83",  "id":"e1", "data":{"ค":1.50,"a":1e2}}'
    async with far_door(taken(1)) as far:
        await sent(Door(far.address, "t", None), ndjson(tmp_path / "a.ndjson", odd))
    assert far.bodies == [odd.encode()]


async def test_a_busy_door_is_asked_again_with_the_same_bytes(tmp_path: Path) -> None:
    busy = Response(status_code=503, headers={"Retry-After": "0"})
    async with far_door(busy, busy, taken(2)) as far:
        file = ndjson(tmp_path / "a.ndjson", event(1), event(2))
        report = await sent(Door(far.address, "t", None), file)
    assert report.accepted == 2
    assert len(far.bodies) == 3
    assert len(set(far.bodies)) == 1


async def test_a_refused_line_is_told_with_its_place(tmp_path: Path) -> None:
    problem: dict[str, object] = {"type": "urn:kamkap:problem:unknown-type"}
    async with far_door(taken(1, {"index": 1, "id": "e2", "problem": problem})) as far:
        file = ndjson(tmp_path / "a.ndjson", event(1), "", event(2))
        report = await sent(Door(far.address, "t", None), file)
    assert report.accepted == 1
    assert report.refused == [RefusedLine(f"{file}:3", "e2", problem)]


async def test_a_request_refused_as_a_whole_refuses_each_line(tmp_path: Path) -> None:
    forbidden = Response('{"type":"urn:kamkap:problem:forbidden"}', 403)
    async with far_door(forbidden) as far:
        file = ndjson(tmp_path / "a.ndjson", event(1), event(2))
        report = await sent(Door(far.address, "t", None), file)
    assert [refused.id for refused in report.refused] == ["e1", "e2"]


async def test_without_a_token_each_centre_speaks_for_itself(tmp_path: Path) -> None:
    door = Door("http://127.0.0.1:9", None, Issuer.open(Settings(home=tmp_path)))
    assert door.token_for("/centres/poc/TH-83") != door.token_for("/centres/poc/TH-82")
    report = await sent(door, ndjson(tmp_path / "a.ndjson", event(1, "nobody"), "no json"))
    assert [str(refused.problem["type"]) for refused in report.refused] == [
        "urn:kamkap:problem:no-centre"
    ] * 2


def test_a_batch_holds_one_source_in_its_order(tmp_path: Path) -> None:
    sources = ("/centres/poc/TH-82", "/centres/poc/TH-83")
    lines = [event(n, sources[n % 2]) for n in range(2 * BATCH + 2)]
    sent_batches = list(batches(lines_of(ndjson(tmp_path / "a.ndjson", *lines))))
    assert [len(batch) for _, batch in sent_batches] == [BATCH, BATCH, 1, 1]
    ids = [line.id for source, batch in sent_batches if source == sources[0] for line in batch]
    assert ids == [f"e{n}" for n in range(0, 2 * BATCH + 2, 2)]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_are_not_part_of_an_event(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(ending.join([event(1), event(2), ""]).encode())
    assert [line.content.decode() for _, line in lines_of(file)] == [event(1), event(2)]
