"""Incidents to rows: every change stated, and a filter for what may be open where."""

from collections.abc import Iterator
from datetime import UTC, datetime

from schemas.events.incident import IncidentClosed, IncidentOpened, IncidentUpdated
from schemas.ids import NATION
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.incidents import CHANGES, METADATA, PLACES

_NOT_SAID = datetime.max.replace(tzinfo=UTC)

# The incident's own row first: whoever holds it sees, in the statements after, every change that
# others committed before. So the last to write always knows all that is written.
_LOCK = """
INSERT INTO {schema}.places AS place
SELECT DISTINCT ON (realm, incident) realm, 'TH', incident, 'infinity'::timestamptz,
       'infinity'::timestamptz
FROM unnest($1::{schema}.places[]) ORDER BY realm, incident
ON CONFLICT (realm, province, incident) DO UPDATE SET closed_at = place.closed_at
"""

_ADD = """
INSERT INTO {schema}.places
SELECT DISTINCT realm, province, incident, 'infinity'::timestamptz, 'infinity'::timestamptz
FROM unnest($1::{schema}.places[])
ON CONFLICT DO NOTHING
"""

# Opened by the first word that says so, closed when the latest word on it is that it closed.
# Withdrawn and corrected words are counted out only by who reads: here a word too many must keep
# the incident in the filter, never drop it.
_CLOSE = """
UPDATE {schema}.places place SET opened_at = latest.opened_at, closed_at = latest.closed_at
FROM (
    SELECT touched.realm, touched.incident, coalesce((
        SELECT min(c.time) FROM {schema}.changes c
        WHERE c.realm = touched.realm AND c.incident = touched.incident AND c.change = 'opened'
    ), 'infinity') AS opened_at, coalesce((
        SELECT CASE WHEN bool_and(word.change = 'closed') THEN max(word.time) END
        FROM (
            SELECT c.change, c.time FROM {schema}.changes c
            WHERE c.realm = touched.realm AND c.incident = touched.incident
              AND c.change IN ('opened', 'closed')
            ORDER BY c.time DESC, c.change = 'opened' DESC LIMIT 1
        ) word
        WHERE NOT EXISTS (
            SELECT FROM {schema}.changes c
            JOIN {events}.versions v
              ON (v.root_slot, v.root_position) = (c.root_slot, c.root_position)
            WHERE c.realm = touched.realm AND c.incident = touched.incident
        )
    ), 'infinity') AS closed_at
    FROM (SELECT DISTINCT realm, incident FROM unnest($1::{schema}.places[])) touched
) latest
WHERE place.realm = latest.realm AND place.incident = latest.incident
  AND (place.opened_at, place.closed_at) <> (latest.opened_at, latest.closed_at)
"""


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    match fact.event:
        case IncidentOpened() as opened:
            yield fact.row(
                CHANGES,
                opened.incident,
                "opened",
                opened.hazard,
                opened.title_th,
                opened.title_en,
                opened.severity,
                opened.provinces,
                opened.ministries,
                opened.agendas,
                opened.place,
                opened.lat,
                opened.lon,
                None,
            )
            yield from _places(fact, opened.incident, opened.provinces)
        case IncidentUpdated() as updated:
            yield fact.row(
                CHANGES,
                updated.incident,
                "updated",
                None,
                None,
                None,
                updated.severity,
                updated.provinces,
                updated.ministries,
                updated.agendas,
                None,
                None,
                None,
                updated.note,
            )
            yield from _places(fact, updated.incident, updated.provinces or [])
        case IncidentClosed() as closed:
            yield fact.row(CHANGES, closed.incident, "closed", *[None] * 10, closed.reason)
            yield from _places(fact, closed.incident, [])
        case _:
            return


def _places(fact: Fact, incident: str, provinces: list[str]) -> Iterator[Row]:
    for province in (NATION, *provinces):
        yield PLACES, (fact.realm, province, incident, _NOT_SAID, _NOT_SAID)


_REOPEN = """
UPDATE {schema}.places place SET closed_at = 'infinity'
FROM {schema}.changes c JOIN unnest($1::smallint[], $2::bigint[]) AS root (slot, position)
  ON (c.slot, c.position) = (root.slot, root.position)
WHERE place.realm = c.realm AND place.incident = c.incident
"""

MODEL = ReadModel(
    "incidents", METADATA, project, {"places": (_LOCK, _ADD, _CLOSE)}, on_versions=(_REOPEN,)
)
