"""The embedded database server of `kamkap up`, started again when it ends."""

import asyncio
from pathlib import Path

import structlog

from services.embedded import postgres
from services.embedded.postgres import EmbeddedPostgres, PostgresDidNotStart

_LOOK_SECONDS = 0.5
_TRIES = 20

logger = structlog.get_logger()


class DatabaseMoved(Exception):
    """The server came back at another socket, where nobody looks for it. Start Kamkap again."""


class Keeper:
    """Keeps one directory served.

    The server is a child of the main thread, and dies with it: so it is started there, although
    that holds everything else up for a second or two. Nothing works without it anyway.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.server: EmbeddedPostgres = postgres.start(directory)

    async def run(self) -> None:
        """Look after the server for ever.

        Raises:
            PostgresDidNotStart: it ended and does not come back.
            DatabaseMoved: it cannot be reached where it was.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if (code := self.server.process.poll()) is not None:
                logger.error("database_ended", code=code)
                await self._start_again()

    def stop(self) -> None:
        """Stop the server cleanly."""
        self.server.stop()

    async def _start_again(self) -> None:
        for attempt in range(_TRIES):
            try:
                server = postgres.start(self._directory)
            except PostgresDidNotStart:
                # After a kill its children live on for a moment, and hold its memory.
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                break
        if server.socket_directory != self.server.socket_directory:
            server.stop()
            raise DatabaseMoved(str(server.socket_directory))
        self.server = server
        logger.warning("database_started_again")
