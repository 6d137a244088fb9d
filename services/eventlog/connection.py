"""One connection of a pool, kept from call to call and replaced when it is lost.

A connection that goes back to the pool is reset, which costs a round trip: too much for a writer
that flushes a thousand times a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
from asyncpg.pool import PoolConnectionProxy

LOST = (
    OSError,  # TimeoutError is one.
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    # Met when the server ended the session while it was idle, between the end and our notice.
    asyncpg.InternalClientError,
)
"""What asyncpg raises when the server is away, is going away, or has no place for us."""

_CLOSE_SECONDS = 5.0


async def _nothing(_connection: PoolConnectionProxy) -> None:
    return


class KeptConnection:
    """A connection for one task at a time. `prepare` is done to every new one."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        prepare: Callable[[PoolConnectionProxy], Awaitable[None]] = _nothing,
    ) -> None:
        self._pool = pool
        self._prepare = prepare
        self._connection: PoolConnectionProxy | None = None
        self._alone = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def use(self, *, timeout: float) -> AsyncIterator[PoolConnectionProxy]:
        """The connection, for at most so many seconds.

        When the time is over, or the body is cancelled or meets a lost server, the connection is
        cut: nobody may get an answer that was meant for somebody else.
        """
        async with self._alone:
            try:
                async with asyncio.timeout(timeout):
                    yield await self._connected()
            except (*LOST, asyncio.CancelledError):
                self._cut()
                raise

    async def close(self) -> None:
        """End the connection. It may have listeners, which a pool does not take back."""
        async with self._alone:
            if self._connection is not None and not _is_lost(self._connection):
                with contextlib.suppress(*LOST):
                    await self._connection.close(timeout=_CLOSE_SECONDS)
            self._cut()

    async def _connected(self) -> PoolConnectionProxy:
        if self._connection is None or _is_lost(self._connection):
            self._cut()
            self._connection = await self._pool.acquire()
            await self._prepare(self._connection)
        return self._connection

    def _cut(self) -> None:
        """The pool has the place back, also when the server closed the connection before us."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Raised when the pool noticed first and has the place already.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()


def _is_lost(connection: PoolConnectionProxy) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool took the connection back when the server went away.
        return True
