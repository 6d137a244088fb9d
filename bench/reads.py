"""Row 6: a deputy's overview and a province's situation, over a long history, beside ingest."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg

from bench import country
from bench.asking import answers_of
from bench.history import grow
from bench.measuring import Row, load, percentile
from bench.network import Network, Servers, network_of
from bench.sending import Plan, Sent, sending
from bench.size import Size
from services.eventlog.homes import EMBEDDED

READS = 100
BOUND_MS = 25.0
GROWTH = 1.2
LONGER = 5
_BUFFERS = ("Shared Hit Blocks", "Shared Read Blocks")
_SCANNED = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


@dataclass(frozen=True)
class Cost:
    """What the statements of some answers read, by EXPLAIN (ANALYZE, BUFFERS)."""

    rows: float
    buffers: float


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Latency at one length of history."""
    async with network_of(servers) as network:
        await grow(network.pool, before=0, events=size.history)
        gateway = await network.start("services.api")
        door = await network.start("services.ingest")
        await network.project_live()
        yield await _latency(network, size, gateway.port, door.port)


async def growth(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Rows and buffers at one length of history and at five times it."""
    async with network_of(servers) as network:
        await grow(network.pool, before=0, events=size.history)
        short = await _cost(network)
        await grow(network.pool, before=size.history, events=size.history * LONGER)
        long = await _cost(network)
    for unit, one, many in (
        ("rows", short.rows, long.rows),
        ("buffers", short.buffers, long.buffers),
    ):
        yield Row(
            f"{unit} read at {LONGER} times the history",
            EMBEDDED,
            many,
            one,
            many / one,
            f"≤ {GROWTH}",
            f"{unit} an answer",
            f"{size.history:,} and {size.history * LONGER:,} events of history written by SQL into "
            "the read models (bench/history.py), eight overviews and eight situations, EXPLAIN "
            "(ANALYZE, BUFFERS) of every statement of the gateway; floor: the shorter history",
        )


async def _latency(network: Network, size: Size, gateway: int, door: int) -> Row:
    chance = random.Random(7)
    pm = network.token("pm")
    paths = [
        (f"/v1/deputies/{chance.choice(country.DEPUTIES)}/overview", pm)
        if nth % 2
        else (f"/v1/provinces/{chance.choice(country.PROVINCES)}/situation", pm)
        for nth in range(1_000)
    ]
    read, sent = await beside_ingest(network, size, Plan(gateway, 0, 0, "", {}, reads=paths), door)
    seen = percentile(read.latencies_ms, 99)
    return Row(
        "overview and situation, p99",
        EMBEDDED,
        seen,
        BOUND_MS,
        BOUND_MS / seen,
        f"≤ {BOUND_MS:g} ms",
        "ms",
        f"8 connections, open loop of {READS} requests/s for {size.open_seconds} s counted from "
        "their due time, random deputies and provinces; "
        f"p50 {percentile(read.latencies_ms, 50):.1f} ms, "
        f"p90 {percentile(read.latencies_ms, 90):.1f} ms; beside it 1,000 events/s through "
        f"the door (answers {sent.statuses}); {size.history:,} events of history; all processes "
        f"on the same machine; load {load()}",
    )


async def beside_ingest(network: Network, size: Size, reads: Plan, door: int) -> tuple[Sent, Sent]:
    """The plan's reads in an open loop beside 1,000 events a second; once warm, then measured."""
    tokens = {centre: network.token(centre) for centre in country.CENTRES}

    async def both(seconds: int, prefix: str) -> tuple[Sent, Sent]:
        ingest = Plan(door, 50 * seconds, 20, prefix, tokens, connections=8, rate=50)
        asked = replace(reads, requests=READS * seconds, connections=8, rate=READS)
        return await asyncio.gather(sending(asked), sending(ingest))

    await both(3, "warm")
    read, sent = await both(size.open_seconds, "beside")
    assert set(read.statuses) == {200}, read.trouble
    return read, sent


async def _cost(network: Network) -> Cost:
    """What the statements read that the gateway really sends."""
    read = buffers = 0.0
    answers = await answers_of(network)
    async with network.pool.acquire() as connection:
        for setting in ("enable_seqscan = off", "plan_cache_mode = force_generic_plan"):
            await connection.execute(f"SET {setting}")
        for statement, parameters in (asked for answer in answers for asked in answer):
            plan = await _explained(connection, statement, parameters)
            buffers += sum(float(str(plan[name])) for name in _BUFFERS)
            read += _rows(plan)
    return Cost(read / len(answers), buffers / len(answers))


async def _explained(
    connection: asyncpg.pool.PoolConnectionProxy, statement: str, parameters: object
) -> dict[str, object]:
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    assert isinstance(parameters, list | tuple)
    plan: dict[str, object] = json.loads(await connection.fetchval(explain, *parameters))[0]["Plan"]
    return plan


def _rows(node: dict[str, object]) -> float:
    """Rows that the scans of a plan looked at."""
    below = node.get("Plans", [])
    assert isinstance(below, list)
    if below:
        return sum(_rows(child) for child in below)
    looked = sum(float(str(node.get(name, 0))) for name in _SCANNED)
    return looked * float(str(node.get("Actual Loops", 1)))
