"""A long history, written by SQL straight into the read models' tables, no log behind it.

Of 20 events 10 are heartbeats, 8 situation reports, 1 an indicator's value and 1 the opening of an
old incident that is closed. With every hundredth a centre beside those of the provinces is silent
for an hour. Every event has its identity, as the runner would have written it; the columns have the
runner's shape. Its times lie in the 300 days before the open flood.
"""

import asyncpg

from bench import country

_INDEXES = """
SELECT n.nspname AS schema, c.relname AS name, pg_get_indexdef(i.indexrelid) AS made
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('events', 'situations', 'indicators', 'incidents', 'centres')
  AND NOT i.indisunique
"""

_PLACED = """
CREATE TEMPORARY TABLE placed AS
SELECT nth, 'TH-' || (10 + nth % 77) AS province, '/centres/poc/TH-' || (10 + nth % 77) AS source,
       (nth % 64)::smallint AS slot, 10000000 + nth AS position, nth % 20 AS kind,
       $1::timestamptz - interval '300 days' * (1 - nth::float8 / $3) AS time
FROM generate_series($2::bigint, $3 - 1) AS nth
"""
_BASE = (
    "'actual', slot, position, slot, position, time, source, nth, 'h' || nth, "
    "NULL::timestamptz, NULL::int"
)
_WRITES = (
    """
    INSERT INTO events.identities
    SELECT 'actual', source, 'h' || nth, slot, position, time, nth,
           CASE WHEN kind < 10 THEN 'heartbeat.sent.v1' WHEN kind < 18
                THEN 'situation.reported.v1' WHEN kind = 18 THEN 'indicator.measured.v1'
                ELSE 'incident.opened.v1' END,
           'provinces/' || province, decode(md5(nth::text), 'hex'), NULL, NULL, false
    FROM placed ORDER BY source, nth
    """,
    f"""
    INSERT INTO situations.reports
    SELECT {_BASE}, CASE WHEN kind < 14 THEN '{country.INCIDENT}' ELSE 'old-' || nth / 2000 END,
           province, NULL, ARRAY[nth % 7, nth % 900, NULL, nth % 50000, nth % 9000, NULL, NULL,
           nth % 1000000]::numeric[], NULL, '{{}}'::text[], 'ระดับน้ำทรงตัว', NULL
    FROM placed WHERE kind >= 10 AND kind < 18
    """,
    """
    INSERT INTO situations.series
    SELECT DISTINCT 'actual', place, incident, source, 155 FROM situations.reports
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO indicators.measurements
    SELECT {_BASE}, 'rain', province, time::date, nth % 90, 'mm', NULL FROM placed WHERE kind = 18
    """,
    f"""
    INSERT INTO incidents.changes
    SELECT {_BASE}, 'old-' || nth, 'opened', 'flood', 'อุทกภัย', NULL, 'minor', ARRAY[province],
           '{{}}'::text[], '{{}}'::text[], NULL, NULL, NULL, NULL FROM placed WHERE kind = 19
    """,
    f"""
    INSERT INTO incidents.changes
    SELECT {_BASE.replace("slot, position", "slot, position + 1000000000")},
           'old-' || nth, 'closed', NULL, NULL, NULL, NULL, NULL::text[], NULL::text[],
           NULL::text[], NULL, NULL, NULL, 'over' FROM placed WHERE kind = 19
    """,
    """
    INSERT INTO incidents.coordinates
    SELECT 'actual', place, 'old-' || nth, time, TRUE, time, slot, position + 1000000000
    FROM placed CROSS JOIN LATERAL (VALUES ('TH'), (province)) AS at (place) WHERE kind = 19
    """,
    """
    INSERT INTO centres.silences
    SELECT 'actual', 64, told.position, 64, told.position, told.time, '/network/timers', NULL,
           's' || told.position, NULL, NULL, 'doc:moi.office-' || nth / 100 % 10000, told.state,
           told.time
    FROM placed CROSS JOIN LATERAL (
        VALUES (2 * nth, time, 'silent'), (2 * nth + 1, time + interval '1 hour', 'heard')
    ) AS told (position, time, state) WHERE nth % 100 = 0
    """,
    """
    INSERT INTO centres.spans
    SELECT 64, 2 * nth, 'actual', 'doc:moi.office-' || nth / 100 % 10000, time,
           time + interval '1 hour', 64, 2 * nth + 1
    FROM placed WHERE nth % 100 = 0
    """,
)


async def grow(pool: asyncpg.Pool, *, before: int, events: int) -> None:
    """The read models hold so many events of history, `before` of which they had already."""
    async with pool.acquire() as connection:
        indexes = await connection.fetch(_INDEXES)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['schema']}.{index['name']}")
        await connection.execute(_PLACED, country.BEGIN, before, events)
        for write in _WRITES:
            await connection.execute(write)
        await connection.execute("DROP TABLE placed")
        await connection.execute("SET maintenance_work_mem = '256MB'")
        for index in indexes:
            await connection.execute(index["made"])
        await connection.execute("VACUUM ANALYZE")
