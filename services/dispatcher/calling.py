"""One attempt to deliver: a POST to a name whose address was checked when it was connected to.

No redirect is followed, no proxy of the environment is used, no cookie is kept, and no connection
is used twice, so that every attempt is judged by what the name leads to at that moment.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from ssl import SSLContext

import httpcore
import structlog

from services.domain.endpoints import may_connect
from services.domain.retrying import Answer
from services.operation.logs import describe

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""Source: Standard Webhooks 1.0.0, 'Request timeouts': 15 to 30 seconds."""

MOST_READ = 4 * 1024
_BODY_SECONDS = 2.0
_LONGEST_LINE = 200
_AGENT = b"kamkap-webhooks/1"
_UNREAD = (
    TimeoutError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
)

logger = structlog.get_logger()

type Address = IPv4Address | IPv6Address
type Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a name, in the order in which they are to be tried."""


class NotPublic(OSError):
    """The name leads to no address that may be called."""


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses that the machine's resolver knows for the name.

    Raises:
        OSError: none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(place[0]) for *_, place in found))


class Guarded(httpcore.AsyncNetworkBackend):
    """Connects to the address that was checked: the name is not looked up a second time."""

    def __init__(self, resolve: Resolve, *, loopback: bool) -> None:
        self._resolve = resolve
        self._loopback = loopback
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that answers.

        Raises:
            NotPublic: one of the addresses may not be called; none is tried then.
            httpcore.NetworkError, httpcore.TimeoutException, OSError: no connection.
        """
        async with asyncio.timeout(timeout):
            addresses = await self._resolve(host, port)
            # One of them would do harm: what else the name leads to is not trusted either.
            if not all(may_connect(one, loopback=self._loopback) for one in addresses):
                raise NotPublic(f"{host} leads to an address that is not public")
            return await self._first(addresses, port, local_address, socket_options)

    async def _first(
        self,
        addresses: Sequence[Address],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = OSError("the name has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    str(address),
                    port,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except httpcore.NetworkError as away:
                failed = away
        raise failed


class Caller:
    """Posts to endpoints. Nothing of it stays open between two posts."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        resolve: Resolve = resolved,
        trusted: SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._total = total_seconds
        # Made once: it reads all the authorities there are.
        self._trusted = trusted or httpcore.default_ssl_context()
        self._network = Guarded(resolve, loopback=loopback)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer, or why there was none; never raises for what the other side does."""
        try:
            async with asyncio.timeout(self._total):
                return await self._posted(url, headers, body)
        except NotPublic:
            return Answer(None, "the name leads to an address that is not public")
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(None, "no answer in time")
        except (httpcore.NetworkError, OSError):
            return Answer(None, "no connection")
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            return Answer(None, "the answer is not HTTP")
        except Exception as unforeseen:  # noqa: BLE001 -- one receiver ends nobody else's deliveries
            logger.warning("attempt_failed", error=describe(unforeseen))
            return Answer(None, "it cannot be called")

    async def _posted(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        stated = [(name.encode(), value.encode()) for name, value in headers.items()]
        waits = {"connect": CONNECT_SECONDS, "read": self._total, "write": self._total}
        connection = httpcore.AsyncHTTPConnection(
            httpcore.URL(url).origin, ssl_context=self._trusted, network_backend=self._network
        )
        async with (
            connection,
            connection.stream(
                "POST",
                url,
                headers=[
                    (b"user-agent", _AGENT),
                    (b"accept-encoding", b"identity"),
                    (b"connection", b"close"),
                    *stated,
                ],
                content=body,
                extensions={"timeout": waits},
            ) as response,
        ):
            retry_after = _header(response, b"retry-after")
            return Answer(response.status, await _said(response), retry_after)


async def _said(response: httpcore.Response) -> str:
    """The beginning of the body; what cannot be read of it changes nothing: the status counts."""
    content = bytearray()
    with suppress(*_UNREAD):
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_stream():
                content += chunk
                if len(content) >= MOST_READ:
                    break
    return one_line(bytes(content[:MOST_READ]))


def one_line(content: bytes) -> str:
    """What somebody else sent as one short line: nothing in it moves a cursor or breaks a line."""
    text = content.decode("utf-8", "replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:_LONGEST_LINE]


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return one_line(value[:MOST_READ])
    return None
