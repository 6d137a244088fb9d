"""Issue to first delivery attempt: a steady stream, one burst, and one with dead endpoints."""

import asyncio
import json
import secrets
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from bench import country
from bench.measuring import Row, load, percentile, until
from bench.network import Network, Servers, network_of
from bench.size import Size
from schemas.envelope import Envelope
from services.eventlog.homes import EMBEDDED
from services.identity.signing import SecretSeal, SigningSecret

BOUND_MS = 2_000.0
HEALTHY = 1.5
RATE = 100
DEAD_OF_A_THOUSAND = 10

_SUBSCRIBE = """
INSERT INTO outward.subscriptions
    (id, owner, realm, url, signing, filter, digest, created_at, cursor)
SELECT s.id, s.owner, 'actual', s.url, 'hmac', '{}', '', now(),
       (SELECT next_position FROM decisions.head)
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS s (id, owner, url)
"""
_SECRETS = """
INSERT INTO outward.secrets (subscription, number, sealed, made_at)
SELECT s.id, 1, s.sealed, now() FROM unnest($1::uuid[], $2::bytea[]) AS s (id, sealed)
"""
# A dead endpoint is waited for by nobody.
_UNSETTLED = """
SELECT EXISTS (
    SELECT FROM outward.deliveries d JOIN outward.subscriptions s ON s.id = d.subscription
    WHERE s.url NOT LIKE '%/dead/%' AND (d.state = 'waiting'
          OR (d.change = 'issued' AND d.stated IS DISTINCT FROM d.state))
) OR EXISTS (
    SELECT FROM outward.subscriptions s, decisions.head h WHERE s.cursor < h.next_position
)
"""


@dataclass
class Receivers:
    """Endpoints of one port: when each first heard of each notice. `/dead/…` never answers."""

    port: int = 0
    heard: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    """By notice, then by path."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            path = head[0].split(" ")[1]
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            named = {name.lower(): value for name, value in headers.items()}
            self.heard[named["webhook-id"]].setdefault(path, time.perf_counter())
            await reader.readexactly(int(named["content-length"]))
            if path.startswith("/dead/"):
                await reader.read()
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def since(self, notice: str, began: float, *, dead: bool = False) -> list[float]:
        """Milliseconds from then to each first attempt at a healthy, or a dead, endpoint."""
        heard = self.heard[notice].items()
        return [(at - began) * 1e3 for path, at in heard if path.startswith("/dead/") == dead]


@asynccontextmanager
async def receivers() -> AsyncIterator[Receivers]:
    """They listen meanwhile."""
    opened = Receivers()
    server = await asyncio.start_server(opened.serve, "127.0.0.1", 0, backlog=2_048)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        server.close()


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Milliseconds to the first attempt."""
    dead = max(1, size.subscribers * DEAD_OF_A_THOUSAND // 1_000)
    async with network_of(servers) as network, receivers() as opened:
        await _subscribe(network, opened, size.subscribers)
        for module in ("services.projections", "services.relay", "services.dispatcher"):
            await network.start(module)
        await _burst(network, opened, "warm", size.subscribers)
        steady = await _steady(network, opened, size)
        yield _row("webhooks, 100 deliveries/s, p99", steady, f"{size.open_seconds} s", size)
        healthy = await _burst(network, opened, "healthy", size.subscribers)
        yield _row("webhooks, burst, p99", healthy, "all healthy", size)
        await _die(network, dead)
        mixed = await _burst(network, opened, "mixed", size.subscribers)
        yield _row("webhooks, burst with dead endpoints, p99", mixed, f"{dead} never answer", size)
        before, after = statistics.median(healthy), statistics.median(mixed)
        yield Row(
            "webhooks, healthy median beside dead endpoints",
            EMBEDDED,
            after,
            before,
            after / before,
            f"≤ {HEALTHY} times",
            "ms",
            f"median of the healthy ones, floor is the burst without dead ones; load {load()}",
        )


def _row(name: str, taken: list[float], what: str, size: Size) -> Row:
    seen = percentile(taken, 99)
    return Row(
        name,
        EMBEDDED,
        seen,
        BOUND_MS,
        BOUND_MS / seen,
        f"≤ {BOUND_MS:g} ms",
        "ms",
        f"from the commit of the issue to the first byte at the receiver; {what}, {len(taken)} "
        f"deliveries, {size.subscribers} subscriptions of {len(country.CENTRES)} centres, median "
        f"{statistics.median(taken):.0f} ms; relay, projections, dispatcher and receivers on the "
        f"same machine; load {load()}",
    )


async def _steady(network: Network, opened: Receivers, size: Size) -> list[float]:
    """Directives to one province each, as many a second as make the rate of deliveries."""
    each = size.subscribers // len(country.CENTRES)
    pause, taken = each / RATE, dict[str, float]()
    for nth in range(int(size.open_seconds / pause)):
        due = time.perf_counter() + pause
        province = country.PROVINCES[nth % len(country.PROVINCES)]
        notice, began = await _issue(network, f"steady-{nth}", [province])
        taken[notice] = began
        await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def all_heard() -> bool:
        return all(len(opened.heard[notice]) >= each for notice in taken)

    await until(all_heard, seconds=60)
    return [one for notice, began in taken.items() for one in opened.since(notice, began)]


async def _burst(network: Network, opened: Receivers, name: str, subscribers: int) -> list[float]:
    """One directive to every province: each subscription is told at once."""
    notice, began = await _issue(network, f"burst-{name}", country.PROVINCES)

    async def all_heard() -> bool:
        return len(opened.heard[notice]) >= subscribers

    await until(all_heard, seconds=120)
    heard = opened.since(notice, began)
    await _settled(network)
    return heard


async def _settled(network: Network) -> None:
    """What was delivered is known to the directive, and what that made known is delivered too."""

    async def calm() -> bool:
        return not await network.pool.fetchval(_UNSETTLED)

    await until(calm, seconds=120)


async def _issue(network: Network, id_: str, to: Iterable[str]) -> tuple[str, float]:
    """The id of the notice, and when it was committed."""
    notice, addressees = str(uuid4()), list(to)
    said = {"directive": id_, "deputy": "pm", "drafted_by": "pmoc", "kind": "order",
            "title_th": "อพยพ", "text_th": "ให้อพยพ", "addressees": addressees}  # fmt: skip
    issue = {"directive": id_, "issued_by": "pm", "capacity": "prime_minister",
             "authority": [{"addressee": one} for one in addressees]}  # fmt: skip
    await network.decide(
        f"directives/{id_}",
        [_event(id_, "directive.drafted.v1", str(uuid4()), said),
         _event(id_, "directive.issued.v1", notice, issue)],
    )  # fmt: skip
    return notice, time.perf_counter()


def _event(id_: str, type_: str, event: str, data: object) -> country.Event:
    envelope = Envelope(
        id=event,
        source="/offices/pm",
        type=type_,
        time=datetime.now(UTC),
        subject=f"directives/{id_}",
    )
    return envelope, json.dumps(data).encode()


async def _subscribe(network: Network, opened: Receivers, count: int) -> None:
    """So many subscriptions, spread over the centres of the provinces."""
    seal = SecretSeal(network.settings.sealing_key)
    ids = [uuid4() for _ in range(count)]
    owners = [country.CENTRES[nth % len(country.CENTRES)] for nth in range(count)]
    urls = [f"http://127.0.0.1:{opened.port}/hook/{id_}" for id_ in ids]
    sealed = [
        seal.seal(SigningSecret("hmac", secrets.token_bytes(32)), subscription=id_) for id_ in ids
    ]
    await network.pool.execute(_SUBSCRIBE, ids, owners, urls)
    await network.pool.execute(_SECRETS, ids, sealed)


async def _die(network: Network, count: int) -> None:
    """So many of them take everything and answer nothing from now on."""
    await network.pool.execute(
        "UPDATE outward.subscriptions SET url = replace(url, '/hook/', '/dead/') "
        "WHERE id IN (SELECT id FROM outward.subscriptions ORDER BY id LIMIT $1)",
        count,
    )
