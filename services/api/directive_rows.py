"""Directives out of their read model: what is folded of each, for whom, at a moment."""

from services.api.database import Row
from services.api.problems import forbidden
from services.api.reading import Question
from services.domain.issuing import Circumstances
from services.domain.readership import Readership, readership_of
from services.domain.steps import OWING, RUNNING, UNANSWERED
from services.readmodels.confidential import for_entitled
from services.readmodels.readership import parameters, sees, sees_step
from services.readmodels.statements import Select

_FILTERS = ("issuer", "addressee", "province", "kind", "state", "overdue", "before")
# A directive's text is its last draft; the rest is folded from its steps, the last one counting.
_SHAPED = """
WITH shaped AS (
    SELECT first.directive AS id, first.position AS begun, draft.deputy, draft.kind,
           draft.classification, draft.addressees AS named, draft.provinces, draft.agenda,
           coalesce(issue.acknowledge_by, draft.acknowledge_by) AS acknowledge_by,
           coalesce(issue.report_by, draft.report_by) AS report_by,
           draft.body::text AS draft, draft.drafted_at,
           coalesce(whole.leads_to, 'draft') AS state, issue.issued_at, issue.issue, told.*
    FROM directives.drafts first
    CROSS JOIN LATERAL (
        SELECT d.*, d.time AS drafted_at FROM directives.drafts d
        WHERE d.directive = first.directive AND {draft_counts}
        ORDER BY d.position DESC LIMIT 1
    ) draft
    LEFT JOIN LATERAL (
        SELECT s.leads_to FROM directives.steps s
        WHERE s.directive = first.directive AND s.addressee IS NULL AND {step_counts}
        ORDER BY s.position DESC LIMIT 1
    ) whole ON TRUE
    LEFT JOIN LATERAL (
        SELECT s.time AS issued_at, s.acknowledge_by, s.report_by, s.body::text AS issue
        FROM directives.steps s
        WHERE s.directive = first.directive AND s.step = 'issued' AND {step_counts}
        ORDER BY s.position DESC LIMIT 1
    ) issue ON TRUE
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_object('addressee', one.addressee, 'state', one.state,
                   'since', one.since, 'due_at', one.due_at, 'overdue', one.overdue,
                   'escalated_to', one.escalated_to) ORDER BY one.nth), '[]')::text AS addressees,
               coalesce(bool_or(one.overdue), FALSE) AS overdue
        FROM (
            SELECT given.addressee, given.nth, stands.state,
                   coalesce(last.time, given.time) AS since, due.due_at,
                   coalesce(due.due_at < :as_of, FALSE) AS overdue, up.escalated_to
            FROM (
                SELECT a.addressee, min(a.nth) AS nth, min(a.time) AS time
                FROM directives.authority a
                WHERE a.directive = first.directive AND {authority_counts} GROUP BY a.addressee
            ) given
            LEFT JOIN LATERAL (
                SELECT s.leads_to, s.time FROM directives.steps s
                WHERE s.directive = first.directive AND s.addressee = given.addressee
                  AND {step_counts}
                ORDER BY s.position DESC LIMIT 1
            ) last ON TRUE
            LEFT JOIN LATERAL (
                SELECT s.report_by FROM directives.steps s
                WHERE s.directive = first.directive AND s.addressee = given.addressee
                  AND s.report_by IS NOT NULL AND {step_counts}
                ORDER BY s.position DESC LIMIT 1
            ) anew ON TRUE
            CROSS JOIN LATERAL (
                SELECT coalesce(last.leads_to, 'issued') AS state,
                       coalesce(issue.acknowledge_by, draft.acknowledge_by) AS acknowledge_by,
                       coalesce(anew.report_by, issue.report_by, draft.report_by) AS report_by
            ) stands
            LEFT JOIN LATERAL (
                SELECT least(
                    CASE WHEN stands.state = ANY(:unanswered) THEN stands.acknowledge_by END,
                    CASE WHEN stands.state = ANY(:owing) AND draft.kind <> 'advice'
                         THEN stands.report_by END) AS due_at
                WHERE whole.leads_to IN ('open', 'taken_over')
            ) due ON TRUE
            LEFT JOIN LATERAL (
                SELECT t.office AS escalated_to FROM directives.stated t
                WHERE t.directive = first.directive AND t.addressee = given.addressee
                  AND t.step = 'escalated' AND whole.leads_to = 'open' AND {stated_counts}
                  AND CASE t.owes WHEN 'acknowledgement' THEN
                      t.due_at = stands.acknowledge_by AND stands.state = ANY(:unanswered)
                      ELSE t.due_at = stands.report_by AND stands.state = ANY(:owing) END
                ORDER BY t.level DESC LIMIT 1
            ) up ON TRUE
        ) one
        WHERE :all_sides OR one.addressee = ANY(:addressees)
    ) told
    WHERE first.realm = :realm AND {only} AND NOT EXISTS (
        SELECT FROM directives.drafts earlier
        WHERE earlier.realm = :realm AND earlier.directive = first.directive
          AND earlier.position < first.position
    )
)
"""

_LISTED = """
SELECT shaped.* FROM shaped
WHERE {in_scope}
  AND (CAST(:issuer AS text) IS NULL OR deputy = :issuer)
  AND (CAST(:addressee AS text) IS NULL OR (:addressee = ANY(named)
       AND (:all_sides OR :addressee = ANY(:addressees))))
  AND (CAST(:province AS text) IS NULL OR :province = ANY(provinces) OR (:province = ANY(named)
       AND (:all_sides OR :province = ANY(:addressees))))
  AND (CAST(:kind AS text) IS NULL OR kind = :kind)
  AND (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:overdue AS boolean) IS NULL OR overdue = :overdue)
  AND (CAST(:before AS bigint) IS NULL OR begun < :before)
ORDER BY begun DESC LIMIT :limit
"""

CITED = """
SELECT a.directive, a.addressee, a.order_number AS order, a.clause, a.dimension, a.target, a.power
FROM directives.authority a WHERE a.directive = ANY(:directives) AND {authority_counts}
ORDER BY a.position, a.nth
"""

EVENTS = """
SELECT * FROM (
    SELECT d.position, d.time, 'drafted' AS event, NULL AS addressee, d.body::text AS body
    FROM directives.drafts d
    WHERE d.directive = :directive AND {draft_counts} AND :drafts
    UNION ALL
    SELECT s.position, s.time, s.step, s.addressee, s.body::text FROM directives.steps s
    WHERE s.directive = :directive AND {step_counts}
      AND {sees_step}
    UNION ALL
    SELECT t.position, t.time, t.step, t.addressee, t.body::text FROM directives.stated t
    WHERE t.directive = :directive AND {stated_counts} AND {sees_stated}
    UNION ALL
    SELECT u.position, u.time, 'undeliverable', u.addressee, u.body::text
    FROM directives.undeliverable u
    WHERE u.directive = :directive AND {undeliverable_counts} AND {sees_undeliverable}
    UNION ALL
    SELECT o.position, o.time, 'reserved', NULL,
           json_build_object('by', 'pm', 'order', o.number)::text
    FROM oversight.orders o
    WHERE {order_counts} AND EXISTS (
        SELECT FROM jsonb_array_elements(o.body -> 'clauses') clause
        WHERE clause ->> 'act' = 'reserve' AND clause ->> 'subject' = ANY(:matters)
          AND (:reads_matters OR clause ->> 'deputy' = ANY(:own)
               OR (clause ->> 'deputy' IS NULL AND (:drafts OR EXISTS (
                   SELECT FROM directives.authority a
                   WHERE a.directive = :directive AND {authority_counts}
                     AND concat_ws(':', a.dimension, a.target, a.power) = ANY(:powers)
               ))))
    )
) event
WHERE CAST(:after AS bigint) IS NULL OR position > :after
ORDER BY position LIMIT :limit
"""


def readership(question: Question) -> Readership:
    """What the asker sees of all directives.

    Raises:
        Problem: 403, no directive is ever for this reader.
    """
    now = Circumstances(question.matrix, question.registry)
    reads = readership_of(question.identity, now)
    if reads.is_empty:
        raise forbidden()
    return reads


async def find(
    question: Question, reads: Readership, wanted: dict[str, object], id_: str | None = None
) -> list[Row]:
    """The directives wanted that the reader may see, the last begun first."""
    only = "TRUE" if id_ is None else "first.directive = :id"
    if wanted.get("overdue") or wanted.get("state") in RUNNING:
        only = not_over(question)
    return await read_shaped(
        question, reads, _LISTED, only=only, **(dict.fromkeys(_FILTERS) | wanted), id=id_
    )


def not_over(question: Question) -> str:
    """SQL: something may still be owed under it at the moment, as far as is known."""
    known = question.moment.known_by("w")
    return f"""first.directive IN (
        SELECT w.directive FROM directives.wholes w
        WHERE w.realm = :realm AND (w.ended_at > :as_of OR NOT {known})
    )"""


async def read_shaped(
    question: Question, reads: Readership, select: str, *, only: str, **named: object
) -> list[Row]:
    """The rows of `shaped_by`."""
    return await question.select(shaped_by(question, reads, select, only=only, **named))


def shaped_by(
    question: Question, reads: Readership, select: str, *, only: str, **named: object
) -> Select:
    """A SELECT from `shaped`: each directive that passes `only`, as it stands.

    `{in_scope}` in it is the reader's scope; row security is the second lock, should it be missing.
    """
    sql = (_SHAPED + select).replace("{in_scope}", sees("shaped", question.moment))
    all_named = {
        **parameters(reads),
        "unanswered": sorted(UNANSWERED),
        "owing": sorted(OWING),
        **named,
    }
    return Select(for_entitled(counted(sql, question, only=only)), all_named)


def counted(sql: str, question: Question, **named: str) -> str:
    """The statement with what counts at the moment in each of its tables."""
    counts = question.moment.counts
    return sql.format(
        draft_counts=counts("d"),
        step_counts=counts("s"),
        authority_counts=counts("a"),
        order_counts=counts("o"),
        stated_counts=counts("t"),
        undeliverable_counts=counts("u"),
        sees_step=sees_step("s"),
        sees_stated=sees_step("t"),
        sees_undeliverable=sees_step("u"),
        **named,
    )
