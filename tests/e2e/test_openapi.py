"""What the OpenAPI says is so, for whoever asks: schemathesis with every check on.

Refusals that the document names are no failures; anything else is.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.country import DEPUTY
from tests.e2e.hooks import OTHERS
from tests.e2e.system import System

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = "2547"
NOBODY = "nobody"
WHO = (
    "pm",
    NOBODY,
    f"deputy:{DEPUTY}",
    f"secretariat:{DEPUTY}",
    "inspector:somebody",
    "screening",
    "committee",
    "cabinet",
    "interior",
    "opdc",
    "budget",
    "governor:TH-83",
    "moc:moi",
    "doc:moi.ddpm",
    "analyst",
    "operator",
)
QUICK = ("--phases", "examples,fuzzing", "--max-examples", "1")
AT_ONCE = "4"
"""Threads of one process that ask: while one waits for the network, another makes up the next."""

LONGEST_SECONDS = 600
"""Where others load the machine: a hang must end too."""

pytestmark = pytest.mark.parametrize("log_url", ["postgres"], indirect=True)


async def failures(
    system: System, who: str, folder: Path, *options: str, others: Sequence[str] = ()
) -> str:
    """What schemathesis has to say when it found something; empty when it did not."""
    tokens = {one: None if one == NOBODY else system.token(one) for one in others}
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS, "--config-file", CONFIG, "run", f"{system.address}/openapi.json",
        "-H", f"Authorization: Bearer {system.token(who)}", "--workers", AT_ONCE,
        "--checks", "all", "--seed", SEED, "--generation-database", "none", "--no-color",
        "--no-shrink", "--continue-on-failure", *options,
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), OTHERS: json.dumps(tokens)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode(errors="replace") if process.returncode else ""


async def test_the_openapi_holds_for_everybody(system: System, tmp_path: Path) -> None:
    found = await failures(system, WHO[0], tmp_path, *QUICK, others=WHO[1:])
    assert not found, found


async def test_the_openapi_holds_at_every_edge(system: System, tmp_path: Path) -> None:
    # A centre can read and write: nobody meets more of the document.
    found = await failures(system, "poc:TH-83", tmp_path, "--max-examples", "1")
    assert not found, found
