"""What has fallen due of a directive and was not stated yet: reminders, overdue, escalation.

A step of the addressee ends the clock of what it did; whatever ends or takes over the directive
ends all of them (ours). What was done before it was stated is not stated any more.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from schemas.events.clocks import (
    Clock,
    DirectiveDue,
    DirectiveEscalated,
    DirectiveOverdue,
    DirectiveReminded,
    Office,
)
from schemas.events.directive import DirectiveReturned, DirectiveStep
from services.domain import clocks
from services.domain.clocks import Alarm
from services.domain.directives import Directive
from services.domain.steps import OWING, UNANSWERED

AT_ONCE = 500
"""The most that one decision states; the next one states the rest."""


def owed(directive: Directive, addressee: str) -> Iterator[Clock]:
    """The clocks of what the addressee owes as it stands."""
    standing = directive.standing.get(addressee)
    for clock in directive.clocks if directive.phase == "open" else ():
        if clock.owes == "acknowledgement" and standing in UNANSWERED:
            yield clock
        elif clock.owes != "acknowledgement" and standing in OWING:
            yield directive.renewed.get(addressee, clock)


def fallen(directive: Directive, *, now: datetime) -> Mapping[DirectiveDue, datetime]:
    """What fell due before now and was not stated, with when it fell, the first to fall first."""
    unstated = sorted(_unstated(directive, now), key=lambda one: one[0])
    return {event: at for at, event in unstated[:AT_ONCE]}


def escalated_to(directive: Directive, addressee: str) -> Office | None:
    """With whom what the addressee owes lies by now; None while it lies with the addressee."""
    deadlines = {(clock.owes, clock.ends) for clock in owed(directive, addressee)}
    levels = {
        one.level: one.to
        for one in directive.stated.get(addressee, ())
        if isinstance(one, DirectiveEscalated) and (one.owes, one.due_at) in deadlines
    }
    return levels[max(levels)] if levels else None


def timed(directive: Directive, taken: DirectiveStep, *, now: datetime) -> DirectiveStep:
    """The step with the clock that it arms: a report given back is owed anew."""
    for clock in directive.clocks:
        if isinstance(taken, DirectiveReturned) and clock.owes == "report":
            return taken.model_copy(update={"clock": clocks.begun_anew(clock, now=now)})
    return taken


def _unstated(directive: Directive, now: datetime) -> Iterator[tuple[datetime, DirectiveDue]]:
    id_ = directive.draft.directive if directive.draft else ""
    for addressee in directive.standing:
        stated = directive.stated.get(addressee, ())
        for clock in owed(directive, addressee):
            for alarm in clocks.alarms(clock):
                # A reminder after the deadline reminds nobody of anything.
                is_late = alarm.step == "reminded" and clock.ends < now
                event = _event(id_, addressee, clock, alarm)
                if alarm.falls_at < now and not is_late and event not in stated:
                    yield alarm.falls_at, event


def _event(directive: str, addressee: str, clock: Clock, alarm: Alarm) -> DirectiveDue:
    due: dict[str, Any] = {
        "directive": directive,
        "addressee": addressee,
        "owes": clock.owes,
        "since": clock.begins,
        "due_at": clock.ends,
    }
    match alarm.step:
        case "reminded":
            return DirectiveReminded(**due)
        case "overdue":
            return DirectiveOverdue(**due)
        case "escalated":
            return DirectiveEscalated(**due, level=alarm.level, to=alarm.to)
