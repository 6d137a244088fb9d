"""Row: every province moves among six deputies, from POST /v1/orders to its being seen."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx

from bench import country
from bench.measuring import Row, load
from bench.network import Servers, network_of
from bench.size import Size
from services.eventlog.homes import EMBEDDED

AMONG = 6
BOUND_MS = 1_000.0
_PROCESSES = ("services.projections", "services.relay")


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Milliseconds, the slowest of the runs."""
    async with network_of(servers) as network:
        gateway = await network.start("services.api")
        for module in _PROCESSES:
            await network.start(module)
        headers = {"Authorization": f"Bearer {network.token('pm')}"}
        url = f"http://127.0.0.1:{gateway.port}"
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            # One more than is counted: the first finds nothing warm.
            took = [await _moved(client, nth) for nth in range(2, size.runs + 3)][1:]
    slowest = max(took)
    yield Row(
        "re-shuffle of every province, until it is seen",
        EMBEDDED,
        slowest,
        BOUND_MS,
        BOUND_MS / slowest,
        "< 1 s",
        "ms",
        f"one order for {len(country.PROVINCES) - 1} provinces among {AMONG} deputies, from "
        "POST /v1/orders to the answer of /v1/oversight that shows all of them moved; the slowest "
        f"of {len(took)}, the fastest {min(took):.0f} ms; relay, projections and api on the same "
        f"machine; load {load()}",
    )


async def _moved(client: httpx.AsyncClient, serial: int) -> float:
    """From the request to the answer that knows the order."""
    order = country.shuffled(serial, datetime.now(UTC), AMONG)
    clauses = order["clauses"]
    assert isinstance(clauses, list)
    wanted = {one["target"]: one["deputy"] for one in clauses}
    began = time.perf_counter()
    issued = await client.post("/v1/orders", json=order, headers={"Idempotency-Key": f"r{serial}"})
    position = issued.raise_for_status().json()["position"]
    query = {"dimension": "area", "limit": 500, "after": position}
    answer = await client.get("/v1/oversight", params=query)
    took = (time.perf_counter() - began) * 1_000
    items = answer.raise_for_status().json()["items"]
    assert {one["target"]: one["deputy"]["id"] for one in items if one["deputy"]} == wanted
    return took
