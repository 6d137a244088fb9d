"""Row: a deputy's overview as of random past moments, over a long history, beside ingest."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from bench import country
from bench.history import grow
from bench.measuring import Row, load, percentile
from bench.network import Network, Servers, network_of
from bench.reads import READS, beside_ingest
from bench.sending import Plan
from bench.size import Size
from services.eventlog.homes import EMBEDDED

DAYS = 300
"""How far the history reaches back."""

MOVES = 10
"""Orders by which every province moved in that time."""

BOUND_MS = 60.0


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Milliseconds, by percentile."""
    async with network_of(servers) as network:
        await network.decide("offices", country.offices(size.centres))
        begin = country.BEGIN - timedelta(days=DAYS)
        moments = [begin + timedelta(days=DAYS / MOVES * nth) for nth in range(MOVES)]
        moves = [country.reshuffle(nth, at) for nth, at in enumerate(moments, start=2)]
        await network.decide("orders/pm", moves)
        await network.publish()
        await network.append([country.opening(days_before=DAYS)])
        await grow(network.pool, before=0, events=size.past)
        gateway = await network.start("services.api")
        door = await network.start("services.ingest")
        await network.project_live()
        plan = Plan(gateway.port, 0, 0, "", {}, reads=_questions(network, begin))
        read, sent = await beside_ingest(network, size, plan, door.port)
    for percent in (50, 99):
        seen = percentile(read.latencies_ms, percent)
        yield Row(
            f"overview as of a past moment, p{percent}",
            EMBEDDED,
            seen,
            BOUND_MS,
            BOUND_MS / seen,
            f"≤ {BOUND_MS:g} ms",
            "ms",
            f"8 connections, open loop of {READS} requests/s for {size.open_seconds} s counted "
            f"from their due time, random deputies and seconds of the last {DAYS} days, in which "
            f"every province moved {MOVES} times; beside it 1,000 events/s through the door "
            f"(answers {sent.statuses}); {size.past:,} events of history, "
            f"{size.centres + len(country.CENTRES):,} centres; all processes on the same "
            f"machine; load {load()}",
        )


def _questions(network: Network, begin: datetime) -> list[tuple[str, str]]:
    chance, pm = random.Random(7), network.token("pm")
    return [
        (f"/v1/deputies/{chance.choice(country.DEPUTIES)}/overview?as_of={_any(chance, begin)}", pm)
        for _ in range(1_000)
    ]


def _any(chance: random.Random, begin: datetime) -> str:
    moment = begin + timedelta(seconds=chance.randrange(DAYS * 86_400))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
