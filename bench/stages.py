"""Where the time goes: `python -m bench.stages` profiles the door and the projection, by stage.

Python's own time alone is counted: what a coroutine waits for Postgres is in none of the stages.
Making the events is the rest.
"""

import asyncio
import cProfile
import pstats
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

from bench import country
from bench.network import Network, network_of, start_servers
from bench.projection import append
from schemas.envelope import STATUS_TOPIC
from services.ingest.batch import events_of
from services.ingest.content import Form
from services.ingest.door import Door
from services.ingest.identities import Identities
from services.ingest.reading import read
from services.operation.metrics import Metrics
from services.projections.runner import Worker
from services.readmodels.registry_reader import RegistryReader

EVENTS = 10_000
DOOR: Mapping[str, tuple[str, str]] = {
    "read: envelope, data, the type's model": ("reading.py", "read"),
    "judge: entitlement, digest, repetitions": ("door.py", "_judged"),
    "look identities up": ("door.py", "_look_up"),
    "append: messages, headers, the log's client": ("door.py", "_append"),
}
PROJECTION: Mapping[str, tuple[str, str]] = {
    "read the log": ("postgres_reader.py", "batch"),
    "decode: envelope, digest, the type's model": ("apply.py", "read"),
    "admit: identities, facts": ("admission.py", "admit"),
    "rows of the models, and writing them": ("apply.py", "_apply_model"),
    "progress": ("leases.py", "advance"),
}


async def _door(network: Network) -> None:
    registry = RegistryReader(network.pool)
    await registry.refresh()
    identities = Identities(network.pool)
    door = Door(network.log, registry, identities, Metrics.new())
    now = datetime.now(UTC)

    async def work(prefix: str) -> None:
        for province in country.PROVINCES[: EVENTS // 500]:
            body = country.reports(province, range(500), prefix)
            readings = (read(raw, now=now) for raw in events_of(Form.NDJSON, body))
            await door.take(readings, centre=f"poc:{province}")  # type: ignore[arg-type]

    await _profiled("the door", work, DOOR)
    await identities.close()


async def _projection(network: Network) -> None:
    worker = Worker(network.pool, network.log, name="bench", topic=STATUS_TOPIC)
    while await worker.step(wait=0.0):
        pass

    async def work(prefix: str) -> None:
        await append(network, EVENTS, prefix)
        while await worker.step(wait=0.0):
            pass

    await _profiled("the projection", work, PROJECTION)
    await worker.close()


async def _profiled(
    what: str, work: Callable[[str], Awaitable[None]], stages: Mapping[str, tuple[str, str]]
) -> None:
    # Once without the profile, which costs as much as what it looks at.
    used = time.process_time()
    await work("plain")
    plain = time.process_time() - used
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    await work("profiled")
    profile.disable()
    print(
        f"{what}: {EVENTS:,} events, {plain / EVENTS * 1e6:.0f} µs of this process's CPU an event"
    )
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = sum(figures[2] for figures in found.values())
    for stage, (file, function) in stages.items():
        spent = sum(
            figures[3]
            for (name, _, called), figures in found.items()
            if name.endswith(f"/{file}") and called == function
        )
        print(f"    {spent / whole:6.1%}  {stage}")


async def _run() -> None:
    with ExitStack() as opened:
        servers = start_servers(opened)
        async with network_of(servers) as network:
            await _projection(network)
            await _door(network)


if __name__ == "__main__":
    asyncio.run(_run())
