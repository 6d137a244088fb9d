"""What `make run` starts: an empty home, the tsunami's numbers, a stop and a second start."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from services.operation.serving import listen
from tests.e2e.system import Json

KAMKAP = Path(sys.executable).with_name("kamkap")
START_SECONDS = 120
STOP_SECONDS = 30
NUMBERS = (
    ("TH-83", "2004-12-27T12:00:00+07:00"),
    ("TH-82", "2004-12-28T12:00:00+07:00"),
)


def environment(home: Path) -> dict[str, str]:
    """What the command sees: this home and no other setting."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("KAMKAP_")}
    return {**others, "KAMKAP_HOME": str(home), "KAMKAP_LOG_LEVEL": "warning"}


@asynccontextmanager
async def running(port: int, home: Path) -> AsyncIterator[Process]:
    """`kamkap up`, ready; stopped by Ctrl-C, in time and without a complaint."""
    process = await asyncio.create_subprocess_exec(
        KAMKAP, "up", "--port", str(port), "--home", home,
        env=environment(home), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await ready(port, process)
        yield process
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(port: int, process: Process) -> None:
    """Everything answers and the country is loaded."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
        while process.returncode is None:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return
            await asyncio.sleep(0.2)
    raise AssertionError(f"kamkap up ended with {process.returncode}")


async def token(home: Path, identity: str) -> str:
    """What `kamkap token` prints."""
    process = await asyncio.create_subprocess_exec(
        KAMKAP, "token", identity, env=environment(home), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def numbers(port: int, bearer: str) -> list[Json]:
    """The tsunami's dead by place and hour, every source's."""
    found = []
    headers = {"Authorization": f"Bearer {bearer}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        for place, as_of in NUMBERS:
            path = f"/v1/provinces/{place}/situation"
            answer = await client.get(path, params={"as_of": as_of})
            [tsunami] = [one for one in answer.json()["incidents"] if one["id"] == "tsunami-2004"]
            found.append(tsunami["figures"]["dead"])
    return found


async def test_make_runs_program_serves_the_tsunami_stops_and_keeps_its_state(
    tmp_path: Path,
) -> None:
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
    home = tmp_path / "home"
    async with running(port, home):
        before = await numbers(port, await token(home, "pm"))
        assert all(one["value"] > 0 for one in before)
    async with running(port, home):
        assert await numbers(port, await token(home, "pm")) == before
