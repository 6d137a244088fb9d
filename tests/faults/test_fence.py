"""A worker that slept past its lease wakes up in the middle of a commit: it affects no row."""

import asyncio
import random
import signal
from functools import partial

import asyncpg
import pytest

from tests.faults.gate import open_gate
from tests.faults.judgement import judge
from tests.faults.load import Centre, Load
from tests.faults.processes import PATIENCE_SECONDS, Supervised, until
from tests.faults.system import System, open_system

DOORS = ("ingest", "timers", "relay", "api")


async def owners(system: System) -> set[str | None]:
    """Who owns the slots of the log, as far as their leases have not run out."""
    connection = await asyncpg.connect(system.dsn)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT CASE WHEN leased_until > clock_timestamp() THEN owner END AS owner "
            "FROM projections.progress"
        )
    finally:
        await connection.close()
    return {row["owner"] for row in rows}


async def owns_all(system: System, worker: Supervised) -> bool:
    """Whether this worker owns every slot."""
    if worker.process is None:
        return False
    name = f":{worker.process.pid}"
    return all(owner is not None and owner.endswith(name) for owner in await owners(system))


async def test_a_worker_that_slept_past_its_lease_affects_no_row(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("fence")
    async with open_system("postgres", directory, kinds=["projections"]) as system:
        # The one whose commit will be held back; the other made the read models' tables.
        first = system.processes[0]
        place = directory / "gate"
        place.mkdir()
        async with open_gate(place, system.database.socket_directory) as gate:
            sleeper = system.run("projections", database_url=gate.database_url)
            for kind in DOORS:
                system.run(kind)
            await first.stop()
            system.processes.remove(first)
            await until(system.is_ready, what="every process is ready")
            load = Load(system, seed=3)
            await load.open_shared_incident()
            await until(partial(owns_all, system, sleeper), what="the worker owns every slot")
            centre = Centre("poc:TH-83", "TH-83", random.Random(3))
            gate.arm()
            await load.say(centre, centre.request())
            async with asyncio.timeout(PATIENCE_SECONDS):
                await gate.holds.wait()
            sleeper.signal(signal.SIGSTOP)
            heir = system.run("projections")

            await until(partial(owns_all, system, heir), what="another worker took over")
            await load.say(centre, centre.request())
            sleeper.signal(signal.SIGCONT)
            gate.open()

            async def was_fenced() -> bool:
                return "Fenced(" in sleeper.output.read_text()

            await until(was_fenced, what="the commit of the one that slept was refused")
            await load.say(centre, centre.request())
            await judge(load)
            # Before its gate closes.
            await sleeper.stop()
