"""Load, fold, decide, append at the versions read; decide again when somebody was faster."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from services.domain.decider import Decider
from services.eventlog.store import Decision, DecisionStore, Guard, NewEvent

_PAUSE_SECONDS = 0.005

type Decide[State] = Callable[[State], list[EventModel]]


class Contended(Exception):
    """Others kept deciding on the same stream until the deadline. Try again: no rule refused."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it: the events appended (none when nothing had to change) and where."""

    events: Sequence[EventModel]
    first_position: int | None


@dataclass(frozen=True, slots=True)
class Judged[State]:
    """A decision to be made, and the versions of the other streams that it is judged by."""

    decide: Decide[State]
    guards: Sequence[Guard]


async def transact[State](
    store: DecisionStore,
    decider: Decider[State],
    id_: str,
    decide: Decide[State],
    *,
    envelope: Callable[[EventModel, int], Envelope],
    deadline_seconds: float = 5.0,
) -> Decided:
    """Decide on one stream. `envelope` names each new event, given its version in the stream.

    Raises:
        Rejected: the rule said no.
        Contended: no version held still until the deadline.
        StoreUnavailable: the store is away.
    """

    async def judge() -> Judged[State]:
        return Judged(decide, ())

    return await transact_guarded(
        store, decider, id_, judge, envelope=envelope, deadline_seconds=deadline_seconds
    )


async def transact_guarded[State](
    store: DecisionStore,
    decider: Decider[State],
    id_: str,
    judge: Callable[[], Awaitable[Judged[State]]],
    *,
    envelope: Callable[[EventModel, int], Envelope],
    deadline_seconds: float = 5.0,
) -> Decided:
    """Decide on one stream by what stands in others, which must not change meanwhile.

    `judge` reads the other streams and is asked again at every attempt: what it returns decides
    by what it read and guards on the versions it read.

    Raises: as `transact`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    stream = decider.stream(id_)
    while True:
        judged = await judge()
        stored = await store.load(stream)
        state = decider.fold(decode(event.envelope.type, event.data) for event in stored)
        events = judged.decide(state)
        if not events:
            return Decided([], None)
        new = [
            NewEvent(envelope(event, len(stored) + nth), event.model_dump_json().encode())
            for nth, event in enumerate(events, 1)
        ]
        appended = await store.append(Decision(stream, len(stored), new, judged.guards))
        if appended.verdict == "appended":
            return Decided(events, appended.first_position)
        # An id that is known means that this was decided before, unless the stream has moved: then
        # somebody faster may have taken a name that is made of the version, so decide again.
        if appended.verdict == "duplicate" and await store.version(stream) == len(stored):
            return Decided([], None)
        if loop.time() > deadline:
            raise Contended(stream)
        await asyncio.sleep(_PAUSE_SECONDS)
