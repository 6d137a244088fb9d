"""What differs is exactly what turns one state into the other, and each kind is told by rule."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from services.domain.matrix import Assigned, Holding, Matrix, Order, Tenure

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


def gives(number: str, begin: date, deputy: str, **fields: object) -> Order:
    fields = {"kind": "area", "scope": "amending", **fields}
    return Order(
        number=number,
        effective_from=begin,
        assignments=(Assigned("area", "TH-83", deputy, "area"),),
        **fields,  # type: ignore[arg-type] # the fields of an order, by name
    )


FIRST_ORDER = gives("1/2567", date(2024, 1, 1), "a")
BEFORE, AFTER = date(2024, 9, 1), date(2024, 10, 2)


def lost_by(*orders: Order, tenures: tuple[Tenure, ...] = ()) -> Order | None:
    """The order by which a loses Phuket between the two days."""
    before, after = (Matrix(day, (FIRST_ORDER, *orders), tenures) for day in (BEFORE, AFTER))
    (lost,) = before.held_by("a")
    assert after.held_by("a") == []
    return moving_order(None, lost, before, after)


def test_a_province_leaves_by_the_first_later_order_that_gives_or_ends_it() -> None:
    given_away = gives("2/2567", date(2024, 10, 1), "b")
    assert lost_by(given_away) == given_away
    revoking = Order("3/2567", "revocation", "partial", date(2024, 10, 1), revokes=("1/2567",))
    assert lost_by(revoking) == revoking
    complete = Order("4/2567", "area", "complete", date(2024, 10, 1))
    assert lost_by(complete, gives("5/2567", date(2024, 10, 2), "b")) == complete


def test_a_province_leaves_by_no_order_when_its_holder_leaves_office() -> None:
    tenure = Tenure("a", "deputy_pm", date(2023, 1, 1), date(2024, 10, 1))
    assert lost_by(tenures=(tenure,)) is None


def test_a_province_comes_by_the_order_that_gives_it() -> None:
    matrix = Matrix(AFTER, (FIRST_ORDER,), ())
    (gained,) = matrix.held_by("a")
    assert isinstance(gained, Holding)
    assert moving_order(gained, None, matrix, matrix) == FIRST_ORDER
    assert moving_order(None, None, matrix, matrix) is None


def test_an_order_that_states_its_own_end_is_what_ends_it() -> None:
    ending = gives("6/2567", date(2024, 2, 1), "a", effective_to=date(2024, 10, 1))
    before, after = (Matrix(day, (ending,), ()) for day in (BEFORE, AFTER))
    (lost,) = before.held_by("a")
    assert moving_order(None, lost, before, after) == ending
