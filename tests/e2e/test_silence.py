"""A centre that misses its interval, on the network's own clock."""

import asyncio
from itertools import pairwise

from services.domain import silence
from tests.e2e.country import QUIET, event
from tests.e2e.system import System


async def silent_since(system: System) -> str | None:
    """Since when the centre is silent, as the Prime Minister reads it."""
    found: str | None = (await system.ask(f"/v1/centres/{QUIET}"))["silent_since"]
    return found


async def until(system: System, *, silent: bool) -> None:
    """It is so; meanwhile others are heard, so that ticks go on."""
    async with asyncio.timeout(60):
        while (await silent_since(system) is not None) is not silent:
            await system.tell(event("heartbeat.sent.v1", {}))
            await asyncio.sleep(0.2)


async def test_silence_is_raised_once_and_cleared_once(system: System) -> None:
    heartbeat = event("heartbeat.sent.v1", {}, source="/centres/other/quiet")
    stated = await system.tell(heartbeat, speaker=QUIET)
    await system.ask("/v1/centres", after=stated["position"])
    # It may have been silent since the country was imported; that silence ends first.
    await until(system, silent=False)
    await until(system, silent=True)
    before = await stated_silences(system)
    assert before[-1] == "centre.silent.v1"

    await system.tell({**heartbeat, "id": "back"}, speaker=QUIET)
    await until(system, silent=False)
    await until(system, silent=True)
    after = await stated_silences(system)
    # Each change is one decision: never the same twice in a row.
    assert after[len(before) :][:2] == ["centre.heard.v1", "centre.silent.v1"]
    assert all(one != following for one, following in pairwise(after))


async def stated_silences(system: System) -> list[str]:
    """What the timers decided of the centre, in order."""
    stored = await system.operator.store.load(silence.DECIDER.stream(QUIET))
    return [event.envelope.type for event in stored]
