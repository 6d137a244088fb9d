"""A process whose database or log is away when it starts: it waits, and says that it does."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from socket import socket

import asyncpg
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from services.eventlog.connection import LOST
from services.operation.health import NotReady, health_app
from services.operation.logs import describe
from services.operation.metrics import Metrics
from services.operation.problems import Text, unavailable
from services.operation.serving import serve

_AT_ONCE_SECONDS = 1.0
_RETRY_SECONDS = 1.0

logger = structlog.get_logger()


async def begun[T](starting: Coroutine[None, None, T], place: socket, metrics: Metrics) -> T:
    """What `starting` comes to. While it takes long, the process answers that it is not ready.

    Raises:
        Exception: what `starting` raises: the process must not start.
    """
    start = asyncio.create_task(starting)
    try:
        done, _ = await asyncio.wait([start], timeout=_AT_ONCE_SECONDS)
        if done:
            return await start
        # The place stays open, whatever becomes of its double.
        pages = asyncio.create_task(serve(_pages(metrics), place.dup()))
        try:
            return await start
        finally:
            pages.cancel()
            with suppress(asyncio.CancelledError):
                await pages
    finally:
        start.cancel()


async def epoch_of(pool: asyncpg.Pool) -> int:
    """The epoch the log is in, which a restore raises; waits while the database is away."""
    while True:
        try:
            epoch: int = await pool.fetchval("SELECT epoch FROM eventlog.epoch")
        except LOST as away:
            logger.warning("database_away", error=describe(away))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return epoch


def _pages(metrics: Metrics) -> ASGIApp:
    app = health_app({"start": _not_ready}, metrics)
    app.mount("/", _not_yet)
    return app


async def _not_ready() -> None:
    raise NotReady("the database or the log does not answer yet")


async def _not_yet(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing is known to be missing: whoever asks may ask again."""
    answer = unavailable(
        Text("ระบบจัดเก็บยังไม่ตอบ", "A part of the network does not answer"), retry_after_seconds=2
    ).response()
    await answer(scope, receive, send)
