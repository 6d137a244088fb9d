"""The floor of the door, a process of its own: reads NDJSON as the door does and appends, no HTTP.

`python -m bench.direct` reads a plan from stdin, with the network's settings in its environment,
and says how many seconds it took.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import uvloop

from bench.network import Network
from bench.sending import Plan, requests_of
from schemas.envelope import STATUS_TOPIC
from schemas.slots import slot_of
from services.eventlog.homes import open_log
from services.eventlog.log import Log, Message
from services.ingest.batch import events_of
from services.ingest.content import Form
from services.ingest.door import message_of
from services.ingest.reading import Stated, read
from services.operation.process import spare_collector
from services.operation.settings import Settings


async def direct(network: Network, plan: Plan) -> float:
    """The seconds that the plan's bodies take in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.direct",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=network.environment(),
    )
    said, _ = await process.communicate(msgspec.json.encode(plan))
    return float(said)


async def _measure(settings: Settings, plan: Plan) -> float:
    bodies = [request.split(b"\r\n\r\n", 1)[1] for _, request in requests_of(plan)]
    async with asyncpg.create_pool(settings.dsn("kamkap_ingest"), min_size=0, max_size=8) as pool:
        log = open_log(settings.log_url, pool)
        await log.ends(STATUS_TOPIC)
        spare_collector()
        queue = iter(bodies)
        began = time.perf_counter()
        await asyncio.gather(*(_take(log, queue) for _ in range(plan.connections)))
        took = time.perf_counter() - began
        await log.close()
    return took


async def _take(log: Log, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        now = datetime.now(UTC)
        batches: dict[int, list[Message]] = {}
        for raw in events_of(Form.NDJSON, body):
            stated = read(raw, now=now)
            assert isinstance(stated, Stated)
            batches.setdefault(slot_of(stated.envelope.source), []).append(message_of(stated))
        await log.append(STATUS_TOPIC, batches, timeout=30)


if __name__ == "__main__":
    print(
        asyncio.run(
            _measure(
                Settings.from_environment(os.environ),
                msgspec.json.decode(sys.stdin.read(), type=Plan),
            ),
            loop_factory=uvloop.new_event_loop,
        )
    )
