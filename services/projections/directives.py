"""Directives to rows: drafts, steps, and the authority that each issue cites."""

from collections.abc import Iterator

from schemas.events import EventModel
from schemas.events.directive import (
    DirectiveClosed,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveReversed,
    DirectiveStep,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveUndeliverable,
    DirectiveWithdrawn,
)
from services.domain.steps import STEPS as LEADING
from services.domain.steps import Phase
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.directives import AUTHORITY, DRAFTS, METADATA, STEPS, UNDELIVERABLE

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
            yield _whole(fact, issued.directive)
            yield from _authority(fact, issued)
        case DirectiveStep() as step:
            leads_to = LEADING[type(step)].to
            verb, body = _verb(step), step.model_dump_json()
            yield fact.row(STEPS, step.directive, verb, step.addressee, leads_to, body)
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


def _whole(fact: Fact, directive: str) -> Row:
    event = fact.event
    body = event.model_dump_json()
    return fact.row(STEPS, directive, _verb(event), None, _PHASES[type(event)], body)


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
