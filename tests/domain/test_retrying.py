"""When a failed delivery is tried again, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.retrying import (
    JITTER,
    LONGEST_WAIT,
    NOT_BEFORE,
    SCHEDULE,
    Answer,
    Tried,
    Verdict,
    judge,
    retry_after,
)

BEGUN = datetime(2024, 9, 1, 5, 0, tzinfo=UTC)
FAILED = Answer(500, "oops")

jitters = st.floats(0, 1)
statuses = st.none() | st.integers(100, 599)
headers = st.none() | st.text(max_size=40) | st.integers(0, 10**12).map(str)


def lived(answers: list[Answer], *, jitter: float, takes: timedelta) -> list[tuple[Verdict, Tried]]:
    """A delivery's life against these answers, the last one repeated, each taking so long."""
    at, lives, number = BEGUN, [], 0
    while True:
        answer = answers[min(number, len(answers) - 1)]
        number += 1
        tried = Tried(number, BEGUN, at + takes)
        verdict = judge(answer, tried, jitter=jitter)
        lives.append((verdict, tried))
        if verdict.next_at is None:
            return lives
        assert verdict.next_at > tried.ended_at
        at = verdict.next_at


def test_the_schedule_is_the_specification_s() -> None:
    lives = lived([FAILED], jitter=0, takes=timedelta())
    assert [str(tried.ended_at - BEGUN) for _, tried in lives] == [
        "0:00:00", "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05",
        "1 day, 7:35:05", "2 days, 3:35:05", "3 days, 3:35:05",
    ]  # fmt: skip
    assert lives[-1][0] == Verdict("undeliverable", disables="undeliverable")


@given(st.lists(st.builds(Answer, statuses, st.just(""), headers), min_size=1), jitters,
       st.timedeltas(timedelta(), timedelta(seconds=15)))  # fmt: skip
def test_nothing_is_given_up_within_75_hours_unless_the_receiver_is_gone(
    answers: list[Answer], jitter: float, takes: timedelta
) -> None:
    answers = [one for one in answers if one.status is None or one.status >= 300] or [FAILED]
    verdict, tried = lived(answers, jitter=jitter, takes=takes)[-1]
    assert verdict.is_now == "undeliverable"
    assert verdict.disables == "gone" or tried.ended_at - BEGUN >= NOT_BEFORE


@given(st.integers(1, 20), jitters, headers)
def test_a_delay_is_the_schedule_s_with_little_jitter_or_what_was_asked_for(
    attempts: int, jitter: float, header: str | None
) -> None:
    tried = Tried(attempts, BEGUN, BEGUN + timedelta(hours=1))
    verdict = judge(Answer(503, "", header), tried, jitter=jitter)
    assert verdict.next_at is not None
    delay = verdict.next_at - tried.ended_at
    due = SCHEDULE[min(attempts, len(SCHEDULE)) - 1]
    assert due <= delay <= max(due * (1 + JITTER), LONGEST_WAIT)
    assert delay >= retry_after(header, now=tried.ended_at)


@given(st.integers(200, 299), st.integers(1, 20))
def test_every_2xx_is_a_success(status: int, attempts: int) -> None:
    tried = Tried(attempts, BEGUN, BEGUN + timedelta(days=9))
    assert judge(Answer(status, ""), tried, jitter=0) == Verdict("delivered")


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 429, 502])
def test_whatever_else_is_answered_is_tried_again(status: int) -> None:
    verdict = judge(Answer(status, ""), Tried(1, BEGUN, BEGUN), jitter=0)
    assert verdict == Verdict("waiting", BEGUN + timedelta(seconds=5))


def test_410_disables_at_the_first_attempt() -> None:
    verdict = judge(Answer(410, ""), Tried(1, BEGUN, BEGUN), jitter=0)
    assert verdict == Verdict("undeliverable", disables="gone")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), (" 7 ", 7), ("0", 0), ("999999999999", 86_400), ("-5", 0), ("soon", 0), ("", 0),
     ("Sun, 01 Sep 2024 05:10:00 GMT", 600), ("Sun, 01 Sep 2024 04:00:00 GMT", 0),
     ("Fri, 01 Jan 2999 00:00:00 GMT", 86_400), ("Fri, 99 Jan 2999 00:00:00 GMT", 0), ("๗", 0),
     (None, 0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_of_at_most_a_day(
    header: str | None, seconds: int
) -> None:
    assert retry_after(header, now=BEGUN) == timedelta(seconds=seconds)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    assert timedelta() <= retry_after(header, now=BEGUN) <= LONGEST_WAIT
