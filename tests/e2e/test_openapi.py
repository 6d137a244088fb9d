"""What the OpenAPI says is so, for whoever asks: schemathesis with every check on.

Refusals that the document names are no failures; anything else is.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.country import DEPUTY
from tests.e2e.system import System

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = "2547"
NOBODY = "nobody"
WHO = (
    NOBODY,
    "pm",
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
LONGEST_SECONDS = 200

pytestmark = pytest.mark.parametrize("log_url", ["postgres"], indirect=True)


async def failures(system: System, who: str, folder: Path, *options: str) -> str:
    """What schemathesis has to say when it found something; empty when it did not."""
    token = [] if who == NOBODY else ["-H", f"Authorization: Bearer {system.token(who)}"]
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS, "--config-file", CONFIG, "run", f"{system.address}/openapi.json", *token,
        "--checks", "all", "--seed", SEED, "--generation-database", "none", "--no-color",
        "--no-shrink", "--continue-on-failure", *options,
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
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


@pytest.mark.parametrize("who", WHO)
async def test_the_openapi_holds_for_everybody(system: System, who: str, tmp_path: Path) -> None:
    phases = "examples,fuzzing,stateful"
    found = await failures(system, who, tmp_path, "--phases", phases, "--max-examples", "2")
    assert found == ""


async def test_the_openapi_holds_at_every_edge(system: System, tmp_path: Path) -> None:
    # A centre can read and write: nobody meets more of the document.
    found = await failures(system, "poc:TH-83", tmp_path, "--max-examples", "4")
    assert found == ""
