"""Deciding: again when somebody was faster, by what the guards say now, never twice the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.record import NetworkOpened
from services.domain.decider import Decider
from services.domain.rejected import Rejected
from services.eventlog.store import DecisionStore, Guard, StoredEvent
from services.eventlog.transact import Contended, Decided, Judged, transact, transact_guarded
from tests.database import Database
from tests.eventlog.stories import MOMENT, decision, envelope

OPENED = NetworkOpened(opened_at=MOMENT)


@dataclass(frozen=True)
class Openings:
    """How often it was opened."""

    times: int = 0


def evolve(state: Openings, event: EventModel) -> Openings:
    assert isinstance(event, NetworkOpened)
    return Openings(state.times + 1)


DECIDER = Decider("opening", Openings(), evolve)


class Full(Rejected):
    """No more openings."""


def open_until(limit: int, state: Openings) -> list[EventModel]:
    if state.times >= limit:
        raise Full
    return [OPENED]


def named(stream: str, event: EventModel, version: int) -> Envelope:
    return envelope(f"{stream}-{version}", type_=event.type)


@pytest_asyncio.fixture
async def store(database: Database) -> AsyncIterator[DecisionStore]:
    async with database.pool("kamkap_api") as pool:
        store = DecisionStore(pool)
        yield store
        await store.close()


async def test_a_decision_is_appended_at_the_end_of_its_stream(store: DecisionStore) -> None:
    once = partial(
        transact, store, DECIDER, "a", partial(open_until, 9), envelope=partial(named, "a")
    )
    for times in (1, 2):
        decided = await once()
        assert (decided.events, decided.state) == ([OPENED], Openings(times))
        assert decided.stream == await store.load("opening/a")
        assert [event.version for event in decided.stream] == list(range(1, times + 1))


async def test_nothing_to_change_writes_nothing(store: DecisionStore) -> None:
    decided = await transact(store, DECIDER, "a", lambda _: [], envelope=partial(named, "a"))
    assert decided == Decided([], DECIDER.initial, [])
    assert await store.next_position() == 0


async def test_an_event_that_is_there_already_is_not_decided_again(store: DecisionStore) -> None:
    def the_same(event: EventModel, _version: int) -> Envelope:
        return envelope("one-id", type_=event.type)

    decide = partial(open_until, 9)
    first = await transact(store, DECIDER, "a", decide, envelope=the_same)
    again = await transact(store, DECIDER, "a", decide, envelope=the_same)
    assert (first.events, first.known) == ([OPENED], False)
    assert again == Decided([], first.state, first.stream, known=True)


async def test_among_contenders_an_invariant_holds(store: DecisionStore) -> None:
    results = await asyncio.gather(
        *(
            transact(store, DECIDER, "a", partial(open_until, 7), envelope=partial(named, "a"))
            for _ in range(15)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Full) for result in results) == 8
    assert len(await store.load("opening/a")) == 7


async def test_a_guard_that_moved_is_judged_again(store: DecisionStore) -> None:
    judged_by: list[int] = []

    async def judge(state: Openings, _: Sequence[StoredEvent]) -> Judged:
        version = await store.version("orders/all")
        judged_by.append(version)
        if version == 0:
            # Somebody issues an order right after we looked.
            await store.append(decision("orders/all", 0, "order"))
        return Judged(open_until(9, state), (Guard("orders/all", version),))

    decided = await transact_guarded(store, DECIDER, "a", judge, envelope=partial(named, "a"))
    assert judged_by == [0, 1]
    assert decided.stream[-1].position == 1


async def test_contention_to_the_deadline_is_no_refusal_by_rule(store: DecisionStore) -> None:
    async def judge(state: Openings, _: Sequence[StoredEvent]) -> Judged:
        return Judged(open_until(9, state), (Guard("orders/all", 5),))

    with pytest.raises(Contended, match="opening/a"):
        await transact_guarded(
            store, DECIDER, "a", judge, envelope=partial(named, "a"), deadline_seconds=0.05
        )
