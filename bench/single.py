"""Row 2: one event a request on 32 connections, against a handler that does nothing."""

import itertools
from collections.abc import AsyncIterator

from bench import country
from bench.measuring import Row, interleaved
from bench.network import Servers, network_of
from bench.sending import Plan, sending
from bench.size import Size
from services.eventlog.homes import EMBEDDED


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Posts a second."""
    async with network_of(servers) as network:
        door = await network.start("services.ingest")
        bare = await network.start("bench.bare")
        tokens = {centre: network.token(centre) for centre in country.CENTRES}
        numbers = itertools.count(1)

        async def posts(port: int) -> float:
            prefix = f"one{next(numbers)}"
            plan = Plan(port, size.single_posts, 1, prefix, tokens, connections=32)
            sent = await sending(plan)
            assert set(sent.statuses) == {202}, sent.trouble
            return size.single_posts / sent.seconds

        # One request alone first: until the door has fetched the issuer's keys, others get a 503.
        await sending(Plan(door.port, 2, 1, "first", tokens, connections=1))
        await posts(door.port)
        await posts(bare.port)
        pair = await interleaved(lambda: posts(door.port), lambda: posts(bare.port), runs=size.runs)
        yield pair.row(
            "single-event POSTs",
            EMBEDDED,
            reach="0.5",
            unit="posts/s",
            conditions=(
                "32 connections, one report of ~370 bytes a request, 77 centres, durable after "
                f"fsync; floor is durable nowhere; {size.single_posts:,} posts a run, "
                "nothing else of the bench at work"
            ),
        )
