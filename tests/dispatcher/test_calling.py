"""One attempt against real sockets: what each way of answering comes to, and where none leads."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from tempfile import NamedTemporaryFile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.dispatcher.calling import MOST_READ, Address, Caller, one_line
from services.domain.retrying import Answer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(
    talk: Talk, secure: ssl.SSLContext | None = None, *, heads: list[bytes] | None = None
) -> AsyncIterator[int]:
    """A receiver on loopback that reads the head of one request, then talks; its port."""
    talks: list[asyncio.Task[None]] = []
    heads = [] if heads is None else heads

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.append(task)
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        server.close()
        await server.wait_closed()


def saying(content: bytes) -> Talk:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return talk


def repeating(beginning: bytes, again: bytes) -> Talk:
    """What has no end, as fast as it is taken."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        with suppress(ConnectionError):
            while True:
                writer.write(again)
                await writer.drain()

    return talk


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow")
    await asyncio.Event().wait()


def leading_to(*addresses: str) -> Callable[[str, int], Awaitable[list[Address]]]:
    async def resolve(_host: str, _port: int) -> list[Address]:
        return [ip_address(one) for one in addresses]

    return resolve


async def posted(talk: Talk, *, seconds: float = 15) -> Answer:
    async with receiver(talk) as port:
        caller = Caller(loopback=True, total_seconds=seconds)
        return await caller.post(f"http://127.0.0.1:{port}/hook", {"webhook-id": "e1"}, b"{}")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (OK, Answer(200, "ok")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, "")),
        (b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\noops", Answer(500, "oops")),
        (b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n",
         Answer(302, "")),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", Answer(410, "")),
        (b"HTTP/1.1 503 Later\r\nRetry-After: 120\r\ncontent-length: 0\r\n\r\n",
         Answer(503, "", "120")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", Answer(200, "ok")),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz", Answer(200, "ok")),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nnot that", Answer(200, "not that")),
        (b"HTTP/1.1 204 OK\r\ncontent-length: 2\r\n\r\nok", Answer(204, "")),
        (b"HTTP/1.1 204 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Answer(204, "")),
        (b"HTTP/1.1 410 No\r\ncontent-length: 2\r\n\r\ngone", Answer(410, "go")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Answer(200, "ok")),
        (b"HTTP/1.1 101 Upgrade\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nok", Answer(101, "")),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Answer(None, "the answer is not HTTP")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Answer(None, "the answer is not HTTP")),
        (b"HTTP/1.1 two hundred\r\n\r\n", Answer(None, "the answer is not HTTP")),
        (b"SSH-2.0-OpenSSH\r\n", Answer(None, "the answer is not HTTP")),
        (b"\x16\x03\x01\x02\x00\x01", Answer(None, "the answer is not HTTP")),
        (b"", Answer(None, "the answer is not HTTP")),
    ],
)  # fmt: skip
async def test_what_an_answer_comes_to(said: bytes, answer: Answer) -> None:
    assert await posted(saying(said)) == answer


async def test_no_answer_is_waited_for_so_long_and_no_longer() -> None:
    assert await posted(silent, seconds=0.2) == Answer(None, "no answer in time")


async def test_the_status_counts_though_the_body_never_ends() -> None:
    assert await posted(dripping) == Answer(200, "slow")


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"", b"x" * 1_000),
        (b"HTTP/1.1 200 ", b"x" * 1_000),
        (b"HTTP/1.1 200 OK\r\nx: ", b"x" * 1_000),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 200),
    ],
)
async def test_a_head_without_end_is_not_http(beginning: bytes, again: bytes) -> None:
    answer = await posted(repeating(beginning, again))
    assert answer == Answer(None, "the answer is not HTTP")


async def test_what_is_said_before_an_answer_is_none_however_much_it_is() -> None:
    talk = repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
    assert await posted(talk, seconds=0.3) == Answer(None, "no answer in time")


async def test_chunks_without_end_are_read_as_far_as_they_are_shown() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await posted(repeating(chunked, b"1\r\nx\r\n" * 200))
    assert answer == Answer(200, "x" * 200)


async def test_a_body_is_shown_as_it_came() -> None:
    packed = gzip.compress(b"fine" * 10_000, mtime=0)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    assert await posted(saying(head.encode() + packed)) == Answer(200, one_line(packed))


async def test_no_more_of_a_body_is_read_than_is_shown() -> None:
    read: list[int] = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * MOST_READ)
                await writer.drain()
                read.append(MOST_READ)
        except ConnectionError:
            return

    answer = await posted(talk)
    assert (answer.status, set(answer.said)) == (200, {"x"})
    assert sum(read) < 100_000_000


async def test_nobody_listens() -> None:
    async with receiver(silent) as port:
        pass
    answer = await Caller(loopback=True).post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert answer == Answer(None, "no connection")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"],
     ["64:ff9b::7f00:1"], ["8.8.8.8", "127.0.0.1"]],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_not_called(addresses: list[str]) -> None:
    called = asyncio.Event()

    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        called.set()

    caller = Caller(resolve=leading_to(*addresses))
    async with receiver(talk) as port:
        answer = await caller.post(f"https://hooks.example:{port}/", {}, b"{}")
    assert answer == Answer(None, "the name leads to an address that is not public")
    assert not called.is_set()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]",
     "10.0.0.1", "169.254.169.254", "[::]", "[fe80::1]", "0x7f.1"],
)  # fmt: skip
async def test_an_address_that_leads_inside_is_not_called(host: str) -> None:
    heads: list[bytes] = []
    async with receiver(saying(OK), heads=heads) as port:
        answer = await Caller().post(f"http://{host}:{port}/", {}, b"{}")
    assert answer == Answer(None, "the name leads to an address that is not public")
    assert heads == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "017700000001", "0177.0.0.1", "0", "[::g]"]
)
async def test_an_address_in_another_spelling_is_not_called(host: str) -> None:
    heads: list[bytes] = []
    async with receiver(saying(OK), heads=heads) as port:
        answer = await Caller(loopback=True).post(f"http://{host}:{port}/", {}, b"{}")
    assert answer.status is None
    assert heads == []


async def test_of_several_addresses_the_next_is_called_where_one_does_not_answer() -> None:
    caller = Caller(loopback=True, resolve=leading_to("127.0.0.2", "::1", "127.0.0.1"))
    async with receiver(saying(OK)) as port:
        answer = await caller.post(f"http://hooks.example:{port}/", {}, b"{}")
    assert answer == Answer(200, "ok")


async def test_a_name_without_an_address_is_no_connection() -> None:
    caller = Caller(resolve=leading_to())
    assert await caller.post("https://hooks.example/", {}, b"") == Answer(None, "no connection")


@pytest.mark.parametrize("host", ["a..b", ".example", "x" * 64 + ".example", "-", "_", "%41"])
async def test_a_host_that_is_none_is_a_failure_and_nobody_s_end(host: str) -> None:
    answer = await Caller().post(f"https://{host}/", {}, b"{}")
    assert answer.status is None


async def test_a_name_that_changes_between_two_looks_is_looked_up_once_for_each_connection() -> (
    None
):
    """What was checked is what is connected to; the next attempt is judged by the next answer."""
    looks: list[str] = []

    async def rebinding(host: str, _port: int) -> list[Address]:
        looks.append(host)
        return [ip_address("127.0.0.1" if len(looks) == 1 else "10.0.0.1")]

    caller = Caller(loopback=True, resolve=rebinding)
    async with receiver(saying(OK)) as port:
        url = f"http://hooks.example:{port}/"
        first, second = await caller.post(url, {}, b""), await caller.post(url, {}, b"")
    assert (first.status, second.status) == (200, None)
    assert looks == ["hooks.example", "hooks.example"]


async def test_a_request_says_what_it_must_and_no_more() -> None:
    """Also the second to who set a cookie and kept the connection open for it."""
    heads: list[bytes] = []
    kept = b"HTTP/1.1 204 OK\r\nset-cookie: a=b\r\nconnection: keep-alive\r\n\r\n"
    caller = Caller(loopback=True)
    async with receiver(saying(kept), heads=heads) as port:
        url = f"http://127.0.0.1:{port}/Hook%2f%7E?a=%20+;b#c"
        for _ in range(2):
            assert (await caller.post(url, {"webhook-id": "e1"}, b"{}")).status == 204
    assert [head.decode().lower().split("\r\n")[0] for head in heads] == [
        "post /hook%2f%7e?a=%20+;b http/1.1"
    ] * 2
    assert [sorted(head.decode().lower().split("\r\n")[1:-2]) for head in heads] == [
        [
            "accept-encoding: identity",
            "connection: close",
            "content-length: 2",
            f"host: 127.0.0.1:{port}",
            "user-agent: kamkap-webhooks/1",
            "webhook-id: e1",
        ]
    ] * 2


@pytest.mark.parametrize("value", ["e1\r\nx: y", "e1\ny", "e1\x00"])
async def test_nothing_breaks_out_of_a_line_of_the_request(value: str) -> None:
    heads: list[bytes] = []
    async with receiver(saying(OK), heads=heads) as port:
        caller = Caller(loopback=True)
        answer = await caller.post(f"http://127.0.0.1:{port}/", {"webhook-id": value}, b"{}")
        await caller.post(f"http://127.0.0.1:{port}/ HTTP/1.1\r\nx: y\r\n", {}, b"{}")
    assert answer == Answer(None, "it cannot be called")
    assert not any(line.startswith(b"x:") for head in heads for line in head.split(b"\r\n"))


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await posted(saying(OK))).status == 200


async def test_the_certificate_is_checked_against_the_name_of_the_url() -> None:
    """The connection goes to an address; TLS and Host speak of the name."""
    named: list[str | None] = []
    server, trusted = certified("hooks.example")
    server.sni_callback = lambda _socket, name, _context: named.append(name)
    caller = Caller(loopback=True, resolve=leading_to("127.0.0.1"), trusted=trusted)
    async with receiver(saying(OK), server) as port:
        right = await caller.post(f"https://hooks.example:{port}/", {}, b"{}")
        wrong = await caller.post(f"https://other.example:{port}/", {}, b"{}")
    assert right.status == 200
    assert named == ["hooks.example", "other.example"]
    assert wrong == Answer(None, "no connection")


async def test_a_connection_ends_with_the_answer_though_the_other_side_holds_it() -> None:
    """Nobody waits for a goodbye in TLS."""
    server, trusted = certified("hooks.example")
    caller = Caller(loopback=True, resolve=leading_to("127.0.0.1"), trusted=trusted)
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        async with asyncio.TaskGroup() as both:
            both.create_task(asyncio.to_thread(hold, place, server))
            answer = await caller.post(f"https://hooks.example:{port}/", {}, b"{}")
    assert answer == Answer(200, "ok")


def hold(place: socket.socket, secure: ssl.SSLContext) -> None:
    """Answers one request, and then says nothing for as long as the connection lasts.

    Raises:
        TimeoutError: that was too long.
    """
    with secure.wrap_socket(place.accept()[0], server_side=True) as one:
        one.recv(1_000)
        one.sendall(OK)
        with suppress(ConnectionError), socket.socket(fileno=one.detach()) as bare:
            bare.settimeout(10)
            while bare.recv(1_000):
                pass


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"  ok\r\n\tfine ", "ok fine"), (b"\x1b[2Jx\x00y", "[2Jx y"), (b"\xff\xfe", "\ufffd\ufffd"),
     ("\u202eกลับ".encode(), "กลับ"), (b"a" * 5_000, "a" * 200)],
)  # fmt: skip
def test_what_came_back_is_one_short_line(content: bytes, line: str) -> None:
    assert one_line(content) == line


def certified(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for this name, and who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return _serving(pem, key), ssl.create_default_context(cadata=pem.decode())


def _serving(pem: bytes, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with NamedTemporaryFile() as file:
        file.write(pem + private)
        file.flush()
        context.load_cert_chain(file.name)
    return context
