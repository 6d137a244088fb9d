"""Authority: every kind of power by every act, and who may act for whom, at the second."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Assignment,
    Clause,
    Entrusted,
    FundPower,
    OrderIssued,
    Release,
    Reservation,
    Substitutes,
    TenureRegistered,
)
from schemas.ids import BANGKOK
from services.domain.authority import grounds
from services.domain.chain import Chain
from services.domain.grounds import (
    Agency,
    Basis,
    BeyondPowers,
    Citation,
    ConsentMissing,
    DeputyAway,
    DeputyPresent,
    EarlierSubstitute,
    FundPowerNotGiven,
    Grounds,
    MatterReserved,
    NeverEntrusted,
    NotADecider,
    NotEntrusted,
    NotInOffice,
    OutsideMatrix,
    Subject,
    WrongKindOfPower,
)
from services.domain.powers import DUTY_FOR, KINDS, POWERS_FOR, Act
from services.domain.rejected import Rejected

BEGIN = datetime(2024, 10, 1, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)
PHUKET, PHANG_NGA = "TH-83", "TH-82"
DDPM = Agency("moi.ddpm", "moi")
MINISTRY_ACTS = [act for act in Act if POWERS_FOR[act] != {"area"}]


@dataclass(frozen=True)
class Who:
    """An identity of the network."""

    kind: str
    name: str | None = None


PM = Who("pm")


def deputy(name: str) -> Who:
    return Who("deputy", name)


def tenure(person: str, office: str = "deputy_pm", until: date | None = None) -> TenureRegistered:
    return TenureRegistered.model_validate(
        {
            "tenure": f"{person}.1",
            "deputy": person,
            "office": office,
            "valid_from": date(2024, 1, 1),
            "valid_to": until,
            "source": "test",
        }
    )


IN_OFFICE = tuple(map(tenure, "abcd"))


def order(number: str, *clauses: Clause, **stated: object) -> OrderIssued:
    fields = {"effective_from": BEGIN, "source": "test", **stated}
    return OrderIssued.model_validate({"number": number, "clauses": list(clauses), **fields})


def chain(*orders: OrderIssued, tenures: Iterable[TenureRegistered] = IN_OFFICE) -> Chain:
    return Chain(orders, tuple(tenures))


def gives(who: str, target: str, power: str = "area", **stated: object) -> Assignment:
    dimension = "area" if power == "area" else "function"
    return Assignment.model_validate(
        {"dimension": dimension, "target": target, "deputy": who, "power": power, **stated}
    )


def listed(who: str, *substitutes: str) -> Substitutes:
    return Substitutes(deputy=who, substitutes=list(substitutes))


def ask(
    orders: Chain,
    who: Who,
    act: Act = Act.ORDER_TO_ACT,
    subject: Subject = Subject(provinces=(PHUKET,)),  # noqa: B008 -- a frozen value
    at: datetime = BEGIN,
) -> Grounds:
    return grounds(orders, who, act=act, subject=subject, at=at)


RING = (listed("a", "b", "c"), listed("b", "c", "a"), listed("c", "a", "b"))
AREA = chain(order("1/2567", gives("a", PHUKET), gives("b", PHANG_NGA), *RING))


def with_orders(*orders: OrderIssued) -> Chain:
    return Chain((*AREA.orders, *orders), AREA.tenures)


def away(*people: str) -> OrderIssued:
    return order("8/2567", *(Absence(deputy=person) for person in people))


# Every power by every act.


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("power", [*KINDS, "oversee+command"])
def test_an_act_needs_its_kind_of_power(power: str, act: Act) -> None:
    held = chain(order("1/2567", gives("a", PHUKET if power == "area" else "moi", power)))
    subject = Subject(provinces=(PHUKET,), agencies=(DDPM,))
    fit = POWERS_FOR[act] & set(power.split("+"))
    if not fit:
        with pytest.raises(WrongKindOfPower) as refused:
            ask(held, deputy("a"), act, subject)
        assert refused.value.held == tuple(sorted(power.split("+")))
        assert set(refused.value.needed) == POWERS_FOR[act]
        return
    found = ask(held, deputy("a"), act, subject)
    assert found.capacity == "holder"
    assert [basis.given_by for basis in found.bases] == [Citation("1/2567", 1)]
    assert found.bases[0].power in fit


@pytest.mark.parametrize("act", list(Act))
def test_who_holds_nothing_may_do_nothing(act: Act) -> None:
    with pytest.raises(OutsideMatrix):
        ask(AREA, deputy("d"), act)


@pytest.mark.parametrize("act", list(Act))
def test_the_prime_minister_may_do_everything(act: Act) -> None:
    assert ask(AREA, PM, act) == Grounds("prime_minister")


@pytest.mark.parametrize("kind", ["secretariat", "screening", "poc", "pmoc", "operator"])
def test_who_prepares_does_not_decide(kind: str) -> None:
    with pytest.raises(NotADecider):
        ask(AREA, Who(kind, "a"))


def test_an_overseer_calls_for_a_report_and_does_not_order() -> None:
    held = chain(order("1/2567", gives("a", "moi", "oversee"), gives("b", "moi", "command")))
    interior = Subject(agencies=(Agency("moi"),))
    assert ask(held, deputy("a"), Act.CALL_FOR_REPORT, interior).capacity == "holder"
    assert ask(held, deputy("b"), Act.ORDER_TO_ACT, interior).capacity == "holder"
    with pytest.raises(WrongKindOfPower):
        ask(held, deputy("a"), Act.ORDER_TO_ACT, interior)


# What the matrix gives, at the second.


def test_a_directive_is_refused_before_the_assignment_starts_and_accepted_at_its_second() -> None:
    with pytest.raises(OutsideMatrix) as refused:
        ask(AREA, deputy("a"), at=BEGIN - A_SECOND)
    assert refused.value.cover == "uncovered"
    assert ask(AREA, deputy("a")).bases == (Basis(Citation("1/2567", 1), "area", PHUKET, "area"),)


def test_a_province_that_passes_on_is_the_new_holders_from_that_second() -> None:
    later = BEGIN + timedelta(days=30)
    first = order("1/2567", gives("a", PHUKET))
    second = order("2/2567", gives("b", PHUKET), amends=["1/2567"], effective_from=later)
    passed = chain(first, second)
    assert ask(passed, deputy("a"), at=later - A_SECOND).capacity == "holder"
    with pytest.raises(OutsideMatrix):
        ask(passed, deputy("a"), at=later)
    assert ask(passed, deputy("b"), at=later).bases[0].given_by == Citation("2/2567", 1)


def test_a_unit_carved_out_is_outside() -> None:
    held = chain(order("1/2567", gives("a", "moi", "command", except_targets=["moi.ddpm"])))
    assert ask(held, deputy("a"), subject=Subject(agencies=(Agency("moi.dopa", "moi"),))).bases
    with pytest.raises(OutsideMatrix):
        ask(held, deputy("a"), subject=Subject(agencies=(DDPM,)))


def test_bangkok_is_outside_the_scheme() -> None:
    with pytest.raises(OutsideMatrix) as refused:
        ask(AREA, deputy("a"), subject=Subject(provinces=(BANGKOK,)))
    assert refused.value.cover == "outside_scheme"


def test_where_an_order_is_missing_cover_is_not_known() -> None:
    lost = chain(order("1/2567", missing=["area"]))
    with pytest.raises(OutsideMatrix) as refused:
        ask(lost, deputy("a"))
    assert refused.value.cover == "not_known"


def test_the_holder_of_an_agenda_reaches_every_place_of_it() -> None:
    drugs = Assignment(dimension="agenda", target="drugs", deputy="a", power="oversee+command")
    subject = Subject(provinces=("TH-50", "TH-57"), agencies=(DDPM,), agendas=("drugs",))
    assert [
        basis.target for basis in ask(chain(order("1", drugs)), deputy("a"), subject=subject).bases
    ] == ["drugs"]


def test_what_needs_agencies_beyond_the_powers_can_go_to_the_prime_minister() -> None:
    with pytest.raises(BeyondPowers) as refused:
        ask(AREA, deputy("a"), subject=Subject(provinces=(PHUKET, PHANG_NGA)))
    assert refused.value.beyond == (PHANG_NGA,)
    assert refused.value.offer == "send-to-prime-minister-with-opinion"


# Who is there.


def test_who_has_left_office_may_do_nothing() -> None:
    left = chain(*AREA.orders, tenures=[tenure("a", until=date(2024, 11, 1))])
    assert ask(left, deputy("a")).capacity == "holder"
    with pytest.raises(NotInOffice):
        ask(left, deputy("a"), at=BEGIN + timedelta(days=60))


def test_a_substitute_acts_for_who_is_away_and_says_for_whom() -> None:
    found = ask(with_orders(away("a")), deputy("b"))
    assert (found.capacity, found.acting_for) == ("substitute", "a")
    assert found.bases[0].given_by == Citation("1/2567", 1)
    assert found.made_so_by == Citation("1/2567", 3)


def test_a_substitute_does_not_act_while_the_deputy_is_present() -> None:
    with pytest.raises(DeputyPresent) as refused:
        ask(AREA, deputy("c"))
    assert refused.value.deputy == "a"


def test_of_the_substitutes_the_first_who_is_present_acts() -> None:
    with pytest.raises(EarlierSubstitute) as refused:
        ask(with_orders(away("a")), deputy("c"))
    assert refused.value.acting == "b"
    assert ask(with_orders(away("a", "b")), deputy("c")).acting_for == "a"


def test_the_substitute_for_an_empty_post_acts_by_the_orders_of_who_left_it() -> None:
    tenures = (tenure("a", until=date(2024, 11, 1)), *map(tenure, "bcd"))
    left = chain(*AREA.orders, tenures=tenures)
    later = BEGIN + timedelta(days=60)
    found = ask(left, deputy("b"), at=later)
    assert (found.capacity, found.acting_for) == ("substitute", "a")
    assert found.bases == (Basis(Citation("1/2567", 1), "area", PHUKET, "area"),)
    with pytest.raises(EarlierSubstitute):
        ask(left, deputy("c"), at=later)
    with pytest.raises(NotInOffice):
        ask(left, deputy("a"), at=later)


@pytest.mark.parametrize("said_so", [False, True])
def test_nobody_spends_on_the_ledger_of_an_empty_post(*, said_so: bool) -> None:
    tenures = (tenure("a", until=date(2024, 11, 1)), *map(tenure, "bcd"))
    given_money = [order("2/2567", FundPower(deputy="a"))] if said_so else []
    left = chain(*AREA.orders, *given_money, tenures=tenures)
    with pytest.raises(FundPowerNotGiven):
        ask(left, deputy("b"), Act.APPROVE_MONEY, at=BEGIN + timedelta(days=60))
    assert ask(with_orders(away("a")), deputy("b"), Act.APPROVE_MONEY).acting_for == "a"


def test_who_is_away_does_not_act() -> None:
    with pytest.raises(DeputyAway):
        ask(with_orders(away("a")), deputy("a"))


@given(absent=st.sets(st.sampled_from("abc")))
def test_the_ring_never_loops_and_has_one_who_acts(absent: set[str]) -> None:
    orders = with_orders(away(*sorted(absent)) if absent else order("8/2567"))
    acting = []
    for person in "abc":
        try:
            acting.append(ask(orders, deputy(person)))
        except Rejected:
            continue
    assert len(acting) == (len(absent) < 3)


# As Prime Minister, and by an inspector.


@pytest.mark.parametrize("act", list(Act))
def test_an_acting_prime_minister_decides_neither_personnel_nor_money(act: Act) -> None:
    orders = with_orders(order("9/2567", ActingPrimeMinister(deputy="d")))
    if act in (Act.RECOMMEND_PERSONNEL, Act.APPROVE_MONEY):
        with pytest.raises(ConsentMissing):
            ask(orders, deputy("d"), act)
        return
    found = ask(orders, deputy("d"), act)
    assert (found.capacity, found.made_so_by) == ("acting_pm", Citation("9/2567", 1))


def test_an_acting_prime_minister_keeps_what_is_their_own() -> None:
    orders = with_orders(order("9/2567", ActingPrimeMinister(deputy="a")))
    assert ask(orders, deputy("a"), Act.APPROVE_MONEY).capacity == "holder"


def test_emergency_money_is_for_deputy_prime_ministers() -> None:
    minister = chain(*AREA.orders, tenures=[tenure("a", "minister_pm_office")])
    assert ask(minister, deputy("a"), Act.ORDER_TO_ACT).capacity == "holder"
    with pytest.raises(FundPowerNotGiven):
        ask(minister, deputy("a"), Act.APPROVE_MONEY)
    said_so = Chain((*minister.orders, order("2/2567", FundPower(deputy="a"))), minister.tenures)
    assert ask(said_so, deputy("a"), Act.APPROVE_MONEY).capacity == "holder"


@pytest.mark.parametrize("act", list(Act))
def test_an_inspector_does_what_was_entrusted_and_nothing_else(act: Act) -> None:
    inspector = Who("inspector", "i")
    duties = list(DUTY_FOR.values())
    entrusted = Entrusted(deputy="a", inspector="i", provinces=[PHUKET], duties=duties)
    orders = with_orders(order("7/2567", entrusted))
    if act not in DUTY_FOR:
        with pytest.raises(NeverEntrusted):
            ask(orders, inspector, act)
        return
    found = ask(orders, inspector, act)
    assert (found.capacity, found.acting_for) == ("entrusted", "a")
    assert found.made_so_by == Citation("7/2567", 1)
    with pytest.raises(NotEntrusted):
        ask(orders, inspector, act, Subject(provinces=(PHANG_NGA,)))
    with pytest.raises(NotEntrusted):
        ask(AREA, inspector, act)


# The PM orders otherwise.

SUBJECTS = st.builds(
    Subject,
    provinces=st.sampled_from([(PHUKET,), ()]),
    agencies=st.sampled_from([(DDPM,), (Agency("moi"),)]),
    agendas=st.sampled_from([("drugs",), ()]),
    matter=st.sampled_from(["directives/1", "incidents/flood"]),
)
HELD = order(
    "1/2567",
    gives("a", PHUKET),
    gives("a", "moi", "oversee+command"),
    Assignment(dimension="agenda", target="drugs", deputy="a", power="oversee+command"),
    listed("a", "b"),
)


@given(
    subject=SUBJECTS,
    act=st.sampled_from(MINISTRY_ACTS),
    by_name=st.booleans(),
    absent=st.booleans(),
)
def test_a_reservation_always_refuses(
    subject: Subject, act: Act, *, by_name: bool, absent: bool
) -> None:
    holder = "a" if by_name else None
    reserved = Reservation(deputy=holder, subject=subject.matter)
    later = BEGIN + timedelta(days=1)
    rest = order("2/2567", reserved, effective_from=later)
    orders = chain(HELD, *([away("a")] if absent else []), rest)
    who = deputy("b" if absent else "a")
    try:
        before = ask(orders, who, act, subject, later - A_SECOND)
    except WrongKindOfPower:
        return
    assert before.bases
    with pytest.raises(MatterReserved) as refused:
        ask(orders, who, act, subject, later)
    assert (refused.value.order, refused.value.clause) == ("2/2567", 1)
    assert ask(orders, PM, act, subject, later).capacity == "prime_minister"


@pytest.mark.parametrize("target", ["moi", "moi.ddpm"])
def test_a_reserved_ministry_or_unit_rests_alone(target: str) -> None:
    held = order("1/2567", gives("a", "moi", "command"), gives("a", "moph", "command"))
    rest = order("2/2567", Reservation(dimension="function", target=target))
    with pytest.raises(MatterReserved):
        ask(chain(held, rest), deputy("a"), subject=Subject(agencies=(DDPM,)))
    health = Subject(agencies=(Agency("moph"),))
    assert ask(chain(held, rest), deputy("a"), subject=health).capacity == "holder"


def test_a_reservation_from_one_leaves_the_other_holders_alone() -> None:
    orders = with_orders(order("2/2567", Reservation(deputy="a", subject="incidents/flood")))
    flood = Subject(provinces=(PHANG_NGA,), matter="incidents/flood")
    assert ask(orders, deputy("b"), subject=flood).capacity == "holder"


def test_what_is_released_is_the_holders_again() -> None:
    later = BEGIN + timedelta(days=1)
    rest = order("2/2567", Reservation(dimension="area", target=PHUKET))
    released = order("3/2567", Release(order="2/2567"), effective_from=later)
    orders = with_orders(rest, released)
    with pytest.raises(MatterReserved):
        ask(orders, deputy("a"), at=later - A_SECOND)
    assert ask(orders, deputy("a"), at=later).capacity == "holder"


def test_an_inspectors_duty_rests_with_the_deputys_power() -> None:
    entrusted = Entrusted(deputy="a", inspector="i", provinces=[PHUKET], duties=["urge"])
    rest = Reservation(dimension="area", target=PHUKET)
    orders = with_orders(order("7/2567", entrusted), order("9/2567", rest))
    with pytest.raises(MatterReserved):
        ask(orders, Who("inspector", "i"), Act.URGE)
