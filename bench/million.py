"""Rows 7 and 8: a million events through the door, what each process holds, and a rebuild of all.

The rebuild stands on the events that the memory row took in. Readers ask all the while, and every
answer is compared with the one before it began.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg

from bench import country
from bench.measuring import Row, load, resident_mb
from bench.network import Network, Process, Servers, network_of
from bench.sending import Connection, Plan, get, sending
from bench.size import Size
from services.eventlog.homes import EMBEDDED
from services.projections.rebuild import Done, Rebuild
from services.projections.schemas import ALL

BOUND_MB = 300.0
BODIES = 32
BODY_BYTES = 16 * 1024 * 1024 - 65_536
LARGE_EVENTS = 4_000
EVENTS = 500
_FLAT = 1.1
_PROCESSES = ("services.ingest", "services.projections", "services.api", "services.relay")


@dataclass
class Watch:
    """The resident memory of each process, in MB, as it went."""

    seen: dict[str, list[float]] = field(default_factory=dict)

    async def follow(self, processes: list[Process]) -> None:
        """Look ten times a second until cancelled."""
        while True:
            for process in processes:
                self.seen.setdefault(process.name, []).append(resident_mb(process.pid))
            await asyncio.sleep(0.1)

    @property
    def peak(self) -> float:
        """The most that any of them held."""
        return max(max(found) for found in self.seen.values())

    def said(self) -> str:
        """Each process: at the middle, at the end, at its peak."""
        return ", ".join(
            f"{name.removeprefix('services.')} {found[len(found) // 2]:.0f} → {found[-1]:.0f} "
            f"(peak {max(found):.0f})"
            for name, found in self.seen.items()
        )

    @property
    def is_flat(self) -> bool:
        """Whether no process holds more at the end than a tenth above what it held half-way."""
        return all(found[-1] <= found[len(found) // 2] * _FLAT for found in self.seen.values())


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """What taking in holds, then the rebuild of what was taken in."""
    async with network_of(servers) as network:
        processes = {name: await network.start(name) for name in _PROCESSES}
        tokens = await _warm(network, processes["services.ingest"])
        yield await _taken(network, size, processes["services.ingest"].port, tokens)
        yield await _rebuilt(network, processes["services.api"].port)


async def bodies(servers: Servers, _size: Size) -> AsyncIterator[Row]:
    """What a door holds of large bodies; nothing projects them."""
    async with network_of(servers) as network:
        door = await network.start("services.ingest")
        yield await _large_bodies(door, await _warm(network, door))


async def _warm(network: Network, door: Process) -> dict[str, str]:
    """The centres' tokens, believed: until the door has the issuer's keys others get a 503."""
    tokens = {centre: network.token(centre) for centre in country.CENTRES}
    await sending(Plan(door.port, 2, EVENTS, "first", tokens, connections=1))
    return tokens


async def _taken(network: Network, size: Size, port: int, tokens: dict[str, str]) -> Row:
    watch = Watch()
    watching = asyncio.create_task(watch.follow(network.running))
    plan = Plan(port, size.million // EVENTS, EVENTS, "million", tokens)
    sent = await sending(plan)
    behind = size.million - await network.progress()
    await network.caught_up(seconds=1_800)
    watching.cancel()
    return _memory(
        "memory, a million events taken",
        watch,
        f"{size.million:,} reports, 8 connections, NDJSON of {EVENTS}, as fast as answered: "
        f"{size.million / sent.seconds:,.0f} events/s with every process at work (answers "
        f"{sent.statuses}), read models {behind:,} behind at the end of it",
    )


async def _large_bodies(door: Process, tokens: dict[str, str]) -> Row:
    watch = Watch()
    watching = asyncio.create_task(watch.follow([door]))
    few = country.PROVINCES[:BODIES]
    plan = Plan(
        door.port,
        BODIES * 4,
        LARGE_EVENTS,
        "large",
        tokens,
        connections=BODIES,
        provinces=few,
        body_bytes=BODY_BYTES,
    )
    sent = await sending(plan)
    watching.cancel()
    return _memory(
        "memory, 32 bodies of 16 MiB at once",
        watch,
        f"{BODIES} connections, each four times a body of 16 MiB, {LARGE_EVENTS:,} reports of "
        "~4 kB; "
        f"answers {sent.statuses}: 503 with Retry-After is what a door says whose 64 MiB of bodies "
        "in flight are taken",
    )


def _memory(name: str, watch: Watch, conditions: str) -> Row:
    flat = "flat" if watch.is_flat else "NOT flat"
    return Row(
        name,
        EMBEDDED,
        watch.peak,
        BOUND_MB,
        BOUND_MB / watch.peak,
        f"≤ {BOUND_MB:g} MB a process, flat",
        "MB",
        f"{conditions}; resident MB half-way → at the end: {watch.said()}; {flat}; load {load()}",
    )


async def _rebuilt(network: Network, port: int) -> Row:
    total = int(await network.progress())
    checks = Checks(port, network.token("pm"))
    checks.right = await checks.ask()
    reading = asyncio.create_task(checks.follow())
    reports: list[Done] = []
    began = time.perf_counter()
    async with asyncpg.create_pool(network.settings.dsn("kamkap_projections"), min_size=0) as pool:
        await Rebuild(pool, network.log, list(ALL)).run(reports.append)
    took = time.perf_counter() - began
    reading.cancel()
    return Row(
        "rebuild of all read models",
        EMBEDDED,
        total / took,
        None,
        None,
        "readers' answers right throughout",
        "events/s",
        f"{total:,} events in {took:.0f} s, one process, live workers running beside it, nothing "
        f"coming in; readers: {checks.count} answers of one overview and one situation, "
        f"{checks.wrong} of them wrong, slowest {checks.slowest_ms:.0f} ms; load {load()}",
    )


@dataclass
class Checks:
    """A reader that knows what the answers must be."""

    port: int
    token: str
    right: list[object] = field(default_factory=list)
    count: int = 0
    wrong: int = 0
    slowest_ms: float = 0.0

    async def follow(self) -> None:
        """Ask twenty times a second until cancelled."""
        while True:
            began = time.perf_counter()
            found = await self.ask()
            self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - began) * 1e3)
            self.count += len(found)
            self.wrong += sum(a != b for a, b in zip(found, self.right, strict=True))
            await asyncio.sleep(0.05)

    async def ask(self) -> list[object]:
        """The answers now, with their statuses."""
        connection = Connection(self.port)
        paths = (
            f"/v1/deputies/{country.DEPUTIES[0]}/overview",
            f"/v1/provinces/{country.PROVINCES[5]}/situation",
        )
        answers = [await connection.ask(get(path, self.token)) for path in paths]
        connection.close()
        return [(status, json.loads(body)) for status, body in answers]
