"""Incidents to rows: every change stated, and a filter for what may be open where."""

from collections.abc import Iterator
from datetime import UTC, datetime

from schemas.events.incident import IncidentClosed, IncidentOpened, IncidentUpdated
from schemas.ids import NATION
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.incidents import (
    CHANGES,
    COORDINATES,
    METADATA,
    of_agenda,
    of_ministry,
)

_NOT_SAID = datetime.max.replace(tzinfo=UTC)

# The incident's own row first: whoever holds it sees, in the statements after, every change that
# others committed before. So the last to write always knows all that is written.
_LOCK = """
INSERT INTO {schema}.coordinates AS own
SELECT DISTINCT ON (realm, incident) realm, 'TH', incident, 'infinity'::timestamptz, TRUE,
       'infinity'::timestamptz
FROM unnest($1::{schema}.coordinates[]) ORDER BY realm, incident
ON CONFLICT (realm, coordinate, incident) DO UPDATE SET closed_at = own.closed_at
"""

_ADD = """
INSERT INTO {schema}.coordinates
SELECT DISTINCT realm, coordinate, incident, 'infinity'::timestamptz, TRUE,
       'infinity'::timestamptz
FROM unnest($1::{schema}.coordinates[])
ON CONFLICT DO NOTHING
"""

# Opened by the first word that says so, closed when the latest word on it is that it closed.
# Withdrawn and corrected words are counted out only by who reads: here a word too many must keep
# the incident in the filter, never drop it.
_FOLD = """
WITH touched AS (
    SELECT DISTINCT realm, incident FROM unnest($1::{schema}.coordinates[])
), latest AS (
    SELECT touched.realm, touched.incident, coalesce(opened.first, 'infinity') AS opened_at,
           opened.first IS NOT DISTINCT FROM opened.last AS opened_once,
           coalesce(closed.time, 'infinity') AS closed_at, closed.slot, closed.position
    FROM touched
    CROSS JOIN LATERAL (
        SELECT min(c.time) AS first, max(c.time) AS last FROM {schema}.changes c
        WHERE c.realm = touched.realm AND c.incident = touched.incident AND c.change = 'opened'
    ) opened
    LEFT JOIN LATERAL (
        SELECT word.* FROM (
            SELECT c.change, c.time, c.slot, c.position FROM {schema}.changes c
            WHERE c.realm = touched.realm AND c.incident = touched.incident
              AND c.change IN ('opened', 'closed')
            ORDER BY c.time DESC, c.change = 'opened' DESC, c.source, c.id LIMIT 1
        ) word
        WHERE word.change = 'closed' AND NOT EXISTS (
            SELECT FROM {schema}.changes c
            JOIN {events}.versions v
              ON (v.root_slot, v.root_position) = (c.root_slot, c.root_position)
            WHERE c.realm = touched.realm AND c.incident = touched.incident
        )
    ) closed ON TRUE
)
UPDATE {schema}.coordinates own
SET opened_at = latest.opened_at, opened_once = latest.opened_once, closed_at = latest.closed_at,
    closed_slot = latest.slot, closed_position = latest.position
FROM latest
WHERE own.realm = latest.realm AND own.incident = latest.incident
  AND (own.opened_at, own.opened_once, own.closed_at, own.closed_slot, own.closed_position)
      IS DISTINCT FROM (latest.opened_at, latest.opened_once, latest.closed_at, latest.slot,
                        latest.position)
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
            yield from _coordinates(fact, opened)
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
            yield from _coordinates(fact, updated)
        case IncidentClosed() as closed:
            yield fact.row(CHANGES, closed.incident, "closed", *[None] * 10, closed.reason)
            yield _coordinate(fact, closed.incident, NATION)
        case _:
            return


def _coordinates(fact: Fact, stated: IncidentOpened | IncidentUpdated) -> Iterator[Row]:
    for one in (
        NATION,
        *(stated.provinces or ()),
        *map(of_ministry, stated.ministries or ()),
        *map(of_agenda, stated.agendas or ()),
    ):
        yield _coordinate(fact, stated.incident, one)


def _coordinate(fact: Fact, incident: str, one: str) -> Row:
    return COORDINATES, (fact.realm, one, incident, _NOT_SAID, True, _NOT_SAID, None, None)


_REOPEN = """
WITH root AS (
    SELECT * FROM unnest($1::smallint[], $2::bigint[]) AS root (slot, position)
), word AS (
    SELECT slot, position FROM root
    UNION
    SELECT v.slot, v.position FROM root
    JOIN {events}.versions v ON (v.root_slot, v.root_position) = (root.slot, root.position)
)
UPDATE {schema}.coordinates own
SET closed_at = 'infinity', closed_slot = NULL, closed_position = NULL
FROM word JOIN {schema}.changes c ON (c.slot, c.position) = (word.slot, word.position)
WHERE own.realm = c.realm AND own.incident = c.incident
"""

MODEL = ReadModel(
    "incidents",
    METADATA,
    project,
    {"coordinates": (_LOCK, _ADD, _FOLD)},
    on_versions=(_REOPEN,),
)
