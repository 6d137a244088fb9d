"""Row 4: the situation projection, against the same rows written by Python without events."""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator

import asyncpg
import uvloop

from bench import country
from bench.measuring import Row, interleaved, load, until
from bench.network import Network, Servers, network_of
from bench.size import Size
from schemas.envelope import STATUS_TOPIC
from services.embedded.postgres import OWNER
from services.eventlog.homes import EMBEDDED, open_log
from services.operation.settings import Settings
from services.projections.admission import fact_of
from services.projections.apply import Read, read
from services.projections.fact import KEEP_ONCE
from services.projections.identities import identity_row
from services.projections.runner import BATCH, Worker
from services.projections.situations import project

_READY = "INSERT INTO projections.workers VALUES ($1, clock_timestamp() + interval '1 hour')"
_KEEP_IDENTITY = (
    "INSERT INTO events.identities SELECT * FROM unnest($1::events.identities[]) "
    "ON CONFLICT DO NOTHING"
)


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Reports a second from the log into rows."""
    async with network_of(servers) as network, network_of(servers) as plain:
        yield await _against_floor(network, plain, size)


async def by_two(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """The same by one and by two processes."""
    one = await _processes(servers, size, 1)
    two = await _processes(servers, size, 2)
    yield Row(
        "the situation projection by two processes",
        EMBEDDED,
        two,
        one,
        two / one,
        "scales (above 1)",
        "events/s",
        f"two processes on 32 slots each against one on 64, {size.projected_events * 2:,} reports, "
        f"one run each; load {load()}",
    )


async def _against_floor(network: Network, plain: Network, size: Size) -> Row:
    count = size.projected_events
    await network.project(STATUS_TOPIC)
    prefixes = itertools.count(1)
    worker = Worker(network.pool, network.log, name="bench", topic=STATUS_TOPIC)
    prepared: list[list[list[list[tuple[object, ...]]]]] = []

    async def ours() -> float:
        await append(network, count, f"p{next(prefixes)}")
        prepared.append(await _rows_of_last(network, count))
        began = time.perf_counter()
        done = 0
        while done < count:
            done += await worker.step(wait=0.1)
        return count / (time.perf_counter() - began)

    async def floor() -> float:
        batches = prepared.pop()
        began = time.perf_counter()
        async with plain.pool.acquire() as connection:
            for identities, reports, series in batches:
                async with connection.transaction():
                    await connection.execute(_KEEP_IDENTITY, identities)
                    for table, made in (("reports", reports), ("series", series)):
                        statement = KEEP_ONCE.replace("{schema}", "situations")
                        await connection.execute(statement.replace("{table}", table), made)
        return count / (time.perf_counter() - began)

    pair = await interleaved(ours, floor, runs=size.runs)
    await worker.close()
    return pair.row(
        "the situation projection",
        EMBEDDED,
        reach="0.4",
        unit="events/s",
        conditions=(
            f"one worker, batches of {BATCH:,}, reports of 77 centres on 64 slots, all read models "
            "asked; floor: the same rows (identities, reports, series), ready as Python tuples, by "
            f"INSERT … SELECT unnest … ON CONFLICT; {count:,} reports a run, fsync on, nothing "
            "else of the bench at work"
        ),
    )


async def append(network: Network, count: int, prefix: str) -> None:
    """So many reports of all centres are in the log."""
    for begin in range(0, count, 2_000):
        await network.append([_event(nth, prefix) for nth in range(begin, begin + 2_000)])


def _event(nth: int, prefix: str) -> country.Event:
    return country.event(country.PROVINCES[nth % len(country.PROVINCES)], nth, prefix)


async def _rows_of_last(network: Network, count: int) -> list[list[list[tuple[object, ...]]]]:
    """The rows that the last events make, in batches, as the runner would write them."""
    reader = network.log.reader(STATUS_TOPIC, await _places(network))
    batches: list[list[list[tuple[object, ...]]]] = []
    seen = 0
    while seen < count:
        records = await reader.batch(limit=BATCH, timeout=1.0)
        seen += len(records)
        batches.append(_rows(read(records)))
    await reader.close()
    return batches


async def _places(network: Network) -> dict[int, int]:
    rows_ = await network.pool.fetch(
        "SELECT slot, next_position FROM projections.progress WHERE slot < 64"
    )
    return {row["slot"]: row["next_position"] for row in rows_}


def _rows(batch: Read) -> list[list[tuple[object, ...]]]:
    made: dict[str, list[tuple[object, ...]]] = {"reports": [], "series": []}
    for arrival in batch.arrivals:
        for table, row in project(fact_of(arrival)):
            made[table.name].append(row)
    return [[identity_row(one) for one in batch.arrivals], made["reports"], made["series"]]


async def _processes(servers: Servers, size: Size, workers: int) -> float:
    """Events a second while so many processes share the slots."""
    count = size.projected_events * 2
    async with network_of(servers) as network:
        await append(network, count, "scale")
        for nth in range(workers):
            await network.pool.execute(_READY, f"{STATUS_TOPIC}/w{nth}")
        running = [await _spawn(network, f"w{nth}") for nth in range(workers)]
        total = sum(await network.log.ends(STATUS_TOPIC))
        try:
            return await _rate(network, total, workers)
        finally:
            for process in running:
                process.terminate()
                await process.wait()


async def _rate(network: Network, total: int, workers: int) -> float:
    async def begun() -> bool:
        owners = await network.pool.fetchval(
            "SELECT count(DISTINCT owner) FROM projections.progress p WHERE slot < 64 "
            "AND next_position > 0"
        )
        return bool(owners == workers)

    await until(begun, seconds=30)
    began, first = time.perf_counter(), await network.progress()
    await network.caught_up(seconds=120)
    return (total - first) / (time.perf_counter() - began)


async def _spawn(network: Network, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.projection", name, env=network.environment()
    )


async def _work(settings: Settings, name: str) -> None:
    async with asyncpg.create_pool(settings.dsn(OWNER), min_size=0, max_size=6) as pool:
        log = open_log(settings.log_url, pool)
        await Worker(pool, log, name=name, topic=STATUS_TOPIC).run()


if __name__ == "__main__":
    asyncio.run(
        _work(Settings.from_environment(os.environ), sys.argv[1]),
        loop_factory=uvloop.new_event_loop,
    )
