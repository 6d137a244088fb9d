"""The figure shown follows the patterns; what no pattern names comes last; ties are settled."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.precedence import Statement, rank, shown

PATTERNS = ("doc:moi.ddpm", "poc", "PMOC", "MOC", "DOC", "other")
NOON = datetime(2004, 12, 26, 12, tzinfo=UTC)
SOURCES = (
    "/centres/doc/moi.ddpm",
    "/centres/poc/TH-83",
    "/centres/poc/TH-82",
    "/centres/pmoc",
    "/centres/moc/moph",
    "/centres/doc/mot.doh",
    "/centres/press/the-nation",
    "not-a-centre",
)

statements = st.builds(
    Statement[int],
    source=st.sampled_from(SOURCES),
    time=st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
    sequence=st.none() | st.integers(0, 2),
    id=st.sampled_from("abc"),
    value=st.integers(0, 9),
)


def said(source: str, *, hours: int = 0, value: int = 1) -> Statement[int]:
    return Statement(source, NOON + timedelta(hours=hours), None, "a", value)


def test_the_first_pattern_wins_however_late_another_speaks() -> None:
    official, late = said(SOURCES[0]), said(SOURCES[1], hours=9)
    assert shown([late, official], "TH-83", PATTERNS) is official


def test_poc_means_the_place_s_own_centre_alone() -> None:
    own, neighbour = said("/centres/poc/TH-83"), said("/centres/poc/TH-82", hours=1)
    assert shown([own, neighbour], "TH-83", PATTERNS) is own
    assert shown([own, neighbour], "TH-82", PATTERNS) is neighbour


def test_bangkok_s_own_centre_is_the_city_s() -> None:
    assert rank("/centres/city/TH-10", "TH-10", PATTERNS) == PATTERNS.index("poc")


def test_what_no_pattern_names_comes_last() -> None:
    unnamed, press = said("not-a-centre", hours=1), said("/centres/press/cnn")
    assert shown([unnamed, press], "TH", PATTERNS) is press
    assert shown([unnamed], "TH", PATTERNS) is unnamed


def test_without_patterns_the_latest_is_shown() -> None:
    early, late = said(SOURCES[0]), said(SOURCES[6], hours=1)
    assert shown([early, late], "TH", ()) is late


def test_nothing_said_shows_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        shown(list[Statement[int]](), "TH", PATTERNS)


@given(st.lists(statements, min_size=1))
def test_the_order_of_arrival_decides_nothing(said: list[Statement[int]]) -> None:
    first = shown(said, "TH-83", PATTERNS)
    again = shown(sorted(said, key=repr), "TH-83", PATTERNS)
    assert (rank(first.source, "TH-83", PATTERNS), first.tie) == (
        rank(again.source, "TH-83", PATTERNS),
        again.tie,
    )
    assert all(
        (rank(first.source, "TH-83", PATTERNS), one.tie <= first.tie)
        <= (rank(one.source, "TH-83", PATTERNS), True)
        for one in said
    )
