"""Streams: from the commit of a decision to what a listener has received; a storm that resumes."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import country
from bench.measuring import Row, load, percentile, until
from bench.network import Network, Servers, network_of
from bench.size import Size
from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.directive import Authority, DirectiveDrafted, DirectiveIssued
from services.domain.directives import DECIDER
from services.eventlog.homes import EMBEDDED
from services.eventlog.store import Decision, DecisionStore, NewEvent

SCOPES = 50
LISTENERS = 1_000
RATE = 100
BOUNDS_MS = {50: 100.0, 99: 500.0}

_SUBJECT = re.compile(rb'"subject":"directives/([^"]+)"')
_ID = re.compile(rb"^id: (\S+)", re.MULTILINE)


@dataclass
class Listener:
    """One open stream: what it received when, and where it can resume."""

    identity: str
    received: dict[str, list[float]] = field(default_factory=dict)
    last: str | None = None
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, network: Network, port: int) -> None:
        """Receive until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        resume = "" if self.last is None else f"Last-Event-ID: {self.last}\r\n"
        writer.write(
            f"GET /v1/directives/stream HTTP/1.1\r\nHost: bench\r\n{resume}"
            f"Authorization: Bearer {network.token(self.identity)}\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.partition(b"\r\n")[0], head
            self.connected.set()
            await self._receive(reader)
        finally:
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await reader.read(65_536):
            now = time.perf_counter()
            events = (rest + chunk).split(b"\n\n")
            rest = events.pop()
            for event in events:
                if (subject := _SUBJECT.search(event)) and (place := _ID.search(event)):
                    self.received.setdefault(subject[1].decode(), []).append(now)
                    self.last = place[1].decode()


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Milliseconds from the commit to each listener, and seconds until all have resumed."""
    async with network_of(servers) as network:
        gateway = await network.start("services.api")
        await network.project_live()
        provinces = country.PROVINCES[1 : SCOPES + 1]
        directives = [
            (f"bench-{nth}", provinces[nth % SCOPES]) for nth in range(2 * RATE * size.open_seconds)
        ]
        await _draft(network, directives)
        listeners = [Listener(f"governor:{provinces[nth % SCOPES]}") for nth in range(LISTENERS)]
        opened = await _open(network, gateway.port, listeners)
        half, used = len(directives) // 2, _cpu_seconds(gateway.pid)
        committed = await _issue(network, directives[:half])
        await _received(listeners, directives[:half])
        waited = [
            (at - committed[id_]) * 1_000
            for listener in listeners
            for id_, times in listener.received.items()
            for at in times
        ]
        used = _cpu_seconds(gateway.pid) - used
        for percent, bound in BOUNDS_MS.items():
            seen = percentile(waited, percent)
            yield Row(
                f"stream, commit to received p{percent}", EMBEDDED, seen, bound, bound / seen,
                f"≤ {bound:g} ms", "ms",
                f"{LISTENERS} listeners in {SCOPES} scopes, {RATE} events/s for "
                f"{size.open_seconds} s, {len(waited)} receipts, none lost, none twice; the "
                f"gateway used {used:.1f} s of a core; it, projections, relay, sender and "
                f"listeners on the same machine; load {load()}",
            )  # fmt: skip
        await _close(opened)
        await _issue(network, directives[half:])
        began = time.perf_counter()
        opened = await _open(network, gateway.port, listeners)
        await _received(listeners, directives)
        yield Row(
            "streams, a storm of all resumes", EMBEDDED, time.perf_counter() - began, None, None,
            "no loss, no double", "s",
            f"{LISTENERS} listeners, each by its own Last-Event-ID, {len(directives) - half} "
            f"events behind in all; load {load()}",
        )  # fmt: skip
        await _close(opened)


def _cpu_seconds(pid: int) -> float:
    """What the process has used of a core since it began."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


async def _open(network: Network, port: int, listeners: list[Listener]) -> list[asyncio.Task[None]]:
    for listener in listeners:
        listener.connected.clear()
    opened = [asyncio.create_task(listener.listen(network, port)) for listener in listeners]
    async with asyncio.timeout(60):
        await asyncio.gather(*(listener.connected.wait() for listener in listeners))
    return opened


async def _close(opened: list[asyncio.Task[None]]) -> None:
    for one in opened:
        one.cancel()
    await asyncio.gather(*opened, return_exceptions=True)


async def _received(listeners: list[Listener], directives: list[tuple[str, str]]) -> None:
    """Every listener has what is its own, once.

    Raises:
        AssertionError: something came twice, or to a listener it is not for.
    """
    own: dict[str, set[str]] = {}
    for id_, province in directives:
        own.setdefault(f"governor:{province}", set()).add(id_)

    async def there() -> bool:
        return all(own[one.identity] <= one.received.keys() for one in listeners)

    await until(there, seconds=60)
    for one in listeners:
        assert one.received.keys() == own[one.identity]
        assert all(len(times) == 1 for times in one.received.values())


async def _draft(network: Network, directives: list[tuple[str, str]]) -> None:
    store = DecisionStore(network.pool)
    drafts = (
        DirectiveDrafted(
            directive=id_, drafted_by="pmoc", deputy="pm", kind="order", title_th="อพยพ",
            text_th="ให้อพยพประชาชนออกจากชายฝั่งทันที " * 20, addressees=[province],
        )
        for id_, province in directives
    )  # fmt: skip
    await asyncio.gather(*(_append(store, 0, draft) for draft in drafts))
    end = await store.next_position()
    await store.close()

    async def applied() -> bool:
        read = "SELECT next_position FROM projections.progress WHERE slot = 64"
        return bool(await network.pool.fetchval(read) >= end)

    await until(applied, seconds=60)


async def _issue(network: Network, directives: list[tuple[str, str]]) -> dict[str, float]:
    """Issue them at the rate; when each was committed."""
    store, committed = DecisionStore(network.pool), dict[str, float]()
    began = time.perf_counter()

    async def issue(nth: int, id_: str, province: str) -> None:
        await asyncio.sleep(max(0.0, began + nth / RATE - time.perf_counter()))
        event = DirectiveIssued(
            directive=id_, issued_by="pm", capacity="prime_minister",
            authority=[Authority(addressee=province)],
        )  # fmt: skip
        await _append(store, 1, event)
        committed[id_] = time.perf_counter()

    await asyncio.gather(*(issue(nth, *one) for nth, one in enumerate(directives)))
    await store.close()
    return committed


async def _append(
    store: DecisionStore, version: int, event: DirectiveDrafted | DirectiveIssued
) -> None:
    said: EventModel = event
    envelope = Envelope(
        id=f"{event.directive}-{version}", source="/offices/pm", type=event.type,
        time=datetime.now(UTC), subject=f"directives/{event.directive}",
    )  # fmt: skip
    new = [NewEvent(envelope, said.model_dump_json().encode())]
    done = await store.append(Decision(DECIDER.stream(event.directive), version, new), timeout=60)
    assert done.verdict == "appended"
