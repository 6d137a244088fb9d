"""`python -m bench [names…] [--quick]`: runs rows, prints them, and writes their JSON."""

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench import appends, freshness, ingest, million, projection, reads, single
from bench.measuring import Row
from bench.network import Servers, start_servers
from bench.size import FULL, QUICK, Size
from services.operation import logs

RESULTS = Path(__file__).parent / "results" / "latest.json"
ROWS: Mapping[str, Callable[[Servers, Size], AsyncIterator[Row]]] = {
    "ingest": ingest.rows,
    "single": single.rows,
    "appends": appends.rows,
    "projection": projection.rows,
    "freshness": freshness.rows,
    "reads": reads.rows,
    "million": million.rows,
}


def main() -> None:
    """Run the rows that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="small sizes: proves that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ROWS):
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    logs.configure("error")
    size = QUICK if options.quick else FULL
    with ExitStack() as opened:
        # In this very thread: the server dies with the thread that started it.
        servers = start_servers(opened)
        asyncio.run(
            _run(servers, size, options.names or list(ROWS)), loop_factory=uvloop.new_event_loop
        )


async def _run(servers: Servers, size: Size, names: Sequence[str]) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {platform.platform()} · {sys.version[:7]}")
    found: list[Row] = []
    for name in names:
        async for row in ROWS[name](servers, size):
            print(row.line(), flush=True)
            found.append(row)
            _write(found)


def _write(found: Sequence[Row]) -> None:
    """After every row, so that a run cut short leaves what it measured."""
    RESULTS.parent.mkdir(exist_ok=True)
    shown = [row.shown() for row in found]
    RESULTS.write_text(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
