"""The matrix against a naive reading of random orders: living through every half day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.order import OrderIssued, TenureRegistered
from services.domain.chain import Chain
from services.domain.matrix import Matrix
from services.domain.substitution import acting_for
from services.domain.validity import Validity

BEGIN = datetime(2023, 12, 31, 17, tzinfo=UTC)
"""Midnight in Bangkok."""

STEP = timedelta(hours=12)
STEPS = 6
TARGETS = ("TH-10", "TH-83")
NUMBERS = tuple(f"{serial}/2567" for serial in range(1, 7))
PEOPLE = "abc"
TENURES = ("t1", "t2", "t3")
DIMENSIONS = ("area", "function")

type Found = tuple[str, list[tuple[str, str]]]

number = st.sampled_from(NUMBERS)
person = st.sampled_from(PEOPLE)
dimension = st.sampled_from(DIMENSIONS)
target = st.sampled_from(TARGETS)
power = st.sampled_from(("area", "oversee", "command", "oversee+command"))
half_day = st.integers(0, STEPS - 1)
late = st.integers(STEPS // 2, STEPS - 1)


def clause(act: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"act": st.just(act), **fields})


assigned = clause("assign", dimension=dimension, target=target, deputy=person, power=power)
others = st.one_of(
    clause(
        "appoint", tenure=st.sampled_from(TENURES), deputy=person, office=st.just("deputy_pm")
    ),
    clause("end_tenure", tenure=st.sampled_from(TENURES)),
    clause("substitute", deputy=person, substitutes=st.lists(person, min_size=1, max_size=2)),
    clause("absent", deputy=person),
    clause("revoke_part", order=number, dimension=dimension, target=target,
           power=st.none() | power),
    clause("end_cabinet"),
)  # fmt: skip


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    orders = [
        {
            "number": one,
            "effective_from": BEGIN + (begin := draw(half_day)) * STEP,
            "effective_to": draw(
                st.none()
                | st.none()
                | st.integers(begin + 1, STEPS).map(lambda end: BEGIN + end * STEP)
            ),
            "complete": draw(st.sampled_from(((), (), (), ("area",), ("function",), DIMENSIONS))),
            "missing": draw(st.sampled_from(((), (), (), ("area",), ("function",)))),
            "revokes": draw(st.sampled_from((*((),) * 9, *((other,) for other in NUMBERS)))),
            "amends": draw(st.sampled_from(((), (), *((other,) for other in NUMBERS)))),
            "clauses": [
                *draw(st.lists(assigned, min_size=1, max_size=4)),
                *draw(st.lists(others, max_size=2)),
            ],
            "source": "test",
        }
        for one in draw(st.lists(number, unique=True, min_size=2, max_size=6))
    ]
    tenures = [
        TenureRegistered(
            tenure=one,
            deputy=draw(person),
            office="deputy_pm",
            valid_from=date(2024, 1, day := draw(st.integers(1, 3))),
            valid_to=draw(st.none() | st.integers(day + 1, 5).map(lambda end: date(2024, 1, end))),
            source="test",
        )
        for one in draw(st.lists(st.sampled_from(TENURES), unique=True, max_size=3))
    ]
    return Chain(tuple(map(OrderIssued.model_validate, orders)), tuple(tenures))


@settings(max_examples=250)
@given(chains(), late)
def test_the_matrix_agrees_with_living_through_the_time(chain: Chain, steps: int) -> None:
    life = Life(chain.orders, chain.tenures)
    for step in range(steps + 1):
        life.live(BEGIN + step * STEP)
    matrix = Matrix(Validity(chain), BEGIN + steps * STEP)
    for one in DIMENSIONS:
        for place in TARGETS:
            cell = matrix.cell(one, place)  # type: ignore[arg-type]
            held = [(h.given.deputy, p) for h in cell.holdings for p in h.power.split("+")]
            assert (cell.cover, sorted(held)) == life.found(one, place)
    for deputy in PEOPLE:
        acting = acting_for(matrix, deputy)
        assert (acting and acting.deputy) == life.acts_for(deputy)


@given(chains(), half_day, st.integers(0, 11))
def test_nothing_changes_but_at_a_boundary(chain: Chain, steps: int, hours: int) -> None:
    at = BEGIN + steps * STEP + timedelta(hours=hours)
    begun = max((one for one in Validity(chain).boundaries if one <= at), default=BEGIN - STEP)
    validity = Validity(chain)
    assert everything(Matrix(validity, at)) == everything(Matrix(validity, begun))


@given(chains(), half_day)
def test_an_order_changes_nothing_before_its_effect(chain: Chain, steps: int) -> None:
    at = BEGIN + steps * STEP
    begun = tuple(order for order in chain.orders if order.effective_from <= at)
    until_then = Validity(Chain(begun, chain.tenures))
    assert everything(Matrix(Validity(chain), at)) == everything(Matrix(until_then, at))


@given(chains(), half_day)
def test_every_holding_is_one_person_s_and_every_power_has_one_holder(
    chain: Chain, steps: int
) -> None:
    matrix = Matrix(Validity(chain), BEGIN + steps * STEP)
    cells = [matrix.cell(one, place) for one, place in _every_target(matrix)]
    held = [h for deputy in PEOPLE for h in matrix.held_by(deputy)]
    in_cells = [h for cell in cells for h in cell.holdings]
    assert sorted(map(id_of, held)) == sorted(map(id_of, in_cells))
    for cell in cells:
        powers = [p for h in cell.holdings for p in h.power.split("+")]
        assert len(powers) == len(set(powers))
        assert bool(cell.holdings) == (cell.cover == "overseer")


def id_of(holding: Any) -> tuple[str, int]:  # noqa: ANN401 - a Holding
    return holding.order.number, holding.nth


def _every_target(matrix: Matrix) -> list[tuple[Any, str]]:
    return [(one, place) for one in ("area", "function") for place in matrix.targets(one)]


def everything(matrix: Matrix) -> list[Any]:
    cells = [matrix.cell(one, place) for one in ("area", "function") for place in TARGETS]
    return [cells, [acting_for(matrix, deputy) for deputy in PEOPLE]]


@dataclass
class Life:
    """The naive oracle: whatever takes effect at a moment is written down when it does."""

    orders: Sequence[OrderIssued]
    tenures: Sequence[TenureRegistered]
    now: datetime = BEGIN
    begun: list[OrderIssued] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    """Revoked, or fallen with a cabinet."""
    never: set[str] = field(default_factory=set)
    over: set[tuple[str, str]] = field(default_factory=set)
    unknown: dict[str, int] = field(default_factory=dict)
    out: list[Any] = field(default_factory=list)
    """Parts that were revoked."""
    left: set[tuple[str, str]] = field(default_factory=set)
    """Tenures that were ended, each with the order that began it, or `registered`."""
    seen: list[tuple[datetime, set[str]]] = field(default_factory=list)
    """Who was in office at each moment lived."""

    def live(self, now: datetime) -> None:
        self.now = now
        due = [order for order in self.orders if order.effective_from == now]
        for order in sorted(due, key=lambda one: int(one.number.partition("/")[0])):
            if order.number not in self.never:
                self._take_effect(order)
        self.seen.append((now, self._in_office()))

    def _take_effect(self, order: OrderIssued) -> None:
        self.never.update(order.revokes)
        self.dead.update(number for number in order.revokes if number != order.number)
        acts = [one.act for one in order.clauses]
        if "end_cabinet" in acts:
            self.dead.update(one.number for one in self.begun)
            for tenure in self.tenures:
                if starts(tenure) < self.now:
                    self.left.add((tenure.tenure, "registered"))
        for one in order.clauses:
            if one.act == "end_tenure":
                self._end(one.tenure)
            if one.act == "revoke_part":
                self.out.append(one)
        for dim in DIMENSIONS:
            if dim in order.complete or "end_cabinet" in acts:
                self.over.update((one.number, dim) for one in self.begun)
                self.unknown.pop(dim, None)
            if dim in order.missing:
                self.unknown[dim] = len(self.begun)
        self.begun.append(order)

    def _end(self, ended: str) -> None:
        for tenure in self.tenures:
            if tenure.tenure == ended and starts(tenure) <= self.now:
                self.left.add((ended, "registered"))
        self.left.update((ended, order.number) for order in self.begun)

    def _stands(self, order: OrderIssued) -> bool:
        if order.number in self.dead:
            return False
        if order.effective_to is not None and order.effective_to <= self.now:
            return False
        before = self.begun[: self.begun.index(order)]
        amended = [one for one in before if one.number in order.amends]
        if amended and not any(self._stands(one) for one in amended):
            return False
        speaks = {*order.complete, *order.missing}
        speaks |= {one.dimension for one in order.clauses if one.act == "assign"}
        lasting = any(one.act in ("appoint", "substitute", "absent") for one in order.clauses)
        return lasting or not speaks or any((order.number, dim) not in self.over for dim in speaks)

    def _in_office(self) -> set[str]:
        registered = {
            tenure.deputy
            for tenure in self.tenures
            if starts(tenure) <= self.now
            and (tenure.valid_to is None or self.now < midnight(tenure.valid_to))
            and (tenure.tenure, "registered") not in self.left
        }
        return registered | {
            one.deputy
            for order in self.begun
            if self._stands(order)
            for one in order.clauses
            if one.act == "appoint" and (one.tenure, order.number) not in self.left
        }

    @property
    def _people(self) -> set[str]:
        """Of whom a tenure was ever registered, or who was seen in office."""
        return {tenure.deputy for tenure in self.tenures}.union(*(there for _, there in self.seen))

    def _stayed(self, deputy: str, since: datetime) -> bool:
        if deputy not in self._people:
            return True
        been = [deputy in there for moment, there in self.seen if moment >= since]
        return been[-1] and not any(a and not b for a, b in pairwise(been))

    def found(self, dim: str, place: str) -> Found:
        if (dim, place) == ("area", "TH-10"):
            return "outside_scheme", []
        word: dict[str, tuple[int, str | None]] = {}
        for nth, order in enumerate(self.begun):
            if self._stands(order) and (order.number, dim) not in self.over:
                said = self._said(order, dim, place)
                word.update({one: (nth, deputy) for one, deputy in said.items()})
        since = self.unknown.get(dim)
        known = {one: said for one, said in word.items() if since is None or said[0] >= since}
        holders = [
            (deputy, one)
            for one, (nth, deputy) in known.items()
            if deputy and self._stayed(deputy, self.begun[nth].effective_from)
        ]
        if holders:
            return "overseer", sorted(holders)
        return ("uncovered" if known or since is None else "not_known"), []

    def _said(self, order: OrderIssued, dim: str, place: str) -> dict[str, str | None]:
        said: dict[str, str | None] = {}
        for one in order.clauses:
            if one.act == "assign" and (one.dimension, one.target) == (dim, place):
                for atom in one.power.split("+"):
                    said.setdefault(atom, one.deputy)
        for part in self.out:
            if (part.order, part.dimension, part.target) == (order.number, dim, place):
                everything = {*said} or {"area", "oversee", "command", "supervise"}
                for atom in part.power.split("+") if part.power else everything:
                    if atom in said or dim in order.missing:
                        said[atom] = None
        return said

    def _present(self, deputy: str) -> bool:
        there = deputy not in self._people or deputy in self.seen[-1][1]
        return there and not any(
            one.act == "absent" and one.deputy == deputy
            for order in self.begun
            if self._stands(order)
            for one in order.clauses
        )

    def acts_for(self, deputy: str) -> str | None:
        lists = [
            one.substitutes
            for order in self.begun
            if self._stands(order)
            for one in order.clauses
            if one.act == "substitute" and one.deputy == deputy
        ]
        if not lists or self._present(deputy):
            return None
        return next((one for one in lists[-1] if one != deputy and self._present(one)), None)


def starts(tenure: TenureRegistered) -> datetime:
    return midnight(tenure.valid_from)


def midnight(day: date) -> datetime:
    return BEGIN + (day - date(2024, 1, 1))
