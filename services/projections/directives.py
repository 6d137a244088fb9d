"""Directives to rows: drafts, steps, clocks, and the authority that each issue cites."""

from collections.abc import Iterator, Sequence

from schemas.events import EventModel
from schemas.events.clocks import Clock, DirectiveDue, DirectiveEscalated
from schemas.events.directive import (
    DirectiveClosed,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveReturned,
    DirectiveReversed,
    DirectiveStep,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveUndeliverable,
    DirectiveWithdrawn,
)
from services.domain.clocks import alarms
from services.domain.steps import STEPS as LEADING
from services.domain.steps import Phase, Standing
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.directives import (
    ALARMS,
    AUTHORITY,
    DRAFTS,
    METADATA,
    STATED,
    STEPS,
    UNDELIVERABLE,
)

_PHASES: dict[type[EventModel], Phase] = {
    DirectiveIssued: "open",
    DirectiveTakenOver: "taken_over",
    DirectiveClosed: "closed",
    DirectiveWithdrawn: "withdrawn",
    DirectiveReversed: "reversed",
    DirectiveSuperseded: "superseded",
}
"""Where the whole directive stands after each."""


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    match fact.event:
        case DirectiveDrafted() as written:
            yield _draft(fact, written)
        case DirectiveIssued() as issued:
            yield _whole(fact, issued.directive, issued.clocks)
            yield from _authority(fact, issued)
            yield from _alarms(fact, issued.directive, None, issued.clocks)
        case DirectiveStep() as step:
            yield from _step(fact, step)
        case DirectiveDue() as due:
            yield _stated(fact, due)
        case DirectiveUndeliverable() as told:
            body = told.model_dump_json()
            yield fact.row(UNDELIVERABLE, told.directive, told.addressee, body)
        case (
            DirectiveTakenOver(directive=directive)
            | DirectiveClosed(directive=directive)
            | DirectiveWithdrawn(directive=directive)
            | DirectiveReversed(directive=directive)
            | DirectiveSuperseded(directive=directive)
        ):
            yield _whole(fact, directive)
        case _:
            return


def _draft(fact: Fact, written: DirectiveDrafted) -> Row:
    return fact.row(
        DRAFTS,
        written.directive,
        written.deputy,
        written.kind,
        written.classification,
        written.addressees,
        written.provinces,
        written.agenda,
        written.acknowledge_by,
        written.report_by,
        written.model_dump_json(),
    )


def _whole(fact: Fact, directive: str, clocks: Sequence[Clock] = ()) -> Row:
    leads_to = _PHASES[type(fact.event)]
    return _leading(fact, directive, None, leads_to, clocks)


def _step(fact: Fact, step: DirectiveStep) -> Iterator[Row]:
    armed = [step.clock] if isinstance(step, DirectiveReturned) and step.clock else []
    leads_to = LEADING[type(step)].to
    yield _leading(fact, step.directive, step.addressee, leads_to, armed)
    yield from _alarms(fact, step.directive, step.addressee, armed)


def _leading(
    fact: Fact,
    directive: str,
    addressee: str | None,
    leads_to: Phase | Standing,
    clocks: Sequence[Clock],
) -> Row:
    due = {one.owes == "acknowledgement": one.ends for one in clocks}
    verb, body = _verb(fact.event), fact.event.model_dump_json()
    return fact.row(
        STEPS, directive, verb, addressee, leads_to, due.get(True), due.get(False), body
    )


def _alarms(
    fact: Fact, directive: str, addressee: str | None, clocks: Sequence[Clock]
) -> Iterator[Row]:
    """None of an archive: what it tells is over."""
    if fact.archive_revision is not None:
        return
    falling = [(clock, alarm) for clock in clocks for alarm in alarms(clock)]
    for nth, (clock, alarm) in enumerate(falling):
        due = clock.owes, clock.ends, alarm.step, alarm.level, alarm.falls_at
        yield fact.row(ALARMS, nth, directive, addressee, *due)


def _stated(fact: Fact, due: DirectiveDue) -> Row:
    level, to = (due.level, due.to) if isinstance(due, DirectiveEscalated) else (0, None)
    return fact.row(
        STATED,
        due.directive,
        due.addressee,
        due.owes,
        due.due_at,
        _verb(due),
        level,
        to,
        due.model_dump_json(),
    )


def _authority(fact: Fact, issued: DirectiveIssued) -> Iterator[Row]:
    for nth, given in enumerate(issued.authority):
        yield fact.row(
            AUTHORITY,
            nth,
            issued.directive,
            given.addressee,
            given.order,
            given.clause,
            given.dimension,
            given.target,
            given.power,
        )


def _verb(event: EventModel) -> str:
    return event.type.split(".")[1]


MODEL = ReadModel("directives", METADATA, project)
