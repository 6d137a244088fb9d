"""A way to Postgres that can hold back one commit: between a worker's batch and its progress."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

# How asyncpg prepares the statement that moves the progress: its name, then its text.
_PREPARED = re.compile(
    rb"(__asyncpg_stmt_[0-9a-f]+__)\x00\s*UPDATE projections\.progress p\s+SET n"
)
_SOCKET = ".s.PGSQL.5432"


@dataclass
class Gate:
    """Passes everything on; once armed, the next statement that moves progress waits in it."""

    directory: Path
    behind: Path
    holds: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a statement waits."""
    _armed: bool = False
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def database_url(self) -> str:
        """The database, by way of this gate."""
        return f"postgresql:///kamkap?host={self.directory}"

    def arm(self) -> None:
        """The next move of progress is held back."""
        self._armed = True

    def open(self) -> None:
        """What is held back goes on, and nothing is held any more."""
        self._armed = False
        self._opened.set()

    async def pass_on(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        """Bytes of a client to the server."""
        names: set[bytes] = set()
        while chunk := await client.read(65_536):
            names.update(_PREPARED.findall(chunk))
            if self._armed and any(name + b"\x00" in chunk for name in names):
                self.holds.set()
                await self._opened.wait()
            server.write(chunk)
            await server.drain()
        server.close()


@asynccontextmanager
async def open_gate(directory: Path, behind: Path) -> AsyncIterator[Gate]:
    """A gate in this directory, which is there, before the server whose socket is in that one."""
    gate = Gate(directory, behind)

    async def connect(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, requests = await asyncio.open_unix_connection(behind / _SOCKET)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(gate.pass_on(client, requests))
                group.create_task(_copy(server, answers))
        except* ConnectionError:
            answers.close()

    listener = await asyncio.start_unix_server(connect, directory / _SOCKET)
    try:
        yield gate
    finally:
        listener.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65_536):
        target.write(chunk)
        await target.drain()
    target.close()
