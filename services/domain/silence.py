"""A centre's silence: raised once for what armed it, ended once when the centre is heard again.

Time in which the network was not listening counts against nobody, so intervals are counted on the
network's listening clock: seconds in which it listened, as its ticks state them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.events.model import EventModel
from schemas.events.silence import CentreHeard, CentreSilent
from services.domain.decider import Decider


@dataclass(frozen=True, slots=True)
class Hearing:
    """Whether a centre is silent, and since when it is or is not.

    `since` is None as long as it never was.
    """

    silent: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """An interval that ran out without a word. `last_heard` is None when there never was one."""

    centre: str
    ran_out_at: datetime
    last_heard: datetime | None


@dataclass(frozen=True, slots=True)
class Listening:
    """A moment of the network, and the seconds for which it had listened until then."""

    time: datetime
    listened: float


LOOK_BACK_SECONDS = 86_400.0
"""How far back, on the listening clock, silences are looked for that began and ended unseen."""

_MOST_STEPS = 200


def looks_back(shortest_seconds: float) -> float:
    """How far back the look goes, in steps of the shortest interval: 200 of them at most."""
    return min(LOOK_BACK_SECONDS, _MOST_STEPS * shortest_seconds)


def evolve(hearing: Hearing, event: EventModel) -> Hearing:
    """Apply one recorded fact."""
    match event:
        case CentreSilent(silent_since=since):
            return Hearing(silent=True, since=since)
        case CentreHeard(heard_at=since):
            return Hearing(silent=False, since=since)
        case _:
            return hearing


DECIDER = Decider("silence", Hearing(), evolve)


def fall_silent(hearing: Hearing, missed: Missed) -> list[EventModel]:
    """State that the centre is silent; of one that is silent nothing is said again.

    An interval that ran out before the centre was last heard again is no longer news: whoever
    brings it, a second timer say, looked at the past.
    """
    if hearing.silent or not _is_news(hearing, missed.ran_out_at):
        return []
    return [
        CentreSilent(
            centre=missed.centre, silent_since=missed.ran_out_at, last_heard=missed.last_heard
        )
    ]


def hear_again(hearing: Hearing, centre: str, *, heard_at: datetime) -> list[EventModel]:
    """State that the silent centre was heard; of one that is not silent nothing is said."""
    if not hearing.silent or not _is_news(hearing, heard_at):
        return []
    return [CentreHeard(centre=centre, heard_at=heard_at)]


def was_silent(deadline: float, before: Listening) -> bool:
    """Whether the interval ran out before the centre was heard again.

    `before` is the last tick that did not cover what was heard; a tick that does ends the silence
    before anybody could state it.
    """
    return before.listened > deadline


def ran_out_at(deadline: float, passed: Listening) -> datetime:
    """When the listening clock showed `deadline` seconds; `passed` is the first tick after it.

    Between two ticks the network listened all the time or not at all, so from the first tick that
    shows more the way back is as long as the clock says.
    """
    return passed.time - timedelta(seconds=passed.listened - deadline)


def _is_news(hearing: Hearing, moment: datetime) -> bool:
    return hearing.since is None or moment > hearing.since
