"""Headless Chromium with one page, told what to do as the W3C's WebDriver says: JSON over HTTP."""

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import httpx

type Json = Any

_ARGUMENTS = [
    "--headless",
    # Root has no sandbox; the only page is ours.
    "--no-sandbox",
    # A container's /dev/shm is too small for it.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # It asks this machine and nobody else.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_LONGEST_SECONDS = 60
# A script may take its whole time before the driver answers.
_PATIENCE = 2.0 * _LONGEST_SECONDS
_CAPABILITIES = {
    "alwaysMatch": {
        "browserName": "chrome",
        "timeouts": {"script": _LONGEST_SECONDS * 1_000},
        "goog:chromeOptions": {"args": _ARGUMENTS},
    }
}
_PORT = re.compile(rb"started successfully on port (\d+)")


@dataclass(frozen=True)
class Page:
    """The page of a browser."""

    client: httpx.AsyncClient
    session: str

    async def open(self, address: str) -> None:
        """It shows this address."""
        await _command(self.client, f"{self.session}/url", url=address)

    async def run(self, script: str, *args: Json) -> Json:
        """What this body of an async function of `args` returns in the page."""
        body = f"return (async (args) => {{{script}}})([...arguments])"
        return await _command(
            self.client, f"{self.session}/execute/sync", script=body, args=list(args)
        )


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """The page of a browser that ends with this."""
    async with (
        _driver() as address,
        httpx.AsyncClient(base_url=address, timeout=_PATIENCE) as client,
    ):
        opened = await _command(client, "/session", capabilities=_CAPABILITIES)
        session = f"/session/{opened['sessionId']}"
        yield Page(client, session)
        await client.delete(session)


@asynccontextmanager
async def _driver() -> AsyncIterator[str]:
    """The address of a driver, which ends with every browser it began."""
    # A test's own directory has too long a name for the socket in a profile.
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        driver = await asyncio.create_subprocess_exec(
            "chromedriver", "--port=0", stdout=PIPE, stderr=DEVNULL,
            env={**os.environ, "TMPDIR": directory}, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                port = await _port(driver)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            await driver.communicate()


async def _port(driver: Process) -> int:
    """The free one that the driver has picked."""
    assert driver.stdout is not None
    async for line in driver.stdout:
        if said := _PORT.search(line):
            return int(said[1])
    raise AssertionError(f"chromedriver ended with {await driver.wait()}")


async def _command(client: httpx.AsyncClient, path: str, **said: Json) -> Json:
    answer = await client.post(path, json=said)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]
