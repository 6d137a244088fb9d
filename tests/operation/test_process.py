"""Work stops in its order, and one failure stops all."""

import asyncio
import os
import signal
import sys
from functools import partial

import httpx
import pytest
from fastapi import FastAPI

from services.operation.process import ABANDONED, persist, run_until_stopped
from services.operation.serving import AddressTaken, listen, serve


async def test_a_signal_stops_the_last_named_work_first() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    names = ["log", "relay", "door"]
    await run_until_stopped({name: partial(work, name) for name in names} | {"stop": stop})
    assert ended == ["door", "relay", "log"]


async def test_a_failing_work_stops_the_others() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(ExceptionGroup) as failed:
        await run_until_stopped({"wait": wait, "fail": fail})
    assert failed.group_contains(RuntimeError, match="broken")
    assert ended.is_set()


async def test_interrupted_work_goes_on_and_other_errors_end_it() -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        raise OSError if len(tries) < 3 else RuntimeError

    with pytest.raises(RuntimeError):
        await persist(work, name="work", through=(OSError,), pause_seconds=0)
    assert len(tries) == 3


async def test_answers_under_way_are_finished_when_the_server_stops() -> None:
    app = FastAPI()
    asked, may_answer = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def answer() -> str:
        asked.set()
        await may_answer.wait()
        return "done"

    place = listen("127.0.0.1", 0)
    started = asyncio.Event()
    serving = asyncio.create_task(serve(app, place, on_started=started.set))
    await started.wait()
    async with httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{place.getsockname()[1]}/"))
        await asked.wait()
        serving.cancel()
        may_answer.set()
        assert (await request).text == '"done"'
    with pytest.raises(asyncio.CancelledError):
        await serving


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken, match=str(port)):
            listen("127.0.0.1", port)


async def test_a_work_that_does_not_stop_ends_the_process() -> None:
    script = """
import asyncio, os, signal
from services.operation.process import run_until_stopped

async def deaf():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue

async def stop():
    os.kill(os.getpid(), signal.SIGTERM)

asyncio.run(run_until_stopped({"deaf": deaf, "stop": stop}, patience=0.1))
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == ABANDONED
    assert b"work_does_not_stop" in said
    assert b"deaf" in said
