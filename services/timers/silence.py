"""The timer of silence: which centres missed their interval, and which are back.

Acts on the last tick whose facts the read models have applied, never on the wall clock: what a tick
does not cover, or what is not applied yet, is not known to be missing. Silences that began and
ended since it last looked are found tick by tick, so what is stated does not depend on when a timer
ran. A handful of statements a scan, however many centres there are.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid5

import asyncpg
import structlog

from schemas.envelope import Envelope
from schemas.events import EventModel
from services.domain import silence
from services.eventlog.store import DecisionStore
from services.eventlog.ticks import Tick
from services.eventlog.transact import transact
from services.timers.hearing import (
    Armed,
    applied_tick,
    ended_by,
    expected_at,
    looked_back,
    missed_at,
    returned_at,
    step_after,
)
from services.timers.stating import AT_ONCE, NOT_THERE_YET, POLL_SECONDS, SOURCE, all_of

_NAMES = UUID("9b0c7a52-5e0f-5d0e-8a44-1f4f0a6f5d3e")

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan came to: the tick it looked at, what it stated."""

    tick: int
    silent: int
    heard: int


class SilenceTimer:
    """Raises silences and returns. Any number may run: each change is stated once."""

    def __init__(self, pool: asyncpg.Pool, store: DecisionStore) -> None:
        self._pool = pool
        self._store = store
        self._scanned = 0
        self._judged: Tick | None = None
        """Up to here every silence that ended is stated; None until this timer has looked back."""

    async def run(self) -> None:
        """Scan for ever.

        Raises:
            StoreUnavailable, Contended, or what asyncpg raises: nothing is lost, run again.
        """
        while True:
            await self.scan()
            await asyncio.sleep(POLL_SECONDS)

    async def scan(self) -> Scan | None:
        """Look at the last applied tick; None when there is none that is new."""
        try:
            tick = await applied_tick(self._pool)
            if tick is None or tick.number == self._scanned:
                return None
            made = await self._judge(tick)
        except NOT_THERE_YET:
            # The projections have not made their tables yet: nobody can be registered.
            return None
        # Only now: a scan that was cut off is done again.
        self._scanned = tick.number
        return Scan(
            tick.number,
            silent=sum(event.type == "centre.silent.v1" for event in made),
            heard=sum(event.type == "centre.heard.v1" for event in made),
        )

    async def _judge(self, tick: Tick) -> list[EventModel]:
        """All that happened up to this tick is stated, each centre's changes in their order."""
        expected = await expected_at(self._pool, tick)
        if expected is None:
            return []
        made = await self._state(await returned_at(self._pool, tick, expected))
        judged = self._judged or await looked_back(self._pool, tick, expected)
        while judged.number < tick.number:
            step = await step_after(self._pool, judged, tick, expected)
            is_last = step.number == tick.number
            there = expected if is_last else await expected_at(self._pool, step)
            if there is not None:
                made += await self._state(await ended_by(self._pool, judged, step, there))
            self._judged = judged = step
        return made + await self._state(await missed_at(self._pool, tick, expected))

    async def _state(self, due: Sequence[Armed]) -> list[EventModel]:
        made: list[EventModel] = []
        places = asyncio.Semaphore(AT_ONCE)
        by_centre: dict[str, list[Armed]] = {}
        for armed in due:
            by_centre.setdefault(armed.centre, []).append(armed)

        async def in_order(changes: Sequence[Armed]) -> None:
            async with places:
                for armed in changes:
                    made.extend(await self._decide(armed))

        await all_of(in_order(changes) for changes in by_centre.values())
        return made

    async def _decide(self, armed: Armed) -> Sequence[EventModel]:
        decided = await transact(
            self._store,
            silence.DECIDER,
            armed.centre,
            armed.decide,
            envelope=partial(_envelope, armed),
        )
        for event in decided.events:
            logger.info("silence", centre=armed.centre, type=event.type, armed_by=armed.by)
        return decided.events


def _envelope(armed: Armed, event: EventModel, _version: int) -> Envelope:
    return Envelope(
        id=str(uuid5(_NAMES, f"{armed.centre}/{armed.by}")),
        source=SOURCE,
        type=event.type,
        time=armed.time,
        subject=f"centres/{armed.centre}",
    )
