"""One attempt to deliver: a POST to a name whose address was checked when it was connected to.

No redirect is followed, no proxy of the environment is used, no cookie is kept, and no connection
is used twice, so that every attempt is judged by what the name leads to at that moment.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address

import aiohttp
import certifi
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from services.domain.endpoints import may_connect
from services.domain.retrying import Answer
from services.operation.logs import describe

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""Source: Standard Webhooks 1.0.0, 'Request timeouts': 15 to 30 seconds."""

MOST_READ = 4 * 1024
_BODY_SECONDS = 2.0
_LONGEST_LINE = 200
_STATED = {
    "user-agent": "kamkap-webhooks/1",
    "accept-encoding": "identity",
    "connection": "close",
}
_NOT_STATED = ("accept", "content-type")
"""What the library would say of its own accord."""

logger = structlog.get_logger()

type Address = IPv4Address | IPv6Address
type Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a name, in the order in which they are to be tried."""


class NotPublic(Exception):
    """The host leads to an address that may not be called."""


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses that the machine's resolver knows for the name.

    Raises:
        OSError: none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(place[0]) for *_, place in found))


class Guard(AbstractResolver):
    """Looks names up and opens sockets, for those addresses alone that may be called.

    A name is looked up once for a connection, and what it leads to is judged as a whole. Where the
    host is an address nothing is looked up: the socket is where every address is judged.
    """

    def __init__(self, resolve: Resolve, *, loopback: bool) -> None:
        self._resolve = resolve
        self._loopback = loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of the name.

        Raises:
            NotPublic: one of the addresses may not be called; none is tried then.
            OSError: the name has none.
        """
        addresses = await self._resolve(host, port)
        if not addresses:
            raise OSError("the name has no address")
        # One of them would do harm: what else the name leads to is not trusted either.
        for one in addresses:
            self._check(one)
        return [
            ResolveResult(hostname=host, host=str(one), port=port, family=family, proto=0, flags=0)
            for one in addresses
        ]

    def open(self, place: aiohttp.AddrInfoType) -> socket.socket:
        """A socket that is then connected to this very address.

        Raises:
            NotPublic: the address may not be called.
            ValueError: it is none.
        """
        family, kind, protocol, _, (address, *_) = place
        self._check(ip_address(address))
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing is open."""

    def _check(self, address: Address) -> None:
        if not may_connect(address, loopback=self._loopback):
            raise NotPublic(str(address))


class Caller:
    """Posts to endpoints. Nothing of it stays open between two posts."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        resolve: Resolve = resolved,
        trusted: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._total = total_seconds
        # Made once: it reads all the authorities there are.
        self._trusted = trusted or _authorities()
        self._guard = Guard(resolve, loopback=loopback)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer, or why there was none; never raises for what the other side does."""
        try:
            async with asyncio.timeout(self._total):
                return await self._posted(url, headers, body)
        except NotPublic:
            return Answer(None, "the name leads to an address that is not public")
        except TimeoutError:
            return Answer(None, "no answer in time")
        except OSError:
            return Answer(None, "no connection")
        except (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError):
            return Answer(None, "the answer is not HTTP")
        except Exception as unforeseen:  # noqa: BLE001 -- one receiver ends nobody else's deliveries
            logger.warning("attempt_failed", error=describe(unforeseen))
            return Answer(None, "it cannot be called")

    async def _posted(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with (
            self._session() as session,
            session.post(
                URL(url, encoded=True),  # to the letter, as its owner wrote it
                headers={**_STATED, **headers},
                data=body,
                allow_redirects=False,
            ) as response,
        ):
            return Answer(response.status, await _said(response), _header(response, b"retry-after"))

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_STATED,
            auto_decompress=False,
            read_bufsize=MOST_READ,
            response_class=_CutOff,
        )

    def _connector(self) -> aiohttp.TCPConnector:
        connector = aiohttp.TCPConnector(
            resolver=self._guard,
            socket_factory=self._guard.open,
            use_dns_cache=False,
            ssl=self._trusted,
            force_close=True,
            limit=0,
        )
        # The library has no parameter for it.
        made: type[ResponseHandler] = _HeadFirst
        connector._factory = partial(made, loop=asyncio.get_running_loop())
        return connector


class _HeadFirst(ResponseHandler):
    """Reads a head apart from what came with it.

    The library forgets a status where the same bytes go on with what is no body: a 204 that has
    one, a length that is too small. Receivers that do so took the notice in all the same.
    """

    def data_received(self, data: bytes) -> None:
        head, end, rest = data.partition(b"\r\n\r\n")
        super().data_received(head + end)
        if rest:
            super().data_received(rest)


class _CutOff(aiohttp.ClientResponse):
    """An answer whose connection ends with it, whatever the other side does.

    Closing would wait for it: in TLS for its goodbye, half a minute in which it may go on to send,
    and where it reads nothing, without end.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if transport := connection.transport:
            connection.add_callback(transport.abort)
        return await super().start(connection)


def _authorities() -> ssl.SSLContext:
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(certifi.where())
    trusted.set_alpn_protocols(["http/1.1"])
    return trusted


async def _said(response: aiohttp.ClientResponse) -> str:
    """The beginning of the body; what cannot be read of it changes nothing: the status counts."""
    content = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_BODY_SECONDS):
            while chunk := await response.content.read(MOST_READ - len(content)):
                content += chunk
    return one_line(bytes(content))


def one_line(content: bytes) -> str:
    """What somebody else sent as one short line: nothing in it moves a cursor or breaks a line."""
    text = content.decode("utf-8", "replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:_LONGEST_LINE]


def _header(response: aiohttp.ClientResponse, name: bytes) -> str | None:
    for key, value in response.raw_headers:
        if key.lower() == name:
            return one_line(value[:MOST_READ])
    return None
