"""What differs is exactly what turns one state into the other, and each kind is told by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.order import CabinetEnd, OrderIssued, TenureEnd, TenureRegistered
from services.domain.changes import (
    Difference,
    End,
    Entry,
    Kind,
    Standing,
    Version,
    applied,
    differences,
    kind_of,
    moving_order,
    replaced,
)
from services.domain.matrix import Holding
from tests.domain.prime_minister import BEGIN, HOUR, at, gives, order, part_revoked, tenure

PHUKET = frozenset({"TH-83"})
NOWHERE: frozenset[str] = frozenset()
FIRST, LATER, CORRECTION = (3, 1), (3, 9), (3, 7)
REPORT = Version("/centres/poc/TH-83", "first", FIRST, FIRST)
CORRECTED = Version("/centres/poc/TH-83", "first", FIRST, CORRECTION)
LATER_REPORT = Version("/centres/poc/TH-83", "later", LATER, LATER)
BY = ("/centres/poc/TH-83", "word")

entries = st.builds(Entry[str], value=st.integers(0, 2), detail=st.just(""))
states = st.dictionaries(
    st.tuples(st.sampled_from("12"), st.sampled_from("abc")), entries, max_size=6
)


@given(states)
def test_nothing_differs_from_itself(state: dict[tuple[str, ...], Entry[str]]) -> None:
    assert differences(state, state) == []


@given(states, states)
def test_the_differences_make_the_second_state_of_the_first(
    before: dict[tuple[str, ...], Entry[str]], after: dict[tuple[str, ...], Entry[str]]
) -> None:
    changed = differences(before, after)
    assert applied(before, changed) == after
    assert [one.key for one in changed] == sorted(one.key for one in changed)
    assert applied(after, differences(after, before)) == before


def seen(*versions: Version, value: int = 1, places: frozenset[str] = PHUKET) -> Entry[str]:
    return Entry(value, "", places, versions)


def end(*standing: tuple[Version, Standing], area: frozenset[str] = PHUKET) -> End:
    return End(area, {version.root: how for version, how in standing})


STANDS = (REPORT, Standing(FIRST))
LATER_STANDS = (LATER_REPORT, Standing(LATER))
PUT_RIGHT = (REPORT, Standing(CORRECTION, by=BY))
TAKEN_BACK = (REPORT, Standing((3, 8), withdrawn=True, by=BY))


@pytest.mark.parametrize(
    ("kind", "before", "after", "first", "second"),
    [
        ("new", None, seen(REPORT), end(), end(STANDS)),
        ("changed", seen(REPORT), seen(LATER_REPORT), end(STANDS), end(STANDS, LATER_STANDS)),
        ("changed", seen(REPORT), None, end(STANDS), end(STANDS)),
        ("corrected", seen(REPORT), seen(CORRECTED), end(STANDS), end(PUT_RIGHT)),
        ("corrected", None, seen(CORRECTED), end(STANDS), end(PUT_RIGHT)),
        ("corrected", seen(REPORT), None, end(STANDS), end(PUT_RIGHT)),
        ("corrected", seen(REPORT), seen(LATER_REPORT), end(STANDS), end(PUT_RIGHT, LATER_STANDS)),
        ("new", None, seen(CORRECTED), end(), end(PUT_RIGHT)),
        ("withdrawn", seen(REPORT), None, end(STANDS), end(TAKEN_BACK)),
        (
            "withdrawn",
            seen(LATER_REPORT),
            seen(REPORT),
            end(STANDS, LATER_STANDS),
            end(STANDS, (LATER_REPORT, Standing((3, 8), withdrawn=True, by=BY))),
        ),
        ("moved", None, seen(REPORT), end(STANDS, area=NOWHERE), end(STANDS)),
        ("new", None, seen(REPORT), end(area=NOWHERE), end(STANDS)),
        ("moved", seen(REPORT), None, end(STANDS), end(TAKEN_BACK, area=NOWHERE)),
    ],
)
def test_each_kind_is_told_from_the_others(
    kind: Kind, before: Entry[str] | None, after: Entry[str] | None, first: End, second: End
) -> None:
    change = Difference(("2", "x"), before, after)
    assert kind_of(change, first, second) == kind
    standing = replaced(change, first, second)
    if kind in ("corrected", "withdrawn"):
        assert standing is not None
        assert (standing.by, standing.withdrawn) == (BY, kind == "withdrawn")


FIRST_ORDER = order("1/2567", BEGIN, gives("TH-83", "a"))
OCTOBER = BEGIN + HOUR


def lost_by(*orders: OrderIssued, tenures: tuple[TenureRegistered, ...] = ()) -> OrderIssued | None:
    """The order by which a loses Phuket between the two moments."""
    chain = (FIRST_ORDER, *orders)
    before, after = (at(moment, *chain, tenures=tenures) for moment in (BEGIN, BEGIN + 24 * HOUR))
    (lost,) = before.held_by("a")
    assert after.held_by("a") == []
    return moving_order(None, lost, before, after)


def test_a_province_leaves_by_the_first_later_order_that_gives_or_ends_it() -> None:
    given_away = order("2/2567", OCTOBER, gives("TH-83", "b"))
    assert lost_by(given_away) == given_away
    revoking = order("3/2567", OCTOBER, revokes=["1/2567"])
    assert lost_by(revoking) == revoking
    complete = order("4/2567", OCTOBER, complete=["area"])
    later = order("5/2567", OCTOBER + HOUR, gives("TH-83", "b"))
    assert lost_by(later, complete) == complete
    part = order("6/2567", OCTOBER, part_revoked("1/2567", "TH-83"))
    assert lost_by(order("5/2567", OCTOBER, part_revoked("1/2567", "TH-82")), part) == part
    fallen = order("7/2567", OCTOBER, CabinetEnd())
    assert lost_by(fallen) == fallen


def test_a_province_leaves_by_no_order_when_its_holder_leaves_office() -> None:
    assert lost_by(tenures=(tenure("a", "2023-01-01", "2024-01-02"),)) is None


def test_a_province_leaves_by_the_order_that_ends_its_holder_s_tenure() -> None:
    ending = order("2/2567", OCTOBER, TenureEnd(tenure="a.2023-01-01"))
    assert lost_by(ending, tenures=(tenure("a", "2023-01-01"),)) == ending


def test_a_province_comes_by_the_order_that_gives_it() -> None:
    matrix = at(OCTOBER, FIRST_ORDER)
    (gained,) = matrix.held_by("a")
    assert isinstance(gained, Holding)
    assert moving_order(gained, None, matrix, matrix) == FIRST_ORDER
    assert moving_order(None, None, matrix, matrix) is None


def test_an_order_that_states_its_own_end_is_what_ends_it() -> None:
    ending = order("6/2567", BEGIN, gives("TH-83", "a"), effective_to=OCTOBER)
    before, after = at(BEGIN, ending), at(OCTOBER, ending)
    (lost,) = before.held_by("a")
    assert moving_order(None, lost, before, after) == ending
