"""kill -9 of everything, at seeded random moments, under load: nothing is lost or counted twice."""

import asyncio
import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.faults.judgement import complaints, judge
from tests.faults.load import ENOUGH, Load
from tests.faults.processes import until
from tests.faults.system import LogHome, System, open_system

LEAST_KILLS = 20
LEAST_JUDGED = 10
_PATIENCE_SECONDS = 150
_BETWEEN_SECONDS = 0.4


def victims_in(home: LogHome) -> list[str]:
    """Everything that the network of a home consists of."""
    victims = ["ingest", "projections", "timers", "relay", "api", "postgres"]
    return victims if home == "postgres" else [*victims, "broker"]


def schedule(
    victims: Sequence[str], dice: random.Random, rounds: int, *, least: int = 0
) -> list[list[str]]:
    """Who is killed, round by round: each so often, and at least so many in all."""
    kills = [dice.sample(victims, len(victims)) for _ in range(rounds)]
    return [*kills, dice.sample(victims, max(0, least - rounds * len(victims)))]


@dataclass
class Storm:
    """Kills one after the other, while those before are still coming back."""

    system: System
    dice: random.Random
    busy: Mapping[str, Callable[[], Awaitable[object]]]
    """Of whom it hurts most then: waits until something is under way there."""
    kills: Counter[str] = field(default_factory=Counter)
    _returning: asyncio.Task[None] | None = None

    async def run(self, rounds: Sequence[Sequence[str]]) -> None:
        """All of them were killed, and the servers among them serve again."""
        for victims in rounds:
            left = list(victims)
            while left:
                # Part of the dice, not of a condition: the moment is random.
                await asyncio.sleep(self.dice.uniform(0, _BETWEEN_SECONDS))
                victim = await self._first_back(left)
                left.remove(victim)
                await self._kill(victim)
                self.kills[victim] += 1
        await self._end_of_last()

    async def _first_back(self, victims: Sequence[str]) -> str:
        """The first of them that is there, or came back from the last time."""
        found: list[str] = []

        async def is_back() -> bool:
            for victim in victims:
                if await self._is_back(victim):
                    found.append(victim)
                    return True
            return False

        await until(is_back, what=f"one of {victims} is back")
        return found[0]

    async def _is_back(self, victim: str) -> bool:
        if victim in ("postgres", "broker"):
            return self._returning is None or self._returning.done()
        return all([await process.answers() for process in self.system.named(victim)])

    async def _kill(self, victim: str) -> None:
        match victim:
            case "postgres":
                await self._end_of_last()
                self._returning = asyncio.create_task(self.system.kill_postgres())
            case "broker":
                await self._end_of_last()
                number = await self._leader()
                await self._is_busy(victim)
                self._returning = asyncio.create_task(self.system.kill_broker(number))
            case _:
                process = self.dice.choice(self.system.named(victim))
                await self._is_busy(victim)
                await process.kill()

    async def _end_of_last(self) -> None:
        """The server that was killed last serves again, or its failure is raised."""
        if self._returning is not None:
            await self._returning

    async def _is_busy(self, victim: str) -> None:
        """Something has just begun there, and has not ended yet."""
        if victim in self.busy:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.busy[victim]()
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


async def weather(home: LogHome, seed: int, rounds: int, directory: Path) -> None:
    """Everything was killed so often under load, and the oracle holds."""
    dice = random.Random(seed)
    scheduled = schedule(victims_in(home), dice, rounds, least=LEAST_KILLS)
    async with open_system(home, directory) as system:
        load = Load(system, seed)
        await load.open_shared_incident()
        # A large request has just been sent, and nobody answered it yet.
        busy = dict.fromkeys(("ingest", "broker"), load.large_begins.wait)
        storm = Storm(system, dice, busy)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await storm.run(scheduled)
            # A storm that did nothing would prove nothing; and what was killed last must serve
            # again by itself while the load still goes on.
            await until(load.is_enough, what=f"so much has happened: {ENOUGH}")
            load.stopping.set()
        counted = await judge(load)
        told = complaints(system)
    sys.stdout.write(f"seed {seed}, {home}: {dict(storm.kills)}; {counted}; ended: {told}\n")
    assert storm.kills == Counter(itertools.chain(*scheduled))
    assert storm.kills.total() >= LEAST_KILLS
    assert min(storm.kills.values()) >= rounds
    assert counted.judged_reads >= LEAST_JUDGED, counted
