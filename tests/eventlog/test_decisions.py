"""Reading decisions: doubles are dropped, a gap stops, whatever relays did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.decisions import Gap, fresh, position_of
from services.eventlog.log import Record


def record(position: int, offset: int = 0) -> Record:
    headers = [("ce_id", b"x"), ("ce_position", b"%d" % position)]
    return Record("decisions", 0, offset, b"", b"", headers)


@given(st.integers(0, 1_000), st.lists(st.integers(0, 30), max_size=10))
def test_whatever_relays_publish_twice_is_read_once(start: int, restarts: list[int]) -> None:
    # Each relay goes on from somewhere at or before the end, so positions never skip.
    written, end = [], start
    for back in restarts:
        first = max(start, end - back)
        written += list(range(first, first + 20))
        end = max(end, first + 20)
    read = fresh([record(position) for position in written], start)
    assert [position_of(one) for one in read] == list(range(start, end))


@given(st.integers(0, 100), st.integers(0, 10), st.integers(1, 10))
def test_a_gap_is_never_passed(start: int, before: int, missing: int) -> None:
    positions = [*range(start, start + before), start + before + missing]
    with pytest.raises(Gap) as gap:
        fresh([record(position) for position in positions], start)
    assert (gap.value.expected, gap.value.found) == (start + before, start + before + missing)


def test_nothing_but_old_positions_is_nothing() -> None:
    assert fresh([record(position) for position in (3, 4, 5)], 6) == []
    assert fresh([], 0) == []
