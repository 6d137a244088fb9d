"""Load, fold, decide, append at the versions read; decide again when somebody was faster."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from services.domain.decider import Decider
from services.eventlog.store import Decision, DecisionStore, Guard, NewEvent, StoredEvent

_PAUSE_SECONDS = 0.005

type Decide[State] = Callable[[State], list[EventModel]]


class Contended(Exception):
    """Others kept deciding on the same stream until the deadline. Try again: no rule refused."""


@dataclass(frozen=True, slots=True)
class Decided[State]:
    """What came of it: the events appended (none when nothing had to change), and what is there."""

    events: Sequence[EventModel]
    state: State
    """After them."""
    stream: Sequence[StoredEvent]
    """As it stands with them, oldest first."""
    known: bool = False
    """Nothing was appended because the store has an id of it, from before or of another matter."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be appended, and the versions of the other streams that it is judged by."""

    events: Sequence[EventModel]
    guards: Sequence[Guard] = ()


type Judge[State] = Callable[[State, Sequence[StoredEvent]], Awaitable[Judged]]
"""Given the state and the stream it is folded from, reads the others it is judged by."""


def state_of[State](decider: Decider[State], stored: Iterable[StoredEvent]) -> State:
    """What the events of a stream, oldest first, come to."""
    return decider.fold(decode(event.envelope.type, event.data) for event in stored)


async def transact[State](
    store: DecisionStore,
    decider: Decider[State],
    id_: str,
    decide: Decide[State],
    *,
    envelope: Callable[[EventModel, int], Envelope],
    deadline_seconds: float = 5.0,
) -> Decided[State]:
    """Decide on one stream. `envelope` names each new event, given its version in the stream.

    Raises:
        Rejected: the rule said no.
        Contended: no version held still until the deadline.
        StoreUnavailable: the store is away.
    """

    async def judge(state: State, _: Sequence[StoredEvent]) -> Judged:
        return Judged(decide(state))

    return await transact_guarded(
        store, decider, id_, judge, envelope=envelope, deadline_seconds=deadline_seconds
    )


async def transact_guarded[State](
    store: DecisionStore,
    decider: Decider[State],
    id_: str,
    judge: Judge[State],
    *,
    envelope: Callable[[EventModel, int], Envelope],
    deadline_seconds: float = 5.0,
) -> Decided[State]:
    """Decide on one stream by what stands in others, which must not change meanwhile.

    `judge` is asked again at every attempt: it decides by what it reads then, and what it returns
    guards on the versions it read.

    Raises: as `transact`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    stream = decider.stream(id_)
    while True:
        stored = await store.load(stream)
        state = state_of(decider, stored)
        judged = await judge(state, stored)
        if not judged.events:
            return Decided([], state, stored)
        new = [
            NewEvent(envelope(event, len(stored) + nth), event.model_dump_json().encode())
            for nth, event in enumerate(judged.events, 1)
        ]
        appended = await store.append(Decision(stream, len(stored), new, judged.guards))
        if appended.first_position is not None:
            there = [*stored, *_stored(stream, len(stored), appended.first_position, new)]
            return Decided(judged.events, decider.fold(judged.events, state), there)
        # An id that is known means that this was decided before, unless the stream has moved: then
        # somebody faster may have taken a name that is made of the version, so decide again.
        if appended.verdict == "duplicate" and await store.version(stream) == len(stored):
            return Decided([], state, stored, known=True)
        if loop.time() > deadline:
            raise Contended(stream)
        await asyncio.sleep(_PAUSE_SECONDS)


def _stored(
    stream: str, version: int, first_position: int, new: Sequence[NewEvent]
) -> Iterator[StoredEvent]:
    """New events as they stand in the store, behind this version."""
    for nth, event in enumerate(new):
        place = first_position + nth, stream, version + nth + 1
        yield StoredEvent(*place, event.envelope, event.data)
