"""One ASGI application on one port, as a piece of work that can be cancelled."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

GRACE_SECONDS = 5
"""Answers under way are finished within this time of a stop, then cut off."""

_IDLE_SECONDS = 75


class AddressTaken(Exception):
    """Another process listens on the address; names it."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the process's affair, which stops other work too, in its order.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens here; port 0 picks a free one.

    Raises:
        AddressTaken: somebody else listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as taken:
        raise AddressTaken(f"{host}:{port}: {taken.strerror}") from taken


async def serve(
    app: ASGIApp,
    place: socket.socket,
    *,
    on_started: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve until cancelled; then answers under way are finished.

    `on_stop` ends those that would go on for ever.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whoever comes from this machine could say that they come from anywhere else.
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        lifespan="on",
    )
    server = _Server(config, on_started)
    serving = asyncio.create_task(server.serve(sockets=[place]), name="uvicorn")
    try:
        await asyncio.shield(serving)
    finally:
        on_stop()
        server.should_exit = True
        await serving
