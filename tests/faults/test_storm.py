"""kill -9 of everything, at seeded random moments, under load: nothing is lost or counted twice."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import get_args

import asyncpg
import pytest

from tests.faults.judgement import complaints, judge
from tests.faults.load import ENOUGH_READS, Load
from tests.faults.processes import until
from tests.faults.system import LogHome, System, open_system

LEAST_KILLS = 20
LEAST = {
    "requests": 60,
    "duplicates": 30,
    "contradictions": 5,
    "decisions": 10,
    "silences": 2,
    "reads": ENOUGH_READS,
    "judged_reads": 10,
}
"""How much must have happened, or the storm proves nothing: a third of what a slow machine does."""

_PATIENCE_SECONDS = 150
_BETWEEN_SECONDS = 0.4


def schedule(home: LogHome, dice: random.Random, rounds: int) -> list[str]:
    """Who is killed, in which order: each so often, and twenty in all."""
    victims = ["ingest", "projections", "timers", "relay", "api", "postgres"]
    if home != "postgres":
        victims.append("broker")
    # Round by round: who was killed has some time to come back before it is killed again.
    kills = [victim for _ in range(rounds) for victim in dice.sample(victims, len(victims))]
    return kills + dice.sample(victims, max(0, LEAST_KILLS - len(kills)))


@dataclass
class Storm:
    """Kills one after the other, while the one before is still coming back."""

    system: System
    load: Load
    dice: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    _returning: asyncio.Task[None] | None = None

    async def run(self, victims: Sequence[str]) -> None:
        """All of them were killed, and the servers among them serve again."""
        for victim in victims:
            # Part of the dice, not of a condition: the moment is random.
            await asyncio.sleep(self.dice.uniform(0, _BETWEEN_SECONDS))
            await self._kill(victim)
            sys.stdout.write(f"{asyncio.get_running_loop().time():.1f} {victim} killed\n")
            self.kills[victim] += 1
        await self._returned()

    async def _kill(self, victim: str) -> None:
        if victim in ("postgres", "broker"):
            await self._returned()
        match victim:
            case "postgres":
                self._returning = asyncio.create_task(self.system.kill_postgres())
            case "broker":
                number = await self._leader()
                await self._busy()
                self._returning = asyncio.create_task(self.system.kill_broker(number))
            case _:
                process = self.dice.choice(self.system.named(victim))
                await until(process.answers, what=f"{process.name} answers")
                if victim == "ingest":
                    await self._busy()
                await process.kill()

    async def _returned(self) -> None:
        """The server that was killed last serves again."""
        if self._returning is not None:
            await self._returning

    async def _busy(self) -> None:
        """A large request has just been sent, and nobody answered it yet."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self.load.large_begins.wait()
        await asyncio.sleep(self.dice.uniform(0, 0.02))

    async def _leader(self) -> int:
        """The broker that leads a partition with events: of three, the one that hurts."""
        cluster = self.system.cluster
        assert cluster is not None
        busy = await busiest_partition(self.system)
        described = await asyncio.create_subprocess_exec(
            *("kcat", "-L", "-J", "-b", cluster.bootstrap, "-t", "status"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await described.communicate()
        partitions = json.loads(output)["topics"][0]["partitions"]
        leader: int = partitions[busy]["leader"]
        return leader


async def busiest_partition(system: System) -> int:
    """The partition with the most events, as far as they are applied."""
    connection = await asyncpg.connect(system.dsn)
    try:
        slot: int = await connection.fetchval(
            "SELECT slot FROM projections.progress WHERE slot < 64 "
            "ORDER BY next_position DESC LIMIT 1"
        )
    finally:
        await connection.close()
    return slot


@pytest.mark.parametrize("home", get_args(LogHome.__value__))
async def test_after_a_storm_of_kills_everything_acknowledged_counts_once(
    home: LogHome, seed: int, rounds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice = random.Random(seed)
    victims = schedule(home, dice, rounds)
    began = asyncio.get_running_loop().time()
    async with open_system(home, tmp_path_factory.mktemp("storm")) as system:
        load = Load(system, seed)
        await load.open_shared_incident()
        storm = Storm(system, load, dice)
        sys.stdout.write(f"{home}: ready after {asyncio.get_running_loop().time() - began:.0f} s\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await storm.run(victims)
            # The gateway answers again by itself, while the load still goes on.
            await until(load.has_read_enough, what=f"reads are answered: {load.unanswered}")
            load.stopping.set()
        counted = await judge(load)
        told = complaints(system)
    sys.stdout.write(f"seed {seed}, {home}: {dict(storm.kills)}; {counted}; ended: {told}\n")
    assert storm.kills.total() >= LEAST_KILLS
    assert {victim: storm.kills[victim] for victim in set(victims)} == Counter(victims)
    assert min(storm.kills.values()) >= rounds
    too_few = {name: least for name, least in LEAST.items() if asdict(counted)[name] < least}
    assert not too_few, counted
