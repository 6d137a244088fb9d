"""Row 1: NDJSON of 500 events a request, against reading and appending the same without HTTP."""

import itertools
import statistics
from collections.abc import AsyncIterator

from bench import country
from bench.direct import direct
from bench.measuring import Row, interleaved
from bench.network import Network, Servers, network_of
from bench.sending import Plan, sending
from bench.size import Size
from services.eventlog.homes import EMBEDDED

EVENTS = 500
AIM = 25_000
CONDITIONS = (
    "8 connections, NDJSON of 500 reports of ~370 bytes a request, one centre a request, "
    "acks=all after fsync, one ingest process, nothing else of the bench at work"
)


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Events a second, with the log in Postgres."""
    async with network_of(servers, home=EMBEDDED) as network:
        yield await _measured(network, size, EMBEDDED)


async def rows_in_kafka(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Events a second, with the log in Kafka."""
    async with network_of(servers, home="kafka") as network:
        yield await _measured(network, size, "kafka")


async def _measured(network: Network, size: Size, home: str) -> Row:
    process = await network.start("services.ingest")
    numbers = itertools.count(1)
    tokens = {centre: network.token(centre) for centre in country.CENTRES}

    def plan() -> Plan:
        return Plan(
            process.port, size.ingest_events // EVENTS, EVENTS, f"in{next(numbers)}", tokens
        )

    async def ours() -> float:
        sent = await sending(plan())
        assert set(sent.statuses) == {202}, sent.trouble
        return size.ingest_events / sent.seconds

    async def floor() -> float:
        return size.ingest_events / await direct(network, plan())

    # One request alone first: until the door has fetched the issuer's keys, others get a 503.
    await sending(Plan(process.port, 2, EVENTS, "first", tokens, connections=1))
    await ours()
    pair = await interleaved(ours, floor, runs=size.runs)
    aim = f"aim {AIM:,}/s a process: {'met' if statistics.median(pair.ours) >= AIM else 'not met'}"
    return pair.row(
        "ingest over HTTP",
        home,
        reach="0.6",
        unit="events/s",
        conditions=f"{CONDITIONS}; {size.ingest_events:,} events a run; {aim}",
    )
