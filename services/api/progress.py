"""How far the read models have got, and waiting for them to get further."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from schemas.envelope import SLOTS
from services.api.database import Connection, Pool
from services.eventlog.connection import LOST, heed_cancellation

_POLL_SECONDS = 0.25
_RETRY_SECONDS = 0.5
_PROGRESS = "SELECT array_agg(next_position ORDER BY slot) FROM projections.progress"

type Places = Sequence[int]
"""The next position of each slot of `status`, then of decisions."""


def behind(progress: Places, wanted: Places) -> int:
    """How many events are missing until everything wanted has been applied."""
    return sum(max(0, want - have) for have, want in zip(progress, wanted, strict=False))


class Progress:
    """One listening connection for every request of the process that waits."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._places: Places = (0,) * (SLOTS + 1)
        self._waiting = 0
        self._asked = asyncio.Event()
        self._moved = asyncio.Event()

    async def reach(self, wanted: Places, *, timeout: float) -> int:
        """Wait until everything wanted has been applied; returns how much is missing in the end."""
        self._waiting += 1
        self._asked.set()
        try:
            async with asyncio.timeout(timeout):
                while behind(self._places, wanted):
                    moved = self._moved
                    await moved.wait()
        except TimeoutError:
            return behind(self._places, wanted)
        finally:
            self._waiting -= 1
        return 0

    async def run(self) -> None:
        """Follow the progress while anybody waits, for ever; what is away comes back."""
        while True:
            try:
                await self._follow()
            except LOST:
                heed_cancellation()
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        async with self._pool.acquire() as connection:
            news = asyncio.Event()

            def hear(*_: object) -> None:
                news.set()

            await connection.add_listener("progress", hear)
            try:
                while True:
                    await self._look(connection, news)
            finally:
                # A connection that was lost hears nothing any more; asking it would hide why.
                with suppress(*LOST):
                    await connection.remove_listener("progress", hear)

    async def _look(self, connection: Connection, news: asyncio.Event) -> None:
        """Read once while anybody waits, then wait for news."""
        if not self._waiting:
            self._asked.clear()
            await self._asked.wait()
        # Cleared before reading: what is committed in between is read once more.
        news.clear()
        self._tell(await connection.fetchval(_PROGRESS))
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await news.wait()
        except TimeoutError:
            return

    def _tell(self, places: Places) -> None:
        self._places = places
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
