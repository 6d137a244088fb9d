"""Notices: what travels outward of each directive, in the order of the decisions, scope and all.

Every step of a directive from its issue on is one, and all that timers stated of it: what the
tables `directives.steps` and `directives.stated` hold. Drafts are told to nobody, nor is what an
archive tells: it is over. Who reads on goes by the position of the decision. A step that the read
model could not apply yet stops everybody before it, because who has passed a position never looks
there again.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import asyncpg
import msgspec

from schemas.envelope import DECISIONS_SLOT, Envelope
from schemas.events.directive import DirectiveDrafted, DirectiveIssued
from schemas.events.notice import DirectiveNotice, NoticeText
from schemas.events.registry import DepartmentRegistered
from schemas.ids import Realm
from services.domain.issuing import Circumstances
from services.domain.readership import EVERYTHING, Readership, readership_of
from services.domain.scope import Reader, Scope, scope_of
from services.readmodels.confidential import for_entitled
from services.readmodels.moment import Live, Moment
from services.readmodels.readership import parameters, sees, sees_step
from services.readmodels.statements import Asks, fetch

_WINDOW = 5_000
"""How many steps one statement looks at: a reader who sees one in a thousand gets on too."""

# What was decided counts at once, whatever the clock of who decided it says.
_EVER = datetime.max.replace(tzinfo=UTC)

_END = "SELECT projections.complete_until('directives')"

# The first row says how far was looked, also when nothing of it is for the reader.
_NOTICES = f"""
WITH looked AS MATERIALIZED (
    SELECT * FROM (
        (SELECT s.position, s.directive AS id, s.step, s.addressee, s.time, s.id AS event, s.body
         FROM directives.steps s
         WHERE s.slot = {DECISIONS_SLOT} AND s.position >= :after AND s.position < :upto
           AND s.archive_revision IS NULL AND {{counts_s}} ORDER BY s.position LIMIT :looked)
        UNION ALL
        (SELECT t.position, t.directive, t.step, t.addressee, t.time, t.id, t.body
         FROM directives.stated t
         WHERE t.slot = {DECISIONS_SLOT} AND t.position >= :after AND t.position < :upto
           AND t.archive_revision IS NULL AND {{counts_t}} ORDER BY t.position LIMIT :looked)
    ) happened
    ORDER BY position LIMIT :looked
), seen AS MATERIALIZED (
    SELECT shaped.* FROM (
        SELECT looked.*, draft.body AS draft, draft.deputy, draft.kind, draft.classification,
               draft.addressees AS named, draft.provinces, draft.agenda,
               draft.body->>'incident' AS incident, issue.time AS issued_at,
               issue.position AS issued_position, issue.acknowledge_by, issue.report_by,
               CASE WHEN :all_sides THEN draft.addressees ELSE ARRAY(
                   SELECT one FROM unnest(draft.addressees) one WHERE one = ANY(:addressees)
               ) END AS told
        FROM looked
        CROSS JOIN LATERAL (
            SELECT s.position, s.time, s.acknowledge_by, s.report_by FROM directives.steps s
            WHERE s.directive = looked.id AND s.addressee IS NULL AND s.step = 'issued'
              AND s.position <= looked.position AND {{counts_s}}
            ORDER BY s.position LIMIT 1
        ) issue
        CROSS JOIN LATERAL (
            SELECT d.* FROM directives.drafts d
            WHERE d.directive = looked.id AND d.position < issue.position AND {{counts_d}}
            ORDER BY d.position DESC LIMIT 1
        ) draft
        WHERE {{sees_looked}}
    ) shaped
    WHERE {{sees}}
      AND (CAST(:provinces AS text[]) IS NULL
           OR provinces && :provinces OR told && CAST(:provinces AS text[]))
      AND (CAST(:bodies AS text[]) IS NULL OR told && :bodies)
      AND (CAST(:of_agendas AS text[]) IS NULL OR agenda = ANY(:of_agendas))
      AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))
      AND (CAST(:severities AS text[]) IS NULL OR EXISTS (
          SELECT FROM (SELECT {{latest}}) incident
          WHERE severity = ANY(:severities) AND (
              :nation OR provinces && CAST(:scope_provinces AS text[])
              OR ministries && CAST(:scope_ministries AS text[])
              OR agendas && CAST(:scope_agendas AS text[]))))
    ORDER BY position LIMIT :limit
)
SELECT span.steps, span.last, seen.position, seen.id, seen.step, seen.addressee, seen.time,
       seen.event, seen.told, seen.acknowledge_by, seen.report_by, seen.body::text AS body,
       seen.draft::text AS draft, state.state, standing.standing, counted.number
FROM (SELECT count(*) AS steps, max(position) AS last FROM looked) span
LEFT JOIN seen ON TRUE
LEFT JOIN LATERAL (
    SELECT s.leads_to AS state FROM directives.steps s
    WHERE s.directive = seen.id AND s.addressee IS NULL AND {{counts_s}}
    ORDER BY s.position DESC LIMIT 1
) state ON TRUE
LEFT JOIN LATERAL (
    SELECT coalesce((
        SELECT s.leads_to FROM directives.steps s
        WHERE s.directive = seen.id AND s.addressee = whose.addressee AND {{counts_s}}
        ORDER BY s.position DESC LIMIT 1), 'issued') AS standing
    FROM (SELECT coalesce(seen.addressee, CASE WHEN NOT :all_sides THEN seen.told[1] END)
              AS addressee) whose
    WHERE whose.addressee IS NOT NULL
) standing ON TRUE
LEFT JOIN LATERAL (
    SELECT (
        SELECT count(*) FROM directives.steps s
        WHERE s.directive = seen.id AND s.position BETWEEN seen.issued_position AND seen.position
          AND {{sees_s}} AND {{counts_s}}
    ) + (
        SELECT count(*) FROM directives.stated t
        WHERE t.directive = seen.id AND t.position <= seen.position AND {{sees_t}} AND {{counts_t}}
    ) AS number
) counted ON TRUE
ORDER BY seen.position
"""

# Everything by which anybody sees one of the steps; with drafts that rule nothing any more, and
# whatever the realm: it may name too many, never too few.
_NAMED = f"""
SELECT array_agg(DISTINCT named.name) AS names FROM (
    SELECT s.realm, s.directive FROM directives.steps s
    WHERE s.slot = {DECISIONS_SLOT} AND s.position >= :after AND s.position < :upto
    UNION SELECT t.realm, t.directive FROM directives.stated t
    WHERE t.slot = {DECISIONS_SLOT} AND t.position >= :after AND t.position < :upto
) touched
CROSS JOIN LATERAL (
    SELECT unnest(ARRAY[a.addressee, concat_ws(':', a.dimension, a.target, a.power)]) AS name
    FROM directives.authority a WHERE a.realm = touched.realm AND a.directive = touched.directive
    UNION ALL
    SELECT unnest(d.addressees || d.provinces || d.deputy || d.agenda) FROM directives.drafts d
    WHERE d.realm = touched.realm AND d.directive = touched.directive
) named
"""

# What was last stated of the directive's incident. A filter by what the reader does not see of it
# would tell it.
_LATEST = """(
    SELECT c.{column} FROM incidents.changes c
    WHERE c.incident = shaped.incident AND c.{column} IS NOT NULL AND {counts}
    ORDER BY c.time DESC, c.source DESC, coalesce(c.sequence, -1) DESC, c.id DESC LIMIT 1
) AS {column}"""
_STATED = ("severity", "provinces", "ministries", "agendas")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which notices a reader asks for: any of each set, all of them together; None asks for all."""

    realm: Realm = "actual"
    provinces: frozenset[str] | None = None
    """Addressed to it, or carried out there."""
    ministries: frozenset[str] | None = None
    """Addressed to it, or to a department of it."""
    agendas: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    severities: frozenset[str] | None = None
    """Of the directive's incident as it is now, where the reader sees the incident."""


@dataclass(frozen=True)
class Audience:
    """Who is told, and by what it sees directives and incidents at the moment."""

    reader: Reader
    now: Circumstances

    @cached_property
    def reads(self) -> Readership:
        """What of all directives; nothing is told to a reader for whom it is empty."""
        return readership_of(self.reader, self.now)

    @cached_property
    def scope(self) -> Scope:
        """Which incidents."""
        return scope_of(self.reader, self.now.matrix, self.now.registry)

    def may_see(self, names: frozenset[str] | None) -> bool:
        """Whether steps of these names can be for the reader at all; None names everybody."""
        reads = self.reads
        if names is None or reads.everything or reads.issued:
            return True
        by = (reads.own, reads.powers, reads.places, reads.agendas, reads.addressees)
        return any(not names.isdisjoint(some) for some in by)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as it is for one reader."""

    position: int
    """Of the decision."""
    id: str
    """Of the decision's event."""
    time: datetime
    realm: Realm
    told: tuple[str, ...]
    """The directive's addressees that the reader sees: of an addressee itself alone."""
    event: DirectiveNotice


@dataclass(frozen=True, slots=True)
class Said:
    """What a step's event says beside whose step it is."""

    by: str | None
    order: str | None
    note: str | None
    superseded_by: str | None
    owes: str | None
    escalated_to: str | None


async def end_of(connection: Asks[Any]) -> int:
    """The position up to which every step is in the read model, as this transaction sees it."""
    found: int = (await connection.fetch(_END))[0][0]
    return found


async def names_in(connection: Asks[Any], *, after: int, upto: int) -> frozenset[str] | None:
    """By which names anybody sees the steps from the one position to the other, so that those whom
    none of them concerns need not be asked for; None when there are too many to say."""
    if upto - after > _WINDOW:
        return None
    # What is confidential names somebody too, who is then asked for as who they are.
    named = {"after": after, "upto": upto, "entitled": EVERYTHING}
    rows = await fetch(connection, for_entitled(_NAMED), named)
    return frozenset(rows[0][0] or ())


async def notices(
    connection: Asks[Any],
    audience: Audience,
    wanted: Wanted,
    *,
    after: int,
    upto: int,
    limit: int,
) -> tuple[list[Notice], int]:
    """The next notices from this position on, below `upto`, and the position to go on from.

    `upto` is at most `end_of`. There is more to come as long as what is returned is below it, also
    when this part of it held nothing for the reader.
    """
    moment = Moment(_EVER, Live(), wanted.realm)
    asked = {"after": after, "upto": upto, "limit": limit, "looked": _WINDOW}
    named = moment.parameters | parameters(audience.reads) | _filters(audience, wanted) | asked
    rows = await fetch(connection, for_entitled(_sql(moment)), named)
    told = [_notice(row, wanted.realm) for row in rows if row["position"] is not None]
    if len(told) == limit:
        return told, told[-1].position + 1
    if rows[0]["steps"] == _WINDOW:
        return told, rows[0]["last"] + 1
    return told, max(after, upto)


def message_of(notice: Notice) -> tuple[Envelope, bytes]:
    """The notice as a CloudEvent: its envelope and its `data`."""
    subject = f"directives/{notice.event.directive}"
    envelope = Envelope(
        id=notice.id,
        source=f"/{subject}",
        type=DirectiveNotice.type,
        time=notice.time,
        subject=subject,
        realm=notice.realm,
    )
    return envelope, notice.event.model_dump_json(exclude_none=True).encode()


def structured(notice: Notice) -> bytes:
    """The notice as a CloudEvent in structured mode: JSON in one line."""
    envelope, data = message_of(notice)
    stated = {
        "specversion": envelope.specversion,
        "datacontenttype": envelope.datacontenttype,
        **msgspec.to_builtins(envelope),
    }
    return msgspec.json.encode(stated | {"data": msgspec.Raw(data)})


def said_in(step: str, body: dict[str, Any]) -> Said:
    """What the event of this step says, by its data."""
    order = body.get("order") or body.get("acting_by")
    if step == "issued" and order is None:
        order = body["authority"][0]["order"]
    texts = (body.get(name) for name in ("reason", "report", "note"))
    return Said(
        by=body.get("by") or body.get("issued_by") or body.get("drafted_by"),
        order=order,
        note=next((text for text in texts if text), None),
        superseded_by=body.get("superseded_by"),
        owes=body.get("owes"),
        escalated_to=body.get("to"),
    )


def _sql(moment: Moment) -> str:
    counts = moment.counts
    return _NOTICES.format(
        counts_s=counts("s"),
        counts_t=counts("t"),
        counts_d=counts("d"),
        latest=", ".join(_LATEST.format(column=one, counts=counts("c")) for one in _STATED),
        sees=sees("shaped", moment),
        sees_looked=sees_step("looked"),
        sees_s=sees_step("s"),
        sees_t=sees_step("t"),
    )


def _filters(audience: Audience, wanted: Wanted) -> dict[str, object]:
    scope = audience.scope
    return {
        "provinces": _listed(wanted.provinces),
        "bodies": _listed(_bodies(audience, wanted.ministries)),
        "of_agendas": _listed(wanted.agendas),
        "kinds": _listed(wanted.kinds),
        "severities": _listed(wanted.severities),
        "nation": scope.nation,
        "scope_provinces": sorted(scope.provinces),
        "scope_ministries": sorted(scope.ministries),
        "scope_agendas": sorted(scope.agendas),
    }


def _listed(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _bodies(audience: Audience, ministries: frozenset[str] | None) -> frozenset[str] | None:
    """The ministries, and their departments of the day."""
    if ministries is None:
        return None
    departments = audience.now.registry.each(DepartmentRegistered, audience.now.day)
    return ministries.union(one.department for one in departments if one.ministry in ministries)


def _notice(row: asyncpg.Record, realm: Realm) -> Notice:
    body: dict[str, Any] = json.loads(row["body"])
    said = said_in(row["step"], body)
    text = _text(row) if row["step"] == DirectiveIssued.type.split(".")[1] else None
    written = _draft(row) if text is not None else None
    event = DirectiveNotice.model_validate(
        {
            "directive": row["id"],
            "number": row["number"],
            "change": row["step"],
            "addressee": row["addressee"],
            "state": row["state"],
            "standing": row["standing"],
            "by": said.by,
            "order": said.order,
            "note": said.note,
            "superseded_by": said.superseded_by,
            "owes": said.owes,
            "escalated_to": said.escalated_to,
            "attachments": written.attachments if written else body.get("attachments", []),
            "text": text,
        }
    )
    told = tuple(row["told"])
    return Notice(row["position"], row["event"], row["time"], realm, told, event)


def _draft(row: asyncpg.Record) -> DirectiveDrafted:
    # Through the model: a field that newer code knows has its default in an older draft.
    return DirectiveDrafted.model_validate_json(row["draft"])


def _text(row: asyncpg.Record) -> NoticeText:
    written = _draft(row)
    said = {name: getattr(written, name) for name in NoticeText.model_fields}
    # By when it is owed was set at its issue, where the draft had left it open.
    due = {name: row[name] for name in ("acknowledge_by", "report_by")}
    return NoticeText.model_validate({**said, **due, "addressees": row["told"]})
