"""The time that a directive allows, and the moments at which something follows when it runs out.

What a directive states is due as stated. The rest, and what follows, is the policy of the day on
which it is issued, kept in the issue: a later policy changes no clock that runs. That answers are
owed in time and go up when they are not there is the sources' (domain.md 4, S3); how long, how
often and in which steps is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from schemas.events.clocks import Clock, ClocksSet, Office, Owed
from schemas.events.directive import Capacity, DirectiveDrafted
from schemas.events.model import EventModel
from services.domain.decider import Decider

_DAY = 86_400

DEFAULT = ClocksSet(
    acknowledge_seconds=_DAY,
    report_seconds=3 * _DAY,
    reminder_percent=75,
    level_seconds=_DAY,
    levels=["secretariat", "deputy", "pmoc", "pm"],
    source="ours",
)
"""The policy while none is registered: noted in a day, answered in three, then one level a day."""

_OF_THE_PM: frozenset[Capacity] = frozenset({"prime_minister", "acting_pm"})
_BELOW_THE_PM: frozenset[Office] = frozenset({"secretariat", "deputy"})


def _evolve(before: ClocksSet | None, event: EventModel) -> ClocksSet | None:
    return event if isinstance(event, ClocksSet) else before


DECIDER: Decider[ClocksSet | None] = Decider("registry/clocks", None, _evolve)
"""The policy as it was set last; which one rules on a day is the registry's to say."""


def set_anew(last: ClocksSet | None, wanted: ClocksSet) -> list[EventModel]:
    """The policy is this from its day on."""
    return [] if wanted == last else [wanted]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A moment at which something follows. Level 0 is the reminder's and the deadline's."""

    step: Literal["reminded", "overdue", "escalated"]
    falls_at: datetime
    level: int = 0
    to: Office | None = None


def clocks_of(
    written: DirectiveDrafted, capacity: Capacity, policy: ClocksSet, *, now: datetime
) -> Iterator[Clock]:
    """What every addressee of a directive that is issued now owes, and by when.

    Where the draft states no time, the policy's counts from the issue; but what is noted is noted
    no later than it is answered. Advice carries no compliance (domain.md 3, power 6): it is noted.
    """
    answer, note = written.report_by, written.acknowledge_by
    if note is None:
        note = now + timedelta(seconds=policy.acknowledge_seconds)
        note = note if answer is None else min(note, answer)
    if answer is None:
        answer = max(note, now + timedelta(seconds=policy.report_seconds))
    levels = list(_levels(written, capacity, policy))
    at_last: Owed = "confirmation" if written.kind == "suspension" else "report"
    due: dict[Owed, datetime] = {"acknowledgement": note}
    if written.kind != "advice":
        due[at_last] = answer
    for owes, ends in due.items():
        yield Clock(
            owes=owes,
            begins=now,
            ends=ends,
            reminder_percent=policy.reminder_percent,
            level_seconds=policy.level_seconds,
            levels=levels,
        )


def _levels(written: DirectiveDrafted, capacity: Capacity, policy: ClocksSet) -> Iterator[Office]:
    """The offices that this directive goes up to, in the policy's order.

    What the Prime Minister issued has no deputy's side below; what is confidential is both sides'
    and the Prime Minister's alone, so it passes the PMOC by (ours).
    """
    for office in policy.levels:
        is_below = capacity in _OF_THE_PM and office in _BELOW_THE_PM
        if not is_below and (office != "pmoc" or written.classification != "confidential"):
            yield office


def begun_anew(clock: Clock, *, now: datetime) -> Clock:
    """As much time as there was, from now on: what was returned is answered anew (ours)."""
    return clock.model_copy(update={"begins": now, "ends": now + (clock.ends - clock.begins)})


def alarms(clock: Clock) -> Iterator[Alarm]:
    """When something follows, in order: a reminder, the deadline, one level after the other."""
    allowed = clock.ends - clock.begins
    yield Alarm("reminded", clock.begins + allowed * clock.reminder_percent / 100)
    yield Alarm("overdue", clock.ends)
    for level, to in enumerate(clock.levels, 1):
        after = timedelta(seconds=level * clock.level_seconds)
        yield Alarm("escalated", clock.ends + after, level, to)
