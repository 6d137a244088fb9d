"""What makes an order of the Prime Minister, and each refusal by the name of its rule."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import EventModel, decode
from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Appointment,
    Assignment,
    CabinetEnd,
    Clause,
    DeputyRegistered,
    Entrusted,
    FundPower,
    OrderIssued,
    PartRevoked,
    Release,
    Reservation,
    Substitutes,
    TenureEnd,
    TenureRegistered,
)
from schemas.events.registry import (
    ClusterRegistered,
    DepartmentRegistered,
    InspectorRegistered,
    MinistryRegistered,
    ProvinceRegistered,
    RegionRegistered,
    Registration,
)
from schemas.ids import BANGKOK
from services.domain import naming, orders, standing
from services.domain.chain import Chain, evolve
from services.domain.matrix import matrix_at
from services.domain.naming import GroupGiven
from services.domain.orders import Contradiction, Draft, contradictions, issue, judged_by
from services.domain.registry import Entry, Registry, registry_of, stream, subject_of
from services.domain.rejected import Rejected
from services.domain.validity import Validity

NOW = datetime(2024, 9, 20, 5, tzinfo=UTC)
BEGIN = datetime(2024, 9, 30, 17, tzinfo=UTC)
"""The first moment of 1 October in Bangkok."""

PHUKET, PHANG_NGA, KRABI = "TH-83", "TH-82", "TH-81"
BUENG_KAN = "TH-38"


def registered(entry: str, model: type[Registration], **stated: object) -> Entry:
    subject = model.type.split(".")[0]
    body = model.model_validate(
        {subject: entry, "name_th": entry, "source": "test", "valid_from": None, **stated}
    )
    return Entry(subject, entry, body.valid_from, body.valid_to, body)


REGISTRY = registry_of(
    [
        *(registered(code, ProvinceRegistered) for code in (PHUKET, PHANG_NGA, KRABI, BANGKOK)),
        registered(BUENG_KAN, ProvinceRegistered, valid_from=date(2025, 1, 1)),
        registered("moi", MinistryRegistered),
        registered("moi.ddpm", DepartmentRegistered, ministry="moi"),
        registered("i", InspectorRegistered),
        registered("6", RegionRegistered, provinces=[PHUKET, PHANG_NGA, KRABI]),
        registered("capital", RegionRegistered, provinces=[BANGKOK, PHUKET]),
        registered("andaman", ClusterRegistered, scheme="2560", provinces=[PHUKET], complete=True),
        registered("lost", ClusterRegistered, scheme="2546", provinces=[PHUKET], complete=False),
        *(
            Entry("deputy", name, None, None,
                  DeputyRegistered(deputy=name, name_th=name, source="test"))
            for name in "abcdz"
        ),
    ]
)  # fmt: skip

TENURES = tuple(
    TenureRegistered(
        tenure=f"{person}.1",
        deputy=person,
        office="minister_pm_office" if person == "d" else "deputy_pm",
        valid_from=date(2024, 1, 1),
        source="test",
    )
    for person in "abcd"
)
EMPTY = Chain((), TENURES)


def draft(number: str, *clauses: Clause | GroupGiven, **stated: object) -> Draft:
    fields: dict[str, object] = {"effective_from": BEGIN, "source": "test", **stated}
    return Draft(number=number, clauses=clauses, **fields)  # type: ignore[arg-type] # as stated


def issued(chain: Chain, *drafts: Draft) -> Chain:
    """The chain after these orders, each read back as it is stored."""
    for one in drafts:
        for event in issue(chain, one, registry=REGISTRY, now=NOW):
            stored = decode(event.type, event.model_dump_json().encode())
            assert stored == event
            chain = evolve(chain, stored)
    return chain


def gives(who: str, target: str, power: str = "area", **stated: object) -> Assignment:
    dimension = "area" if power == "area" else "function"
    return Assignment.model_validate(
        {"dimension": dimension, "target": target, "deputy": who, "power": power, **stated}
    )


def appoints(who: str, tenure: str, office: str = "deputy_pm") -> Appointment:
    return Appointment.model_validate({"tenure": tenure, "deputy": who, "office": office})


def reserves(target: str = PHUKET, deputy: str | None = None) -> Reservation:
    return Reservation(deputy=deputy, dimension="area", target=target)


def entrusts(who: str, *provinces: str, inspector: str = "i") -> Entrusted:
    return Entrusted(deputy=who, inspector=inspector, provinces=list(provinces), duties=["urge"])


HELD = issued(EMPTY, draft("1/2567", gives("a", PHUKET), gives("b", "moi", "oversee")))
BEFORE, LATER = BEGIN - timedelta(days=9), BEGIN + timedelta(days=10)


# What is accepted.


def test_an_order_is_issued_as_it_is_drafted() -> None:
    (event,) = issue(EMPTY, draft("1/2567", gives("a", PHUKET)), registry=REGISTRY, now=NOW)
    assert isinstance(event, OrderIssued)
    assert (event.number, event.issued_on) == ("1/2567", date(2024, 9, 20))
    assert event.clauses == [gives("a", PHUKET)]


def test_the_same_order_again_is_no_event() -> None:
    one = draft("1/2567", gives("a", PHUKET), gives("b", "moi", "oversee"))
    assert issue(HELD, one, registry=REGISTRY, now=NOW + timedelta(days=400)) == []


@pytest.mark.parametrize(
    ("group", "without", "provinces"),
    [
        (("region", "6"), (PHANG_NGA,), [KRABI, PHUKET]),
        (("cluster", "andaman"), (), [PHUKET]),
        (("region", "capital"), (BANGKOK,), [PHUKET]),
    ],
)
def test_a_group_becomes_its_provinces_and_says_through_what(
    group: tuple[naming.GroupKind, str], without: tuple[str, ...], provinces: list[str]
) -> None:
    chain = issued(EMPTY, draft("1/2567", GroupGiven(*group, "a", without)))
    assert chain.orders[0].clauses == [gives("a", one, through=group[1]) for one in provinces]


def test_a_late_order_rules_from_its_day_in_the_past() -> None:
    past = BEGIN - timedelta(days=60)
    chain = issued(EMPTY, draft("1/2567", gives("a", PHUKET), effective_from=past))
    assert matrix_at(chain, past).provinces_of("a") == {PHUKET}


TAKEN_OUT = PartRevoked(order="1/2567", dimension="area", target=PHUKET)
PASSES_ON: list[Draft] = [
    draft("2/2567", gives("b", PHUKET), amends=("1/2567",)),
    draft("2/2567", gives("b", PHUKET), revokes=("1/2567",)),
    draft("2/2567", gives("b", PHUKET), complete=("area",)),
    draft("2/2567", gives("b", PHUKET), TenureEnd(tenure="a.1"), effective_from=LATER),
    draft("2/2567", gives("b", PHUKET), TAKEN_OUT, effective_from=LATER),
    draft("2/2567", gives("b", PHUKET), CabinetEnd(), appoints("b", "b.2"), effective_from=LATER),
    draft("2/2567", gives("b", PHUKET), effective_from=BEFORE, effective_to=BEGIN),
]


@pytest.mark.parametrize("second", PASSES_ON)
def test_a_target_passes_on_when_the_order_before_gives_it_no_more(second: Draft) -> None:
    chain = issued(HELD, second)
    assert matrix_at(chain, second.effective_from).provinces_of("b") == {PHUKET}


def test_one_unit_has_an_overseer_and_a_commander() -> None:
    chain = issued(HELD, draft("2/2567", gives("a", "moi", "command")))
    cell = matrix_at(chain, BEGIN).cell("function", "moi")
    assert {(held.given.deputy, held.power) for held in cell.holdings} == {
        ("b", "oversee"),
        ("a", "command"),
    }


def test_a_person_appointed_by_the_order_holds_by_it() -> None:
    chain = issued(EMPTY, draft("1/2567", gives("z", PHUKET), appoints("z", "z.1")))
    assert matrix_at(chain, BEGIN).provinces_of("z") == {PHUKET}


def test_who_left_office_may_be_appointed_again() -> None:
    chain = issued(EMPTY, draft("1/2567", TenureEnd(tenure="a.1"), appoints("a", "a.2")))
    assert matrix_at(chain, BEGIN).office_of("a") == "deputy_pm"


def test_a_reservation_is_released() -> None:
    reserved = issued(HELD, draft("2/2567", reserves()))
    assert issued(reserved, draft("3/2567", Release(order="2/2567"))).orders[-1].number == "3/2567"


# What is refused, by the name of its rule.

AT_ONCE = GroupGiven("region", "capital", "a")
REFUSED: dict[str, tuple[type[Rejected], Draft]] = {
    "it ends before it starts": (
        orders.EndsBeforeItStarts,
        draft("2/2567", effective_to=BEGIN - timedelta(seconds=1)),
    ),
    "it ends as it starts": (orders.EndsBeforeItStarts, draft("2/2567", effective_to=BEGIN)),
    "its number is another order's": (
        orders.OrderNumberTaken,
        draft("1/2567", gives("a", PHANG_NGA)),
    ),
    "two holders of one power in it": (
        orders.PowerGivenTwice,
        draft("2/2567", gives("a", KRABI), gives("b", KRABI)),
    ),
    "a power inside a wider one": (
        orders.PowerGivenTwice,
        draft("2/2567", gives("a", "moi", "oversee+command"), gives("c", "moi", "command")),
    ),
    "another holds it": (standing.PowerHeld, draft("2/2567", gives("b", PHUKET))),
    "another holds a part of it": (
        standing.PowerHeld,
        draft("2/2567", gives("a", "moi", "oversee+command")),
    ),
    "another will hold it": (
        standing.PowerHeld,
        draft("2/2567", gives("b", PHUKET), effective_from=BEGIN - timedelta(days=9)),
    ),
    "no such province": (naming.ProvinceNotThere, draft("2/2567", gives("a", "TH-99"))),
    "a province not there yet": (naming.ProvinceNotThere, draft("2/2567", gives("a", BUENG_KAN))),
    "Bangkok": (naming.OutsideScheme, draft("2/2567", gives("a", BANGKOK))),
    "Bangkok in a group": (naming.OutsideScheme, draft("2/2567", AT_ONCE)),
    "no such region": (
        naming.GroupNotThere,
        draft("2/2567", GroupGiven("region", "99", "a")),
    ),
    "no such cluster": (
        naming.GroupNotThere,
        draft("2/2567", GroupGiven("cluster", "6", "a")),
    ),
    "a cluster known in part": (
        naming.GroupNotWhole,
        draft("2/2567", GroupGiven("cluster", "lost", "a")),
    ),
    "an exception that is none": (
        naming.NotOfGroup,
        draft("2/2567", GroupGiven("region", "6", "a", (BANGKOK,))),
    ),
    "no such unit": (naming.UnitNotThere, draft("2/2567", gives("a", "mict", "oversee"))),
    "no such unit carved out": (
        naming.UnitNotThere,
        draft("2/2567", gives("a", "moi", "command", except_targets=["moi.none"])),
    ),
    "a power over an area given over a ministry": (
        naming.PowerOfOtherDimension,
        draft("2/2567", Assignment(dimension="function", target="moi", deputy="a", power="area")),
    ),
    "a holder nobody knows": (naming.DeputyUnknown, draft("2/2567", gives("nobody", KRABI))),
    "a substitute nobody knows": (
        naming.DeputyUnknown,
        draft("2/2567", Substitutes(deputy="a", substitutes=["nobody"])),
    ),
    "an inspector nobody knows": (
        naming.InspectorUnknown,
        draft("2/2567", entrusts("a", PHUKET, inspector="nobody")),
    ),
    "an order nobody knows": (standing.OrderUnknown, draft("2/2567", revokes=("9/2567",))),
    "an order amended before its day": (
        standing.OrderUnknown,
        draft("2/2567", amends=("1/2567",), effective_from=BEGIN - timedelta(seconds=1)),
    ),
    "a tenure nobody knows": (standing.TenureUnknown, draft("2/2567", TenureEnd(tenure="a.9"))),
    "a tenure's id again": (standing.TenureTaken, draft("2/2567", appoints("z", "a.1"))),
    "a tenure's id twice": (
        standing.TenureTaken,
        draft("2/2567", appoints("z", "z.1"), appoints("z", "z.1", "minister_pm_office")),
    ),
    "someone appointed already": (standing.AlreadyAppointed, draft("2/2567", appoints("a", "a.2"))),
    "someone appointed twice": (
        standing.AlreadyAppointed,
        draft("2/2567", appoints("z", "z.1"), appoints("z", "z.2")),
    ),
    "two Prime Ministers": (
        standing.AlreadyAppointed,
        draft(
            "2/2567",
            appoints("z", "z.1", "prime_minister"),
            appoints("a", "a.2", "prime_minister"),
        ),
    ),
    "a holder in no office": (standing.NotInOfficeThen, draft("2/2567", gives("z", KRABI))),
    "a holder not in office yet": (
        standing.NotInOfficeThen,
        draft("2/2567", gives("a", KRABI), effective_from=datetime(2023, 1, 1, tzinfo=UTC)),
    ),
    "away from no office": (standing.NotInOfficeThen, draft("2/2567", Absence(deputy="z"))),
    "the fund power given to nobody in office": (
        standing.NotInOfficeThen,
        draft("2/2567", FundPower(deputy="z")),
    ),
    "a substitute of oneself": (
        standing.SubstituteOfOneself,
        draft("2/2567", Substitutes(deputy="a", substitutes=["b", "a"])),
    ),
    "an acting PM who is no deputy": (
        standing.ActingNotDeputy,
        draft("2/2567", ActingPrimeMinister(deputy="d")),
    ),
    "entrusted what the deputy does not hold": (
        standing.NotHeld,
        draft("2/2567", entrusts("a", PHUKET, PHANG_NGA)),
    ),
    "reserved what nobody holds": (standing.NotHeld, draft("2/2567", reserves(PHANG_NGA))),
    "reserved what another holds": (
        standing.NotHeld,
        draft("2/2567", reserves(PHUKET, "b")),
    ),
    "released what nobody reserved": (
        standing.NothingReserved,
        draft("2/2567", Release(order="1/2567")),
    ),
    "revoked what the order does not give": (
        standing.NothingToRevoke,
        draft("2/2567", PartRevoked(order="1/2567", dimension="area", target=PHANG_NGA)),
    ),
    "revoked a power the order does not give": (
        standing.NothingToRevoke,
        draft(
            "2/2567",
            PartRevoked(order="1/2567", dimension="function", target="moi", power="command"),
        ),
    ),
    "revoked out of an order nobody knows": (
        standing.NothingToRevoke,
        draft("2/2567", PartRevoked(order="9/2567", dimension="area", target=PHUKET)),
    ),
}


@pytest.mark.parametrize(("rule", "refused"), REFUSED.values(), ids=REFUSED.keys())
def test_an_order_is_refused_by_the_name_of_its_rule(rule: type[Rejected], refused: Draft) -> None:
    with pytest.raises(Rejected) as why:
        issue(HELD, refused, registry=REGISTRY, now=NOW)
    assert type(why.value) is rule


def test_every_refusal_of_an_order_is_refused_here() -> None:
    rules = {
        one
        for module in (orders, naming, standing)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Rejected) and one is not Rejected
    }
    assert {rule for rule, _ in REFUSED.values()} == rules


def test_a_department_of_a_held_ministry_can_be_reserved() -> None:
    reserved = Reservation(deputy="b", dimension="function", target="moi.ddpm")
    assert len(issued(HELD, draft("2/2567", reserved)).orders) == 2


def test_an_order_can_be_revoked_before_it_takes_effect() -> None:
    revoking = draft("2/2567", revokes=("1/2567",), effective_from=BEGIN - timedelta(days=1))
    assert matrix_at(issued(HELD, revoking), LATER).provinces_of("a") == frozenset()


# An order that an archive brings may contradict itself; it is flagged.


def archived(*assignments: dict[str, str]) -> OrderIssued:
    stated = {"dimension": "function", "target": "moj", "power": "oversee"}
    return OrderIssued(
        number="1/2567",
        effective_from=BEGIN,
        clauses=[Assignment.model_validate(stated | one) for one in assignments],
        source="test",
    )


def test_two_holders_of_one_power_contradict_each_other() -> None:
    found = contradictions(archived({"deputy": "a"}, {"deputy": "b"}))
    assert list(found) == [Contradiction("function", "moj", "oversee", ("a", "b"))]


def test_a_power_inside_a_wider_one_is_the_same_power() -> None:
    found = contradictions(archived({"deputy": "a", "power": "oversee+command"}, {"deputy": "b"}))
    assert [one.power for one in found] == ["oversee"]


@pytest.mark.parametrize(
    "other",
    [
        {"deputy": "a"},
        {"deputy": "b", "power": "command"},
        {"deputy": "b", "target": "moi"},
        {"deputy": "b", "dimension": "agenda"},
    ],
)
def test_one_holder_for_each_thing_is_no_contradiction(other: dict[str, str]) -> None:
    assert list(contradictions(archived({"deputy": "a"}, other))) == []


# After any history of accepted orders.

DAYS = st.integers(0, 4).map(lambda day: BEGIN + timedelta(days=day))
PEOPLE = st.sampled_from("abc")
MINISTRY_POWERS = st.sampled_from(["oversee", "command", "oversee+command"])
GIVEN = st.builds(gives, PEOPLE, st.just(PHUKET)) | st.builds(
    gives, PEOPLE, st.just("moi"), MINISTRY_POWERS
)
RARE = st.one_of(
    st.builds(TenureEnd, tenure=st.sampled_from(["a.1", "b.1"])),
    st.builds(appoints, PEOPLE, st.sampled_from(["a.2", "b.2", "c.2"])),
    st.just(CabinetEnd()),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Draft]:
    """Orders that may refer to those before them, and overlap in time."""
    history: list[Draft] = []
    for nth in range(draw(st.integers(2, 6))):
        before = [one.number for one in history]
        some = st.lists(st.sampled_from(before), max_size=1) if before else st.just([])
        parts = st.builds(
            PartRevoked,
            order=st.sampled_from(before or ["1/2567"]),
            dimension=st.just("area"),
            target=st.just(PHUKET),
        )
        clauses = draw(st.lists(GIVEN, min_size=1, max_size=2))
        clauses += draw(st.lists(st.one_of(GIVEN, parts, RARE), max_size=1))
        history.append(
            draft(
                f"{nth + 1}/2567",
                *clauses,
                effective_from=draw(DAYS),
                effective_to=draw(st.none() | DAYS),
                complete=draw(st.sampled_from([(), (), ("area",), ("function",)])),
                revokes=tuple(draw(some)),
                amends=tuple(draw(some)),
            )
        )
    return history


def claims(chain: Chain, at: datetime) -> Iterable[tuple[tuple[str, str, str], str, OrderIssued]]:
    """Who is given which power by any order that rules at the moment, whatever it comes after."""
    matrix = matrix_at(chain, at)
    for ruling in matrix.in_force:
        revoked = list(matrix.validity.parts_revoked(ruling.order.number, at))
        for clause in ruling.order.clauses:
            if not isinstance(clause, Assignment) or not _in_office(
                chain, clause.deputy, ruling.begins, at
            ):
                continue
            if at >= matrix.validity.closed(ruling.order, clause.dimension):
                continue
            for power in clause.power.split("+"):
                key = clause.dimension, clause.target, power
                if not any((part.dimension, part.target) == key[:2] for part in revoked):
                    yield key, clause.deputy, ruling.order


def _in_office(chain: Chain, deputy: str, since: datetime, at: datetime) -> bool:
    terms = Validity(chain).terms.get(deputy, ())
    moments = [since, at, *(one for one in Validity(chain).boundaries if since < one < at)]
    return all(any(term.covers(moment) for term in terms) for moment in moments)


def superseded(order: OrderIssued, others: Iterable[OrderIssued]) -> bool:
    """Whether one of the others amends the order: its word comes later."""
    return any(order.number in other.amends for other in others)


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_after_any_history_one_power_has_one_holder(history: list[Draft]) -> None:
    chain = EMPTY
    for one in history:
        try:
            chain = issued(chain, one)
        except Rejected:
            continue
        assert issue(chain, one, registry=REGISTRY, now=NOW) == []
    for at in Validity(chain).boundaries:
        given_by: dict[tuple[str, str, str], list[tuple[str, OrderIssued]]] = {}
        for key, deputy, order in claims(chain, at):
            given_by.setdefault(key, []).append((deputy, order))
        for key, named in given_by.items():
            last = [
                deputy
                for deputy, order in named
                if not superseded(order, (other for _, other in named))
            ]
            assert len(set(last)) <= 1, (at, key, named)


# What an order is judged by.


@dataclass(frozen=True)
class Noting(Registry):
    """A registry that notes what it is asked about."""

    asked: set[str] = field(default_factory=set)

    def at[Model: EventModel](self, model: type[Model], entry: str, day: date) -> Model | None:
        self.asked.add(stream(subject_of(model.type), entry))
        return super().at(model, entry, day)


JUDGED = (
    gives("a", PHANG_NGA),
    gives("a", "TH-99"),
    gives("a", "moi", "oversee", except_targets=["moi.ddpm"]),
    gives("nobody", "moi.ddpm", "command"),
    Assignment(dimension="agenda", target="drugs", deputy="a", power="oversee"),
    GroupGiven("region", "6", "b", (KRABI,)),
    GroupGiven("cluster", "andaman", "a"),
    GroupGiven("region", "99", "a"),
    entrusts("a", PHUKET),
    reserves(deputy="a"),
    Reservation(dimension="function", target="moi"),
    Reservation(subject="incidents/flood"),
    Release(order="1/2567"),
    Substitutes(deputy="a", substitutes=["b", "c"]),
    Absence(deputy="a"),
    FundPower(deputy="d"),
    ActingPrimeMinister(deputy="b"),
    appoints("z", "z.1"),
    TenureEnd(tenure="a.1"),
    PartRevoked(order="1/2567", dimension="area", target=PHUKET),
    CabinetEnd(),
)


@given(st.lists(st.sampled_from(JUDGED), max_size=4))
def test_whatever_the_registry_is_asked_about_must_hold_still(
    clauses: list[Clause | GroupGiven],
) -> None:
    noting = Noting(REGISTRY.versions)
    wanted = draft("2/2567", *clauses, amends=("1/2567",))
    with suppress(Rejected):
        issue(HELD, wanted, registry=noting, now=NOW)
    assert noting.asked <= judged_by(wanted, REGISTRY)


def test_an_order_is_judged_by_every_province_of_the_group_it_gives() -> None:
    given_whole = draft("2/2567", GroupGiven("region", "6", "b", (KRABI,)))
    assert judged_by(given_whole, REGISTRY) == {
        "registry/regions/6",
        "registry/deputies/b",
        *(f"registry/provinces/{code}" for code in (PHUKET, PHANG_NGA, KRABI)),
    }
