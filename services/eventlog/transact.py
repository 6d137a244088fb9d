"""Load, fold, decide, append at the versions read; decide again when somebody was faster."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from services.domain.decider import Decider
from services.eventlog.store import Decision, DecisionStore, Guard, NewEvent

_PAUSE_SECONDS = 0.005


class Contended(Exception):
    """Others kept deciding on the same stream until the deadline. Try again: no rule refused."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it: the events appended (none when nothing had to change) and where."""

    events: Sequence[EventModel]
    first_position: int | None


async def transact[State](
    store: DecisionStore,
    decider: Decider[State],
    id_: str,
    decide: Callable[[State], list[EventModel]],
    *,
    envelope: Callable[[EventModel, int], Envelope],
    guards: Sequence[Guard] = (),
    deadline_seconds: float = 5.0,
) -> Decided:
    """Decide on one stream. `envelope` names each new event, given its version in the stream.

    Raises:
        Rejected: the rule said no.
        Contended: no version held still until the deadline.
        StoreUnavailable: the store is away.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    stream = decider.stream(id_)
    while True:
        stored = await store.load(stream)
        state = decider.fold(decode(event.envelope.type, event.data) for event in stored)
        events = decide(state)
        if not events:
            return Decided([], None)
        new = [
            NewEvent(envelope(event, len(stored) + nth), event.model_dump_json().encode())
            for nth, event in enumerate(events, 1)
        ]
        appended = await store.append(Decision(stream, len(stored), new, guards))
        if appended.verdict == "appended":
            return Decided(events, appended.first_position)
        if appended.verdict == "duplicate":
            return Decided([], None)
        if loop.time() > deadline:
            raise Contended(stream)
        await asyncio.sleep(_PAUSE_SECONDS)
