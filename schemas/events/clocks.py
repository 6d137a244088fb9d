"""The clocks of directives: the time allowed, and what is stated when it runs out."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.events.model import EventModel, Key, Moment, Text

Owed = Literal["acknowledgement", "report", "confirmation"]
"""That it was noted; what was done or found; that the suspended act has stopped."""

Office = Literal["secretariat", "deputy", "pmoc", "pm"]
"""Whoever fills it at the moment; of `secretariat` and `deputy`, towards this addressee."""

_Seconds = Annotated[int, Field(ge=60, le=366 * 86_400)]


class Escalation(EventModel):
    """When the addressee is reminded, and with whom what is overdue lies next."""

    type: ClassVar[str] = ""

    reminder_percent: Annotated[int, Field(ge=1, le=99)]
    """How much of the time allowed has passed when the addressee is reminded."""
    level_seconds: _Seconds
    """From the deadline to the first level, and from each level to the next."""
    levels: Annotated[list[Office], Field(max_length=4)]


class ClocksSet(Escalation):
    """By when directives are answered where they do not say so, and what follows, from a day on."""

    type: ClassVar[str] = "clocks.set.v1"

    valid_from: date | None = None
    acknowledge_seconds: _Seconds
    report_seconds: _Seconds
    source: Text
    """Where the policy stands."""


class Clock(Escalation):
    """The time allowed for one thing owed. Due by `ends`: at that moment it is still in time."""

    type: ClassVar[str] = ""

    owes: Owed
    begins: Moment
    ends: Moment


class DirectiveDue(EventModel):
    """What one addressee owes, by when."""

    type: ClassVar[str] = ""

    directive: Key
    addressee: Key
    owes: Owed
    since: Moment
    """What armed the clock: the issue, or the return of the report."""
    due_at: Moment


class DirectiveReminded(DirectiveDue):
    """The time allowed is nearly over."""

    type: ClassVar[str] = "directive.reminded.v1"


class DirectiveOverdue(DirectiveDue):
    """The time allowed is over, and what is owed is not there."""

    type: ClassVar[str] = "directive.overdue.v1"


class DirectiveEscalated(DirectiveDue):
    """It is still not there: from now on it lies with this office."""

    type: ClassVar[str] = "directive.escalated.v1"

    level: Annotated[int, Field(ge=1, le=4)]
    to: Office
