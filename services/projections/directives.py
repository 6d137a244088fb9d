"""Directives to rows: drafts, steps, clocks, the authority each issue cites, and who reads them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

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
from services.domain.readership import ADDRESSEE, EVERYTHING, OWN, POWER
from services.domain.steps import STEPS as LEADING
from services.domain.steps import Phase, Standing
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.directives import (
    ALARMS,
    AUTHORITY,
    DRAFTS,
    LOCKED,
    METADATA,
    STATED,
    STEPS,
    UNDELIVERABLE,
    WHOLES,
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

_NOT_ENDED = datetime.max.replace(tzinfo=UTC)
_NOT_SETTLED = [EVERYTHING]

# Made of all that is there of a directive, so that neither order nor repetition matters. A draft is
# its writers'; what is confidential is both sides'. Without a draft nobody is known but the PM.
_SETTLE = f"""
INSERT INTO {{schema}}.wholes
SELECT touched.realm, touched.directive,
       CASE WHEN draft.classification <> 'confidential' AND issue.given IS NOT NULL THEN NULL
            ELSE array_remove(ARRAY['{EVERYTHING}', '{OWN}' || draft.deputy], NULL) || issue.given
       END,
       coalesce(ending.time, 'infinity'), ending.slot, ending.position, ending.accepted_at,
       ending.archive_revision
FROM (SELECT DISTINCT realm, directive FROM unnest($1::{{schema}}.wholes[])) touched
LEFT JOIN LATERAL (
    SELECT d.deputy, d.classification FROM {{schema}}.drafts d
    WHERE d.realm = touched.realm AND d.directive = touched.directive
    ORDER BY d.position DESC LIMIT 1
) draft ON TRUE
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT name) AS given
    FROM {{schema}}.authority a
    CROSS JOIN LATERAL unnest(ARRAY[
        '{ADDRESSEE}' || a.addressee,
        '{POWER}' || concat_ws(':', a.dimension, a.target, a.power)
    ]) name
    WHERE a.realm = touched.realm AND a.directive = touched.directive
) issue
LEFT JOIN LATERAL (
    SELECT s.* FROM {{schema}}.steps s
    WHERE s.realm = touched.realm AND s.directive = touched.directive AND s.addressee IS NULL
      AND s.leads_to NOT IN ('open', 'taken_over')
    ORDER BY s.position LIMIT 1
) ending ON TRUE
ON CONFLICT (realm, directive) DO UPDATE SET
    readers = excluded.readers, ended_at = excluded.ended_at, slot = excluded.slot,
    position = excluded.position, accepted_at = excluded.accepted_at,
    archive_revision = excluded.archive_revision
"""

_MARK = """
UPDATE {{schema}}.{table} row SET readers = whole.readers
FROM {{schema}}.wholes whole
JOIN (SELECT DISTINCT realm, directive FROM unnest($1::{{schema}}.wholes[])) touched
  USING (realm, directive)
WHERE row.realm = whole.realm AND row.directive = whole.directive
  AND row.readers IS DISTINCT FROM whole.readers
"""


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    match fact.event:
        case DirectiveDrafted() as written:
            yield _draft(fact, written)
            yield _touched(fact, written.directive)
        case DirectiveIssued() as issued:
            yield from _whole(fact, issued.directive, issued.clocks)
            yield from _authority(fact, issued)
            yield from _alarms(fact, issued.directive, None, issued.clocks)
        case DirectiveStep() as step:
            yield from _step(fact, step)
        case DirectiveDue() as due:
            yield _stated(fact, due)
            yield _touched(fact, due.directive)
        case DirectiveUndeliverable() as told:
            body = told.model_dump_json()
            yield fact.row(UNDELIVERABLE, told.directive, told.addressee, body, _NOT_SETTLED)
            yield _touched(fact, told.directive)
        case (
            DirectiveTakenOver(directive=directive)
            | DirectiveClosed(directive=directive)
            | DirectiveWithdrawn(directive=directive)
            | DirectiveReversed(directive=directive)
            | DirectiveSuperseded(directive=directive)
        ):
            yield from _whole(fact, directive)
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
        # What it will come to unless it was issued before: then the row is written once.
        [EVERYTHING, f"{OWN}{written.deputy}"],
    )


def _whole(fact: Fact, directive: str, clocks: Sequence[Clock] = ()) -> Iterator[Row]:
    leads_to = _PHASES[type(fact.event)]
    yield _leading(fact, directive, None, leads_to, clocks)
    yield _touched(fact, directive)


def _touched(fact: Fact, directive: str) -> Row:
    return WHOLES, (fact.realm, directive, _NOT_SETTLED, _NOT_ENDED, None, None, None, None)


def _step(fact: Fact, step: DirectiveStep) -> Iterator[Row]:
    armed = [step.clock] if isinstance(step, DirectiveReturned) and step.clock else []
    leads_to = LEADING[type(step)].to
    yield _leading(fact, step.directive, step.addressee, leads_to, armed)
    yield from _alarms(fact, step.directive, step.addressee, armed)
    yield _touched(fact, step.directive)


def _leading(
    fact: Fact,
    directive: str,
    addressee: str | None,
    leads_to: Phase | Standing,
    clocks: Sequence[Clock],
) -> Row:
    due = {one.owes == "acknowledgement": one.ends for one in clocks}
    said = directive, _verb(fact.event), addressee, leads_to, due.get(True), due.get(False)
    return fact.row(STEPS, *said, fact.event.model_dump_json(), _NOT_SETTLED)


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
        _NOT_SETTLED,
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
            _NOT_SETTLED,
        )


def _verb(event: EventModel) -> str:
    return event.type.split(".")[1]


_MARKED = tuple(_MARK.format(table=table.name) for table in LOCKED)

MODEL = ReadModel("directives", METADATA, project, {WHOLES.name: (_SETTLE, *_MARKED)})
