"""Processes under a supervisor: whatever ends is started again, until the end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.forked import Forked, Forks

_PAUSE_SECONDS = 0.2
_STOP_SECONDS = 20
PATIENCE_SECONDS = 150
"""Bounds a wait on a loaded machine; a quiet one needs a few seconds."""


@dataclass
class Supervised:
    """One process of the system; `output` has all it ever said."""

    name: str
    module: str
    port: int
    environment: Mapping[str, str]
    output: Path
    client: httpx.AsyncClient
    forks: Forks
    process: Forked | None = None
    kills: int = 0
    exits: list[int] = field(default_factory=list)
    """The exit codes of those that ended by themselves."""
    _keeper: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """It runs from now on, and is started again whenever it ends."""
        self._keeper = asyncio.create_task(self._keep(), name=self.name)

    async def kill(self) -> None:
        """Gone without a word, with all it may have started."""
        if self.process is not None and self.process.runs:
            self.kills += 1
            await self.process.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send it this signal."""
        assert self.process is not None
        self.process.signal(number)

    async def answers(self, path: str = "/healthz") -> bool:
        """Whether it answers this page with 200."""
        try:
            return (await self.client.get(self.address + path, timeout=5)).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        """Asked to end, and ended; not started again."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        self._keeper = None
        process = self.process
        if process is None or not process.runs:
            return
        process.signal(signal.SIGTERM)
        # Waited for and not awaited: what a timeout cancels would be its end itself.
        await asyncio.wait([process.ended], timeout=_STOP_SECONDS)
        await self.kill()

    async def _keep(self) -> None:
        while True:
            self.process = await self.forks.begin(self.module, self.environment, self.output)
            code = await asyncio.shield(self.process.ended)
            if code != -signal.SIGKILL:
                self.exits.append(code)
            await asyncio.sleep(_PAUSE_SECONDS)


async def until(
    condition: Callable[[], Awaitable[object]], *, what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """The condition came true within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 -- of another process
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"after {seconds} s still not: {what}") from None
