"""kill -9 of everything, at seeded random moments, while directives are under way.

A file of its own: workers of the suite share files, and a storm is long.
"""

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import asyncpg
import pytest

from tests.faults.directive_judgement import judge
from tests.faults.judgement import complaints, is_applied
from tests.faults.offices import ENOUGH, Offices, deputies
from tests.faults.processes import until
from tests.faults.storm import Storm, schedule
from tests.faults.subscribers import Subscriber, moods, open_subscribers
from tests.faults.system import open_system

KINDS = ("projections", "timers", "relay", "api", "dispatcher")
VICTIMS = (*KINDS, "postgres")
TOLD_BADLY = {"late": 2, "failing": 2}
_BUSY_SECONDS = 2.0


async def test_after_a_storm_of_kills_every_directive_is_told_and_answered_once(
    seed: int, rounds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice = random.Random(seed)
    # One round less than of events: a message whose sender is killed waits half a minute.
    scheduled = schedule(VICTIMS, dice, rounds - 1)
    directory = tmp_path_factory.mktemp("storm")
    async with (
        open_subscribers(seed) as subscribers,
        open_system("postgres", directory, kinds=KINDS) as system,
    ):
        offices = Offices(system, seed)
        await _appoint(offices, subscribers)
        storm = Storm(system, dice, _busy(offices, subscribers))
        is_enough = partial(_is_enough, offices, subscribers)
        async with asyncio.TaskGroup() as group:
            group.create_task(offices.run())
            await storm.run(scheduled)
            await until(is_enough, what=f"so much has happened: {ENOUGH}, {TOLD_BADLY}")
            offices.stopping.set()
        counted = await judge(offices, subscribers)
        told = complaints(system)
    sys.stdout.write(f"seed {seed}: {dict(storm.kills)}; {counted}; ended: {told}\n")
    assert storm.kills == Counter(itertools.chain(*scheduled))


async def _is_enough(offices: Offices, subscribers: Sequence[Subscriber]) -> bool:
    """So much happened that it can be judged, and receivers took issues in late or not at all."""
    told = moods(subscribers)
    return all(told[mood] >= least for mood, least in TOLD_BADLY.items()) and (
        await offices.is_enough()
    )


def _busy(
    offices: Offices, subscribers: Sequence[Subscriber]
) -> dict[str, Callable[[], Awaitable[object]]]:
    """When it hurts most: as a decision is sent, a message came, something falls due."""
    return {
        "api": offices.sends.wait,
        "dispatcher": _soon(subscribers[0].came),
        "timers": _soon(offices.falls_due),
    }


def _soon(event: asyncio.Event) -> Callable[[], Awaitable[object]]:
    """Waits for the event, and not for long: nothing comes while the read models have no owner."""

    async def wait() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_BUSY_SECONDS):
                await event.wait()

    return wait


async def _appoint(offices: Offices, subscribers: Sequence[Subscriber]) -> None:
    """The deputy holds every province, directives have their clocks, and everybody knows it."""
    system = offices.system
    await system.decide("orders/pm", *deputies())
    await offices.set_clocks()
    connection = await asyncpg.connect(system.dsn)
    try:
        await until(lambda: is_applied(system, connection), what="the registry is known")
    finally:
        await connection.close()
    for one in subscribers:
        await one.subscribe(offices)
