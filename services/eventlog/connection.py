"""A pool that ends in time, and one connection of it that is kept and replaced when it is lost.

A pool that may take its connections back as they are saves a round trip for each use of one. A
kept one saves the pool's own work too, for a writer that flushes a thousand times a second.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

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

PLANNED_ONCE: Mapping[str, str] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
"""Settings of a session: each statement is planned once, and never bets on reading a whole table.

What a statement of ours asks for is a small part of what there will be, and an index has it. A plan
made while the table was small, and kept, reads all of it for ever; one made anew for each use costs
more than its answer.
"""

_CLOSE_SECONDS = 5.0

_logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_until_left[R: asyncpg.Record](
    pool: "asyncpg.Pool[R]", *, patience: float = _CLOSE_SECONDS
) -> AsyncIterator["asyncpg.Pool[R]"]:
    """The pool is open inside, and ended after: cut off when it does not close in so many seconds.

    `Pool.close` alone waits for ever for a connection that nobody gives back.
    """
    await pool
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(patience):
                await pool.close()
        except LOST as trouble:
            # It has terminated every connection before it raised.
            _logger.warning("A pool was cut off instead of closed: %r", trouble)


async def leave_as_it_is[R: asyncpg.Record](_connection: "asyncpg.Connection[R]") -> None:
    """How a pool takes a connection back when whoever uses one changes no setting of the session
    and undoes what it holds: the driver itself ends transactions and forgets listeners."""


def heed_cancellation() -> None:
    """Raise the cancellation that this task was asked for, if an error took its place.

    A task that is cancelled while it gives back a lost connection meets asyncpg's error instead:
    whoever waits out an outage and tries again calls this first, or it never ends.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _nothing(_connection: PoolConnectionProxy) -> None:
    return


class KeptConnection:
    """A connection for one task at a time. `prepare` is done to every new one.

    Once closed it takes none from the pool any more: nobody would give it back.
    """

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
        self._closed = False

    @contextlib.asynccontextmanager
    async def use(self, *, timeout: float) -> AsyncIterator[PoolConnectionProxy]:
        """The connection, for at most so many seconds.

        When the time is over, or the body is cancelled or meets a lost server, the connection is
        cut: nobody may get an answer that was meant for somebody else.

        Raises:
            asyncpg.InterfaceError: it was closed before.
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
        self._closed = True
        async with self._alone:
            if self._connection is not None and not _is_lost(self._connection):
                with contextlib.suppress(*LOST):
                    await self._connection.close(timeout=_CLOSE_SECONDS)
            self._cut()

    async def _connected(self) -> PoolConnectionProxy:
        if self._closed:
            raise asyncpg.InterfaceError("the kept connection is closed")
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


class KeptConnections:
    """So many kept connections, each for one task at a time; the last one that was free is next."""

    def __init__(self, pool: asyncpg.Pool, number: int) -> None:
        self._all = [KeptConnection(pool) for _ in range(number)]
        self._free: asyncio.LifoQueue[KeptConnection] = asyncio.LifoQueue()
        for connection in reversed(self._all):
            self._free.put_nowait(connection)

    @contextlib.asynccontextmanager
    async def use(self, *, timeout: float) -> AsyncIterator[PoolConnectionProxy]:
        """One of them, for at most so many seconds from when it is free; as `KeptConnection`."""
        kept = await self._free.get()
        try:
            async with kept.use(timeout=timeout) as connection:
                yield connection
        finally:
            self._free.put_nowait(kept)

    async def close(self) -> None:
        """End all of them."""
        for connection in self._all:
            await connection.close()


def _is_lost(connection: PoolConnectionProxy) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool took the connection back when the server went away.
        return True
