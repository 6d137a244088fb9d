"""Row 5: from acceptance to visible in the deputy's overview, at 1,000 events a second."""

from collections.abc import AsyncIterator

from bench import country
from bench.measuring import Row, load, percentile
from bench.network import Servers, network_of
from bench.sending import Plan, sending
from bench.size import Size
from services.eventlog.homes import EMBEDDED

EVENTS = 10
RATE = 100
BOUNDS_MS = {50: 50.0, 99: 250.0}


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Milliseconds, by percentile."""
    async with network_of(servers) as network:
        door = await network.start("services.ingest")
        gateway = await network.start("services.api")
        await network.project_live()
        identities = [*country.CENTRES, *(f"deputy:{deputy}" for deputy in country.DEPUTIES)]
        tokens = {identity: network.token(identity) for identity in identities}

        def plan(prefix: str, seconds: int) -> Plan:
            return Plan(
                door.port,
                RATE * seconds,
                EVENTS,
                prefix,
                tokens,
                connections=16,
                rate=RATE,
                probe_port=gateway.port,
            )

        await sending(plan("warm", 2))
        sent = await sending(plan("fresh", size.open_seconds))
        for percent, bound in BOUNDS_MS.items():
            seen = percentile(sent.fresh_ms, percent)
            yield Row(
                f"freshness, p{percent}",
                EMBEDDED,
                seen,
                bound,
                bound / seen,
                f"≤ {bound:g} ms",
                "ms",
                f"from the 202 to the overview's answer with after=token; open loop, {RATE} "
                f"requests/s of {EVENTS} reports for {size.open_seconds} s on 16 connections, "
                f"{len(sent.fresh_ms)} probes (every fifth request; answers "
                f"{sent.fresh_statuses}); POST p99 from its due time "
                f"{percentile(sent.latencies_ms, 99):.0f} ms, answers {sent.statuses}; ingest, "
                f"projections, relay, api and sender on the same machine; load {load()}",
            )
