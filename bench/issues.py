"""Directives issued through one gateway: how many a second, and how long one takes at 300."""

from collections.abc import AsyncIterator

from bench import country
from bench.measuring import Row, load, percentile
from bench.network import Network, Servers, network_of
from bench.sending import Plan, Sent, sending
from bench.size import Size
from schemas.envelope import Envelope
from schemas.events.directive import DirectiveDrafted
from services.domain.directives import DECIDER
from services.eventlog.homes import EMBEDDED
from services.eventlog.store import Decision, DecisionStore, NewEvent

RATE = 300
BOUND_MS = 100.0
_CONNECTIONS = 32


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Issues a second as fast as they are answered, then the latency at a rate."""
    async with network_of(servers) as network:
        gateway = await network.start("services.api")
        await network.project_live()
        await _issue(network, gateway.port, "warm", RATE)
        fast = await _issue(network, gateway.port, "fast", RATE * size.open_seconds)
        rate = len(fast.latencies_ms) / fast.seconds
        yield Row(
            "directives issued through one gateway",
            EMBEDDED,
            rate,
            RATE,
            rate / RATE,
            f"≥ {RATE}/s",
            "issues/s",
            f"{_CONNECTIONS} connections, {len(fast.latencies_ms):,} directives of eight deputies, "
            "each to one province of the deputy's area, guarded on the orders, durable after "
            f"fsync; relay and projections at work beside it; load {load()}",
        )
        paced = await _issue(network, gateway.port, "paced", RATE * size.open_seconds, rate=RATE)
        seen = percentile(paced.latencies_ms, 99)
        yield Row(
            "a directive issued, p99",
            EMBEDDED,
            seen,
            BOUND_MS,
            BOUND_MS / seen,
            f"≤ {BOUND_MS:g} ms",
            "ms",
            f"open loop of {RATE} issues/s for {size.open_seconds} s counted from their due time, "
            f"p50 {percentile(paced.latencies_ms, 50):.1f} ms; otherwise as above; load {load()}",
        )


async def _issue(
    network: Network, port: int, prefix: str, count: int, *, rate: float = 0.0
) -> Sent:
    """So many drafts are issued by the deputies in whose name they are."""
    provinces = country.PROVINCES[1:]
    drafts = [(f"{prefix}-{nth}", provinces[nth % len(provinces)]) for nth in range(count)]
    await _draft(network, drafts)
    tokens = {deputy: network.token(f"deputy:{deputy}") for deputy in country.DEPUTIES}
    issues = [(id_, tokens[country.deputy_of(province)]) for id_, province in drafts]
    plan = Plan(port, count, 1, prefix, {}, connections=_CONNECTIONS, rate=rate, issues=issues)
    sent = await sending(plan)
    assert set(sent.statuses) == {200}, sent.trouble
    return sent


async def _draft(network: Network, drafts: list[tuple[str, str]]) -> None:
    store = DecisionStore(network.pool)
    for id_, province in drafts:
        deputy = country.deputy_of(province)
        written = DirectiveDrafted(
            directive=id_, drafted_by=f"secretariat:{deputy}", deputy=deputy, kind="order",
            title_th="อพยพ", text_th="ให้อพยพประชาชนออกจากชายฝั่งทันที " * 20, addressees=[province],
        )  # fmt: skip
        envelope = Envelope(
            id=f"draft-{id_}", source=f"/offices/secretariat/{deputy}", type=written.type,
            time=country.BEGIN, subject=f"directives/{id_}",
        )  # fmt: skip
        new = [NewEvent(envelope, written.model_dump_json().encode())]
        done = await store.append(Decision(DECIDER.stream(id_), 0, new), timeout=60)
        assert done.verdict == "appended"
    await store.close()
