"""The load generator, a process of its own: `python -m bench.sending` reads a plan, says what was.

Requests are made before the clock starts. An open plan has a schedule, and every latency counts
from the moment at which the request was due, so that a slow answer hides no other.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache

import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import country
from services.cli.signer import Signer
from services.domain.signing import key_id_of

BAD = 400


@dataclass(frozen=True)
class Plan:
    """What is sent where; `rate` requests a second on a schedule, 0 for as fast as answered."""

    port: int
    requests: int
    events: int
    prefix: str
    tokens: dict[str, str]
    connections: int = 8
    rate: float = 0.0
    provinces: list[str] = field(default_factory=lambda: list(country.PROVINCES))
    body_bytes: int = 0
    """Above 0: notes are so long that a body of many events has about so many bytes."""
    reads: list[tuple[str, str]] = field(default_factory=list)
    """Paths and tokens that are asked for instead of sending events."""
    issues: list[tuple[str, str]] = field(default_factory=list)
    """Directives and tokens under which they are issued instead of sending events."""
    probe_port: int = 0
    """Above 0: after every fifth answer, a deputy's overview is asked for `after` it."""
    seed: str = ""
    """The private key (hexadecimal) by which every event is signed; not signed without one."""


@dataclass
class Sent:
    """What came of a plan."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)
    fresh_statuses: dict[int, int] = field(default_factory=dict)
    trouble: str = ""
    """What the first refusal said."""


class Connection:
    """One kept HTTP/1.1 connection, asked one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        length = int(lowered.split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length) if length else b""
        if b"connection: close" in lowered:
            writer.close()
            self._streams = None
        return int(head[9:12]), body

    def close(self) -> None:
        """Nothing more is asked."""
        if self._streams is not None:
            self._streams[1].close()


def requests_of(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Each request with the province it is about."""
    for nth in range(plan.requests):
        if plan.reads:
            path, token = plan.reads[nth % len(plan.reads)]
            yield "", get(path, token)
            continue
        if plan.issues:
            yield "", _issue(*plan.issues[nth])
            continue
        province = plan.provinces[nth % len(plan.provinces)]
        yield province, _post(plan, province, nth)


def _issue(directive: str, token: str) -> bytes:
    return (
        f"POST /v1/directives/{directive}/issue HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: Bearer {token}\r\nIdempotency-Key: {directive}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    ).encode()


def get(path: str, token: str) -> bytes:
    """A read as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def _post(plan: Plan, province: str, nth: int) -> bytes:
    media = "x-ndjson" if plan.events > 1 else "cloudevents+json"
    numbers = range(nth * plan.events, (nth + 1) * plan.events)
    padding = max(0, plan.body_bytes // plan.events - country.REPORT_BYTES)
    body = (
        country.reports(province, numbers, plan.prefix, padding=padding)
        if plan.events > 1
        else country.report(province, nth, plan.prefix)
    )
    if plan.seed:
        sign = _signer(plan.seed).sign
        body = b"\n".join(map(sign, body.split(b"\n")))
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: Bearer {plan.tokens[f'poc:{province}']}\r\n"
        f"Content-Type: application/{media}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@cache
def _signer(seed: str) -> Signer:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    return Signer(key_id_of(key.public_key().public_bytes_raw()), key)


async def send(plan: Plan) -> Sent:
    """Carry the plan out."""
    sent = Sent()
    ready = (
        list(requests_of(plan))
        if plan.rate or (plan.requests * plan.events <= 100_000 and not plan.body_bytes)
        else None
    )
    queue = iter(ready) if ready is not None else requests_of(plan)
    began = time.perf_counter()
    numbered = enumerate(queue)
    probes: list[asyncio.Task[None]] = []
    ask = _asking(plan, sent, probes, began, numbered)
    await asyncio.gather(*(ask(Connection(plan.port)) for _ in range(plan.connections)))
    sent.seconds = time.perf_counter() - began
    await asyncio.gather(*probes)
    return sent


def _asking(
    plan: Plan,
    sent: Sent,
    probes: list[asyncio.Task[None]],
    began: float,
    numbered: Iterator[tuple[int, tuple[str, bytes]]],
) -> Callable[[Connection], Awaitable[None]]:
    spare = [Connection(plan.probe_port) for _ in range(16)]

    async def ask(connection: Connection) -> None:
        for nth, (province, request) in numbered:
            due = began + nth / plan.rate if plan.rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            status, body = await connection.ask(request)
            sent.latencies_ms.append((time.perf_counter() - due) * 1e3)
            sent.statuses[status] = sent.statuses.get(status, 0) + 1
            if status >= BAD and not sent.trouble:
                sent.trouble = body[:300].decode(errors="replace")
            if plan.probe_port and nth % 5 == 0 and province != "TH-10":
                accepted = time.perf_counter()
                position = json.loads(body)["position"]
                probes.append(
                    asyncio.create_task(_probe(plan, sent, spare, province, position, accepted))
                )

    return ask


async def _probe(
    plan: Plan,
    sent: Sent,
    spare: list[Connection],
    province: str,
    position: str,
    accepted: float,
) -> None:
    deputy = country.deputy_of(province)
    connection = spare.pop() if spare else Connection(plan.probe_port)
    path = f"/v1/deputies/{deputy}/overview?after={position}"
    status, _ = await connection.ask(get(path, plan.tokens[f"deputy:{deputy}"]))
    sent.fresh_ms.append((time.perf_counter() - accepted) * 1e3)
    sent.fresh_statuses[status] = sent.fresh_statuses.get(status, 0) + 1
    spare.append(connection)


async def sending(plan: Plan) -> Sent:
    """The plan, carried out by a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.sending",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    if process.returncode:
        raise RuntimeError(f"the sender ended with {process.returncode}")
    return msgspec.json.decode(said, type=Sent)


if __name__ == "__main__":
    print(
        json.dumps(
            asdict(
                asyncio.run(
                    send(msgspec.json.decode(sys.stdin.read(), type=Plan)),
                    loop_factory=uvloop.new_event_loop,
                )
            )
        )
    )
