"""Silences, returns and counter resets to rows."""

from collections.abc import Iterator

from schemas.events.heartbeat import HeartbeatSent
from schemas.events.silence import CentreHeard, CentreSilent
from services.projections.fact import KEEP_ONCE, Fact, ReadModel, Row
from services.readmodels.centres import METADATA, RESETS, SILENCES

# What a batch may change begins with the silences after the last return before its first word. Only
# a return that nothing replaces ends one: for every reader it counts as soon as it is known.
_SPAN = """
WITH touched AS (
    SELECT realm, centre, min(time) AS time FROM unnest($1::{schema}.silences[])
    GROUP BY realm, centre
), changing AS (
    SELECT touched.realm, touched.centre, coalesce(max(s.time), '-infinity') AS time
    FROM touched LEFT JOIN {schema}.silences s
      ON s.realm = touched.realm AND s.centre = touched.centre AND s.time < touched.time
     AND s.state = 'heard'
    GROUP BY touched.realm, touched.centre
)
INSERT INTO {schema}.spans AS known
SELECT s.slot, s.position, s.realm, s.centre, s.time, coalesce(heard.time, 'infinity'), heard.slot,
       heard.position
FROM changing
JOIN {schema}.silences s
  ON s.realm = changing.realm AND s.centre = changing.centre AND s.time >= changing.time
 AND s.state = 'silent'
LEFT JOIN LATERAL (
    SELECT h.time, h.slot, h.position FROM {schema}.silences h
    WHERE h.realm = s.realm AND h.centre = s.centre AND h.time >= s.time AND h.state = 'heard'
      AND (h.time, h.source, coalesce(h.sequence, -1), h.id)
          > (s.time, s.source, coalesce(s.sequence, -1), s.id)
      AND NOT EXISTS (
          SELECT FROM {events}.versions v
          WHERE v.root_slot = h.root_slot AND v.root_position = h.root_position
      )
    ORDER BY h.time, h.source, h.sequence NULLS FIRST, h.id LIMIT 1
) heard ON TRUE
ON CONFLICT (slot, position) DO UPDATE
SET ended_at = excluded.ended_at, ended_slot = excluded.ended_slot,
    ended_position = excluded.ended_position
WHERE (known.ended_at, known.ended_slot, known.ended_position)
      IS DISTINCT FROM (excluded.ended_at, excluded.ended_slot, excluded.ended_position)
"""
_REOPEN = """
UPDATE {schema}.spans span
SET ended_at = 'infinity', ended_slot = NULL, ended_position = NULL
FROM unnest($1::smallint[], $2::bigint[]) AS root (slot, position)
WHERE span.ended_slot = root.slot AND span.ended_position = root.position
"""


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    match fact.event:
        case CentreSilent() as silent:
            yield fact.row(SILENCES, silent.centre, "silent", silent.silent_since)
        case CentreHeard() as heard:
            yield fact.row(SILENCES, heard.centre, "heard", heard.heard_at)
        case HeartbeatSent(sequence_reset=True):
            yield fact.row(RESETS)
        case _:
            return


MODEL = ReadModel(
    "centres",
    METADATA,
    project,
    {"silences": (KEEP_ONCE, _SPAN)},
    on_versions=(_REOPEN,),
)
