"""Whether the door takes events in, told to the ticker as long as it does.

Time in which no door was ready counts as nobody's silence, so readiness is never claimed ahead of
what was just seen.
"""

import asyncio

from schemas.envelope import STATUS_TOPIC
from services.eventlog.connection import LOST, heed_cancellation
from services.eventlog.log import Log, LogUnavailable
from services.eventlog.ticks import Door as TickedDoor
from services.ingest.door import Door
from services.operation.health import NotReady

RENEWED_EVERY_SECONDS = 2.0
_ASK_SECONDS = 2.0


class Readiness:
    """Renews a door's readiness while its log is reachable."""

    def __init__(self, log: Log, ticked: TickedDoor, door: Door) -> None:
        self._log = log
        self._ticked = ticked
        self._door = door
        self._seen_at = float("-inf")

    async def run(self) -> None:
        """Renew for ever; at the end the door is closed for the ticker too."""
        try:
            while True:
                await self.renew()
                await asyncio.sleep(RENEWED_EVERY_SECONDS)
        finally:
            await self._closed()

    async def renew(self) -> bool:
        """The door is ready for the next seconds, if the log answers and took what came last."""
        now = asyncio.get_running_loop().time()
        if now - self._door.failed_at < RENEWED_EVERY_SECONDS:
            return False
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._log.ends(STATUS_TOPIC)
                await self._ticked.ready()
        except (LogUnavailable, *LOST):
            heed_cancellation()
            return False
        self._seen_at = now
        return True

    async def check_log(self) -> None:
        """The log answered lately.

        Raises:
            NotReady: it did not.
        """
        age = asyncio.get_running_loop().time() - self._seen_at
        if age > self._ticked.READY_FOR.total_seconds():
            raise NotReady("the log does not answer")

    async def check_registry(self) -> None:
        """Reference data were read: without them nobody may state anything.

        Raises:
            NotReady: they were not.
        """
        if not self._door.registry.is_loaded:
            raise NotReady("the registry of centres is not here yet")

    async def _closed(self) -> None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._ticked.closed()
        except LOST:
            # The database is away: what it last heard of this door runs out by itself.
            return
