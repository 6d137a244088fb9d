"""A decision under the orders: what is committed between the look and the append always wins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.order import Assignment, Clause, OrderIssued, Reservation
from schemas.events.record import NetworkOpened
from services.domain.authority import grounds
from services.domain.chain import Chain
from services.domain.decider import Decider
from services.domain.grounds import MatterReserved, OutsideMatrix, Subject
from services.domain.matrix import matrix_at
from services.domain.powers import Act
from services.domain.registry import day_of
from services.domain.rejected import Rejected
from services.eventlog.authority import STREAM, Orders, OrdersReader
from services.eventlog.store import Appended, Decision, DecisionStore, NewEvent, StoredEvent
from services.eventlog.transact import Decided, Judged, transact_guarded
from services.identity.identity import Identity
from tests.database import Database
from tests.eventlog.stories import MOMENT, envelope

BEGIN = datetime(2024, 10, 1, tzinfo=UTC)
DEPUTY = Identity("deputy", "a")
FLOOD = Subject(provinces=("TH-83",), matter="incidents/flood")

RESERVES = Reservation(subject="incidents/flood")
TO_ANOTHER = Assignment(dimension="area", target="TH-83", deputy="b", power="area")
LOSES: list[tuple[Clause, type[Rejected]]] = [
    (RESERVES, MatterReserved),
    (TO_ANOTHER, OutsideMatrix),
]


@dataclass(frozen=True)
class Directives:
    """How many were given."""

    given: int = 0


def evolve(state: Directives, _event: EventModel) -> Directives:
    return Directives(state.given + 1)


DECIDER = Decider("directives", Directives(), evolve)


def direct(chain: Chain) -> list[EventModel]:
    """The deputy orders an agency in Phuket to act."""
    grounds(chain, DEPUTY, act=Act.ORDER_TO_ACT, subject=FLOOD, at=BEGIN)
    return [NetworkOpened(opened_at=MOMENT)]


def named(id_: str, event: EventModel, version: int) -> Envelope:
    return envelope(f"{id_}-{version}", type_=event.type)


async def order(store: DecisionStore, number: str, *clauses: Clause) -> Appended:
    """An order at the end of the chain, whatever its end is by then."""
    body = OrderIssued(number=number, effective_from=BEGIN, clauses=list(clauses), source="test")
    event = NewEvent(envelope(number, type_=body.type), body.model_dump_json().encode())
    while True:
        version = await store.version(STREAM)
        done = await store.append(Decision(STREAM, version, [event]))
        if done.verdict != "conflict":
            return done


class Interrupted(DecisionStore):
    """A store in which something is committed right after the orders were looked at, or right
    before a directive is appended."""

    after_look: Callable[[], Awaitable[object]] | None = None
    before_append: Callable[[], Awaitable[object]] | None = None

    async def version(self, stream: str) -> int:
        version = await super().version(stream)
        if stream == STREAM and self.after_look:
            happens, self.after_look = self.after_look, None
            await happens()
        return version

    async def append(self, decision: Decision, *, timeout: float = 10.0) -> Appended:
        if decision.stream.startswith("directives/") and self.before_append:
            happens, self.before_append = self.before_append, None
            await happens()
        return await super().append(decision, timeout=timeout)


@pytest_asyncio.fixture
async def store(database: Database) -> AsyncIterator[Interrupted]:
    async with database.pool("kamkap_api") as pool:
        store = Interrupted(pool)
        given = Assignment(dimension="area", target="TH-83", deputy="a", power="area")
        await order(store, "1/2567", given)
        yield store
        await store.close()


async def decide(store: DecisionStore, reader: OrdersReader, id_: str) -> Decided[Directives]:
    async def judge(_state: Directives, _: Sequence[StoredEvent]) -> Judged:
        orders = await reader.read()
        return Judged(direct(orders.chain), [orders.guard])

    return await transact_guarded(store, DECIDER, id_, judge, envelope=partial(named, id_))


@given(st.lists(st.integers(-50, 150), max_size=20))
def test_the_matrix_that_is_kept_is_that_of_each_moment(hours: list[int]) -> None:
    first = Assignment(dimension="area", target="TH-83", deputy="a", power="area")
    moved = BEGIN + timedelta(days=2, hours=5)
    issued = [
        OrderIssued(number="1/2567", effective_from=BEGIN, clauses=[first], source="test"),
        OrderIssued(number="2/2567", effective_from=moved, clauses=[TO_ANOTHER], source="test"),
    ]
    orders = Orders(Chain(tuple(issued), ()), 2)
    for moment in (*(BEGIN + timedelta(hours=one) for one in hours), BEGIN, moved):
        kept, made = orders.matrix(moment), matrix_at(orders.chain, moment)
        assert kept.cell("area", "TH-83") == made.cell("area", "TH-83")
        assert day_of(kept.at) == day_of(moment)


async def test_a_decision_that_nothing_crosses_is_appended(store: Interrupted) -> None:
    decided = await decide(store, OrdersReader(store), "flood")
    assert (len(decided.events), decided.stream[-1].position) == (1, 1)


@pytest.mark.parametrize("seam", ["after_look", "before_append"])
@pytest.mark.parametrize(("clause", "refusal"), LOSES, ids=["reserved", "re-assigned"])
async def test_what_is_committed_after_the_look_at_the_orders_wins(
    store: Interrupted, seam: str, clause: Clause, refusal: type[Rejected]
) -> None:
    setattr(store, seam, partial(order, store, "2/2567", clause))
    with pytest.raises(refusal):
        await decide(store, OrdersReader(store), "flood")
    assert await store.load("directives/flood") == []


async def test_another_order_only_makes_the_decision_be_judged_again(store: Interrupted) -> None:
    elsewhere = Reservation(subject="incidents/fire")
    store.before_append = partial(order, store, "2/2567", elsewhere)
    decided = await decide(store, OrdersReader(store), "flood")
    assert decided.stream[-1].position == 2


async def test_among_many_at_once_none_is_decided_after_the_reservation(
    store: Interrupted,
) -> None:
    reader = OrdersReader(store)
    outcomes = await asyncio.gather(
        *(decide(store, reader, f"before-{nth}") for nth in range(10)),
        order(store, "2/2567", RESERVES),
        *(decide(store, reader, f"after-{nth}") for nth in range(10)),
        return_exceptions=True,
    )
    events = [event async for event in store.read_all()]
    reserved = next(event.position for event in events if event.envelope.id == "2/2567")
    directives = [one.position for one in events if one.stream.startswith("directives/")]
    refused = [one for one in outcomes if isinstance(one, MatterReserved)]
    assert len(directives) + len(refused) == 20
    assert all(position < reserved for position in directives)


async def test_orders_that_did_not_change_are_not_read_again(store: Interrupted) -> None:
    reader = OrdersReader(store)
    first = await reader.read()
    assert await reader.read() is first
    await order(store, "2/2567", RESERVES)
    again = await reader.read()
    assert (first.version, again.version) == (1, 2)
    assert [one.number for one in again.chain.orders] == ["1/2567", "2/2567"]
