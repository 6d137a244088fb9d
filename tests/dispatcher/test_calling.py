"""One attempt against real sockets: what each way of answering comes to, and where none leads."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
async def receiver(talk: Talk, secure: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A receiver on loopback that reads one request, then talks; its port."""
    talks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.append(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
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
