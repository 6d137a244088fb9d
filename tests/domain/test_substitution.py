"""Who acts when the holder cannot, and what rests at a moment."""

import pytest

from schemas.events.order import (
    ActingPrimeMinister,
    CabinetEnd,
    Entrusted,
    Release,
    Reservation,
    TenureEnd,
)
from services.domain.matrix import Matrix
from services.domain.substitution import (
    acted_for_by,
    acting_for,
    acting_prime_minister,
    entrusted,
    exercised,
    is_present,
    reservations,
)
from tests.domain.prime_minister import (
    BEGIN,
    HOUR,
    NEARLY,
    appointed,
    area,
    at,
    away,
    function,
    gives,
    order,
    ring,
)

RING = order("1/2567", BEGIN, ring("a", "b", "c"), ring("b", "c", "a"), ring("c", "a", "b"))


def who(matrix: Matrix, deputy: str = "a") -> str | None:
    acting = acting_for(matrix, deputy)
    return acting.deputy if acting else None


@pytest.mark.parametrize(
    ("absent", "acts_for_a"), [("", None), ("b", None), ("a", "b"), ("ab", "c"), ("abc", None)]
)
def test_the_first_of_the_list_who_is_present_acts(absent: str, acts_for_a: str | None) -> None:
    absence = order("2/2567", BEGIN, *map(away, absent))
    assert who(at(BEGIN, RING, absence)) == acts_for_a


def test_a_substitute_acts_only_during_the_absence() -> None:
    absence = order("2/2567", BEGIN + HOUR, away("a"), effective_to=BEGIN + 2 * HOUR)
    moments = (BEGIN + HOUR - NEARLY, BEGIN + HOUR, BEGIN + 2 * HOUR - NEARLY, BEGIN + 2 * HOUR)
    assert [who(at(moment, RING, absence)) for moment in moments] == [None, "b", "b", None]


def test_an_absence_without_a_list_is_nobody_s_to_fill() -> None:
    assert who(at(BEGIN, order("2/2567", BEGIN, away("a")))) is None


def test_an_empty_post_is_acted_for_and_who_left_office_acts_for_nobody() -> None:
    chain = (
        order("1/2566", BEGIN, appointed("a"), appointed("b"), appointed("c")),
        RING,
        order("2/2567", BEGIN + HOUR, TenureEnd(tenure="a.1")),
        order("3/2567", BEGIN + 2 * HOUR, TenureEnd(tenure="b.1")),
    )
    assert who(at(BEGIN, *chain)) is None
    assert who(at(BEGIN + HOUR, *chain)) == "b"
    assert who(at(BEGIN + 2 * HOUR, *chain)) == "c"


def test_one_person_may_act_for_two() -> None:
    acting = acted_for_by(at(BEGIN, RING, order("2/2567", BEGIN, away("a"), away("b"))), "c")
    assert [(one.acting_for, one.order.number, one.nth) for one in acting] == [
        ("a", "1/2567", 1),
        ("b", "1/2567", 2),
    ]


def test_the_last_list_in_force_counts_and_nobody_stands_in_for_themself() -> None:
    later = order("2/2567", BEGIN + HOUR, ring("a", "a", "c"), away("a"))
    assert who(at(BEGIN + HOUR, RING, later)) == "c"


def test_the_end_of_a_cabinet_ends_lists_absences_and_reservations() -> None:
    reserving = order("2/2567", BEGIN, away("a"), Reservation(subject="incidents/flood"))
    matrix = at(BEGIN + HOUR, RING, reserving, order("3/2567", BEGIN + HOUR, CabinetEnd()))
    assert (is_present(matrix, "a"), who(matrix)) == (True, None)
    assert list(reservations(matrix)) == []


def test_who_acts_as_prime_minister_is_the_first_present_of_the_last_order() -> None:
    first = order("1/2567", BEGIN, ActingPrimeMinister(deputy="a"), ActingPrimeMinister(deputy="b"))
    second = order(
        "2/2567", BEGIN + HOUR, ActingPrimeMinister(deputy="c"), effective_to=BEGIN + 2 * HOUR
    )
    absence = order("3/2567", BEGIN + 2 * HOUR, away("a"))

    def acts(moment: int) -> str | None:
        found = acting_prime_minister(at(BEGIN + moment * HOUR, first, second, absence))
        return found.clause.deputy if found else None

    assert [acts(-1), acts(0), acts(1), acts(2)] == [None, "a", "c", "b"]


def test_an_inspector_has_the_duty_where_the_deputy_still_holds_and_nowhere_else() -> None:
    duty = Entrusted(
        deputy="a", inspector="i", provinces=["TH-83", "TH-82"], duties=["inspect", "advise"]
    )
    chain = (
        area("1/2567", BEGIN, TH_83="a", TH_82="b"),
        order("2/2567", BEGIN, duty),
        area("3/2567", BEGIN + HOUR, TH_82="b"),
    )
    assert [one.provinces for one in entrusted(at(BEGIN, *chain), "i")] == [{"TH-83"}]
    assert list(entrusted(at(BEGIN, *chain), "j")) == []
    assert list(entrusted(at(BEGIN + HOUR, *chain), "i")) == []


def test_a_reservation_rests_from_its_order_to_its_release_for_good() -> None:
    reserving = order("1/2567", BEGIN, Reservation(dimension="area", target="TH-83"))
    lapsing = order(
        "2/2567", BEGIN, Reservation(deputy="a", subject="directives/1"), effective_to=BEGIN + HOUR
    )
    release = order(
        "3/2567", BEGIN + 2 * HOUR, Release(order="1/2567"), effective_to=BEGIN + 3 * HOUR
    )

    def reserved(moment: int) -> list[str]:
        matrix = at(BEGIN + moment * HOUR, reserving, lapsing, release)
        return [one.order.number for one in reservations(matrix)]

    assert [reserved(hour) for hour in range(-1, 4)] == [
        [], ["1/2567", "2/2567"], ["1/2567"], [], [],
    ]  # fmt: skip


def test_a_later_complete_order_leaves_what_an_order_reserved() -> None:
    first = order("1/2567", BEGIN, Reservation(subject="directives/1"), complete=["area"])
    assert len(reservations(at(BEGIN + HOUR, first, area("2/2567", BEGIN + HOUR)))) == 1


# An empty post.

APPOINTED = order("1/2566", BEGIN, *map(appointed, "abc"))
GIVEN = order("2/2566", BEGIN, gives("TH-83", "a"), function("moi", "a", "oversee+command"))
LEAVES = order("3/2567", BEGIN + HOUR, TenureEnd(tenure="a.1"))
EMPTY = (APPOINTED, RING, GIVEN, LEAVES)


def acted_on(matrix: Matrix, deputy: str) -> list[str]:
    return sorted(one.given.target for one in exercised(matrix, deputy))


def test_for_an_empty_post_the_substitute_acts_on_what_was_held_until_it_was_empty() -> None:
    before, after = (at(moment, *EMPTY) for moment in (BEGIN + HOUR - NEARLY, BEGIN + HOUR))
    assert [acted_on(before, one) for one in "abc"] == [["TH-83", "moi"], [], []]
    assert [acted_on(after, one) for one in "abc"] == [[], ["TH-83", "moi"], []]


def test_nobody_holds_what_a_substitute_acts_on_for_an_empty_post() -> None:
    matrix = at(BEGIN + HOUR, *EMPTY)
    assert matrix.cell("area", "TH-83").cover == "uncovered"
    assert [matrix.held_by(one) for one in "abc"] == [[], [], []]


def test_a_new_order_takes_from_the_substitute_what_it_gives_to_another() -> None:
    given = order("4/2567", BEGIN + 2 * HOUR, gives("TH-83", "c"), function("moi", "c", "command"))
    matrix = at(BEGIN + 2 * HOUR, *EMPTY, given)
    assert acted_on(matrix, "c") == ["TH-83", "moi"]
    assert [(one.given.target, one.power) for one in exercised(matrix, "b")] == [("moi", "oversee")]


@pytest.mark.parametrize("ends", ["order", "cabinet", "complete"])
def test_what_ends_ends_for_the_substitute_of_an_empty_post_too(ends: str) -> None:
    ending = {
        "order": order("4/2567", BEGIN + 2 * HOUR, revokes=["2/2566"]),
        "cabinet": order("4/2567", BEGIN + 2 * HOUR, CabinetEnd()),
        "complete": order("4/2567", BEGIN + 2 * HOUR, complete=["area", "function"]),
    }[ends]
    assert acted_on(at(BEGIN + 2 * HOUR, *EMPTY, ending), "b") == []


def test_who_comes_back_ends_the_substitution_and_holds_nothing_without_a_new_order() -> None:
    back = order("4/2567", BEGIN + 2 * HOUR, appointed("a", "a.2"))
    matrix = at(BEGIN + 2 * HOUR, *EMPTY, back)
    assert [acted_on(matrix, one) for one in "ab"] == [[], []]
    again = order("5/2567", BEGIN + 3 * HOUR, TenureEnd(tenure="a.2"))
    assert acted_on(at(BEGIN + 3 * HOUR, *EMPTY, back, again), "b") == []


def test_what_was_given_to_an_empty_post_was_never_held() -> None:
    late = order("4/2567", BEGIN + 2 * HOUR, gives("TH-82", "a"))
    assert acted_on(at(BEGIN + 2 * HOUR, *EMPTY, late), "b") == ["TH-83", "moi"]


def test_bangkok_is_outside_the_scheme_for_a_substitute_too() -> None:
    capital = order("2/2566", BEGIN, gives("TH-10", "a"))
    assert acted_on(at(BEGIN + HOUR, APPOINTED, RING, capital, LEAVES), "b") == []
