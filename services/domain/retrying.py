"""When a delivery that failed is tried again, and when it is given up.

Source: Standard Webhooks 1.0.0, its example schedule (75 h 35 min 5 s in ten attempts) and its
handling of status codes. That Retry-After only ever puts an attempt off, and by a day at most, is
ours: no receiver holds a directive back for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long after each failed attempt the next one is made, jitter apart."""

NOT_BEFORE = timedelta(hours=75)
"""No delivery is given up earlier after its first attempt, however often it was tried."""

JITTER = 0.1
"""The share of a delay that is added to it at most, so that failures do not come back together."""

LONGEST_WAIT = timedelta(hours=24)

_OK = range(200, 300)
_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt: the status of the answer, or None where there was none."""

    status: int | None
    said: str
    """One line: the beginning of the body, or why there was no answer."""
    retry_after: str | None = None
    """The header as it came."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The attempts so far, the one that has just ended included."""

    attempts: int
    first_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an attempt. `next_at` is set where it is tried again, and nowhere else."""

    is_now: Literal["delivered", "waiting", "undeliverable"]
    next_at: datetime | None = None
    disables: Literal["gone", "undeliverable"] | None = None
    """Why nothing more is sent to this endpoint, where nothing is."""


def judge(answer: Answer, tried: Tried, *, jitter: float) -> Verdict:
    """What follows from the answer; `jitter` is a random number from 0 to 1.

    A redirect is a failure like any other, and is not followed.
    """
    if answer.status in _OK:
        return Verdict("delivered")
    if answer.status == _GONE:
        return Verdict("undeliverable", disables="gone")
    if tried.attempts > len(SCHEDULE) and tried.ended_at - tried.first_at >= NOT_BEFORE:
        return Verdict("undeliverable", disables="undeliverable")
    return Verdict("waiting", tried.ended_at + _delay(answer, tried, jitter))


def retry_after(header: str | None, *, now: datetime) -> timedelta:
    """How long the receiver asks to be left alone: seconds or a date; nothing for anything else.

    Source: RFC 9110, 10.2.3.
    """
    if header is None:
        return timedelta()
    stated = header.strip()
    if stated.isascii() and stated.isdigit():
        # Nine digits are thirty years: more is the same, and would not fit a timedelta.
        return min(timedelta(seconds=int(stated[:9])), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return timedelta()
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(), min(aware - now, LONGEST_WAIT))


def _delay(answer: Answer, tried: Tried, jitter: float) -> timedelta:
    due = SCHEDULE[min(tried.attempts, len(SCHEDULE)) - 1]
    return max(due * (1 + JITTER * jitter), retry_after(answer.retry_after, now=tried.ended_at))
