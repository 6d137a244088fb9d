"""`python -m bench [names…] [--quick]`: measures groups of rows, prints them, writes their JSON.

A group that fails or takes too long is said to have failed, and the next one begins. What other
groups measured before stays in the file.
"""

import argparse
import asyncio
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop

from bench import (
    appends,
    freshness,
    ingest,
    issues,
    latest,
    million,
    past,
    projection,
    reads,
    reshuffle,
    signed,
    single,
    streams,
    webhooks,
)
from bench.latest import Result
from bench.measuring import Row
from bench.network import Servers, start_servers
from bench.size import FULL, QUICK, Size
from services.operation import logs


@dataclass(frozen=True)
class Group:
    """Rows that are measured together, and how many minutes they may take at most."""

    rows: Callable[[Servers, Size], AsyncIterator[Row]]
    minutes: float


GROUPS: Mapping[str, Group] = {
    "ingest": Group(ingest.rows, 6),
    "ingest-kafka": Group(ingest.rows_in_kafka, 8),
    "single": Group(single.rows, 5),
    "signed": Group(signed.rows, 8),
    "appends": Group(appends.rows, 8),
    "projection": Group(projection.rows, 8),
    "projection-two": Group(projection.by_two, 5),
    "streams": Group(streams.rows, 6),
    "freshness": Group(freshness.rows, 4),
    "issues": Group(issues.rows, 6),
    "webhooks": Group(webhooks.rows, 6),
    "reads": Group(reads.rows, 8),
    "past": Group(past.rows, 30),
    "reshuffle": Group(reshuffle.rows, 4),
    "growth": Group(reads.growth, 20),
    "bodies": Group(million.bodies, 6),
    "million": Group(million.rows, 45),
}


def main() -> None:
    """Measure the groups that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="small sizes: proves that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - set(GROUPS):
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    logs.configure("error")
    with ExitStack() as opened:
        # In this very thread: the server dies with the thread that started it.
        servers = start_servers(opened)
        run = _run(servers, options.names or list(GROUPS), "quick" if options.quick else "full")
        failed = asyncio.run(run, loop_factory=uvloop.new_event_loop)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


async def _run(servers: Servers, names: Sequence[str], size: str) -> list[str]:
    """The groups that failed."""
    # Stopped from outside, the bench still stops its servers and processes.
    if (measuring := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    print(f"{_now()} · {_machine()} · {size}", flush=True)
    return [name for name in names if not await _measured(servers, name, size)]


async def _measured(servers: Servers, name: str, size: str) -> bool:
    """Whether every row of the group was measured."""
    group, began = GROUPS[name], time.monotonic()
    latest.begin(name)

    def add(row: Row | None, trouble: str = "") -> None:
        took = round(time.monotonic() - began, 1)
        latest.add(Result(name, _now(), _machine(), size, took, row, trouble))

    try:
        async with asyncio.timeout(group.minutes * 60):
            async for row in group.rows(servers, QUICK if size == "quick" else FULL):
                print(row.line(), flush=True)
                add(row)
    except Exception as trouble:  # noqa: BLE001 -- the rows behind it are measured all the same
        traceback.print_exc()
        add(None, repr(trouble))
        return False
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return True


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.platform()}, Python {sys.version[:7]}"
    )


if __name__ == "__main__":
    main()
