"""What the ticks and the read models say of who missed an interval, and who is back.

A handful of statements, however many centres there are. Which tick covers an event, and which one
was so long ago on the listening clock, is found by halving: both only grow with the number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property, partial

import asyncpg

from schemas.envelope import DECISIONS_SLOT
from schemas.events import EventModel
from schemas.ids import CentreId, source_of_centre
from schemas.slots import slot_of
from services.domain import silence
from services.domain.registry import BANGKOK_TIME, day_of
from services.domain.silence import Hearing, Listening, Missed
from services.eventlog.ticks import Tick

_ALWAYS = datetime(1, 1, 2, tzinfo=UTC)

# The tick before the first one that covers something not applied yet.
_APPLIED = """
SELECT number, time, ends, listening, listened FROM eventlog.ticks
WHERE number < coalesce(
    (SELECT min(eventlog.tick_of(slot, next_position)) FROM projections.progress),
    9223372036854775807)
ORDER BY number DESC LIMIT 1
"""

_OPENING = """
SELECT min(position) FROM registry.entries
WHERE realm = 'actual' AND subject = 'network' AND position < $1
"""

# Every centre in the version that rules on the day, as `services.domain.registry` chooses it.
_CENTRES = """
SELECT DISTINCT ON (entry) entry AS centre, position, valid_from,
       CASE WHEN valid_to IS NULL OR valid_to > $1
       THEN (body->>'reporting_interval_seconds')::bigint END AS seconds
FROM registry.entries
WHERE realm = 'actual' AND subject = 'centre' AND (valid_from IS NULL OR valid_from <= $1)
  AND position < $2
ORDER BY entry, valid_from DESC NULLS LAST, position DESC
"""

_WORD = """
SELECT s.state, s.since FROM centres.silences s
WHERE s.realm = 'actual' AND s.centre = c.centre AND s.archive_revision IS NULL
ORDER BY s.time DESC, s.position DESC LIMIT 1
"""
_LIVE = "i.source = c.source AND i.realm = 'actual' AND i.archive_revision IS NULL AND i.slot < 64"

# Per interval one tick is looked up by halving: the last one so long ago, on the listening clock.
# What lies below its ends was heard, or registered, longer ago than the interval. $7 are the ends
# up to which a centre's last sign of life is looked for.
_ARMED = f"""
WITH RECURSIVE expected AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::timestamptz[],
                         $6::bigint[]) AS c (centre, source, slot, registered, begins, seconds)
), halving (seconds, low, high) AS (
    SELECT DISTINCT seconds, 0::bigint, $8::bigint FROM expected
    UNION ALL
    SELECT h.seconds,
           CASE WHEN t.listened < $9 - h.seconds THEN t.number ELSE h.low END,
           CASE WHEN t.listened < $9 - h.seconds THEN h.high ELSE t.number END
    FROM halving h JOIN eventlog.ticks t ON t.number = (h.low + h.high) / 2
    WHERE h.high - h.low > 1
), horizons AS MATERIALIZED (
    SELECT h.seconds, t.time, t.ends FROM halving h JOIN eventlog.ticks t ON t.number = h.low
    WHERE h.high - h.low = 1
), late AS MATERIALIZED (
    SELECT c.*, heard.position AS heard
    FROM expected c JOIN horizons h USING (seconds)
    LEFT JOIN LATERAL (
        SELECT i.position FROM events.identities i
        WHERE {_LIVE} AND i.position < ($7::bigint[])[c.slot + 1]
        ORDER BY i.position DESC LIMIT 1
    ) heard ON TRUE
    WHERE greatest(c.registered, $10::bigint) < h.ends[{DECISIONS_SLOT + 1}]
      AND c.begins <= h.time
      AND (heard.position IS NULL OR heard.position < h.ends[c.slot + 1])
), unsaid AS MATERIALIZED (
    SELECT c.*, greatest(c.registered, $10) AS expected FROM late c
    WHERE %s
), covering (slot, position, low, high) AS (
    SELECT slot, position, 0::bigint, $8::bigint FROM (
        SELECT slot, heard AS position FROM unsaid WHERE heard IS NOT NULL
        UNION SELECT {DECISIONS_SLOT}, expected FROM unsaid) places
    UNION ALL
    SELECT f.slot, f.position,
           CASE WHEN t.ends[f.slot + 1] > f.position THEN f.low ELSE t.number END,
           CASE WHEN t.ends[f.slot + 1] > f.position THEN t.number ELSE f.high END
    FROM covering f JOIN eventlog.ticks t ON t.number = (f.low + f.high) / 2
    WHERE f.high - f.low > 1
), covered AS MATERIALIZED (
    SELECT slot, position, high AS tick FROM covering WHERE high - low = 1
), armed AS MATERIALIZED (
    SELECT u.*, heard.tick AS heard_tick, greatest(registered.tick, begun.number) AS expected_tick
    FROM unsaid u
    LEFT JOIN covered heard ON (heard.slot, heard.position) = (u.slot, u.heard)
    JOIN covered registered
      ON (registered.slot, registered.position) = ({DECISIONS_SLOT}, u.expected)
    CROSS JOIN LATERAL (
        SELECT number FROM eventlog.ticks t WHERE t.time >= u.begins ORDER BY t.time LIMIT 1
    ) begun
)
SELECT a.centre, a.slot, a.heard, a.registered, a.seconds + t.listened AS deadline,
       coalesce(a.heard_tick >= a.expected_tick, false) AS armed_by_event, h.time AS last_heard
FROM armed a
JOIN eventlog.ticks t ON t.number = greatest(a.heard_tick, a.expected_tick)
LEFT JOIN eventlog.ticks h ON h.number = a.heard_tick
"""

_MISSED = _ARMED % f"coalesce((SELECT word.state FROM ({_WORD}) word), '') <> 'silent'"

# Whatever is said of them so far: a silence that was stated is not stated again.
_ENDED = (
    _ARMED
    % f"""EXISTS (
        SELECT FROM events.identities i WHERE {_LIVE}
        AND i.position >= ($7::bigint[])[c.slot + 1] AND i.position < ($11::bigint[])[c.slot + 1]
    )"""
)

# The first sign of life after these ends, and the last tick that does not cover it.
_AGAIN = f"""
SELECT again.position, t.time AS heard_at, before.time, before.listened
FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS c (source, slot, nth)
CROSS JOIN LATERAL (
    SELECT i.position FROM events.identities i
    WHERE {_LIVE} AND i.position >= ($3::bigint[])[c.slot + 1]
    ORDER BY i.position LIMIT 1
) again
JOIN eventlog.ticks t ON t.number = eventlog.tick_of(c.slot, again.position)
JOIN eventlog.ticks before ON before.number = t.number - 1
ORDER BY c.nth
"""

# The last tick that shows no more than this on the listening clock; both are given bounds.
_SHOWING = """
WITH RECURSIVE halving (low, high) AS (
    SELECT $2::bigint, $3::bigint + 1
    UNION ALL
    SELECT CASE WHEN t.listened <= $1 THEN t.number ELSE h.low END,
           CASE WHEN t.listened <= $1 THEN h.high ELSE t.number END
    FROM halving h JOIN eventlog.ticks t ON t.number = (h.low + h.high) / 2
    WHERE h.high - h.low > 1
)
SELECT t.number, t.time, t.ends, t.listening, t.listened
FROM halving h JOIN eventlog.ticks t ON t.number = h.low
WHERE h.high - h.low = 1
"""

# The first tick at which the listening clock showed more than each deadline.
_PASSED = """
WITH RECURSIVE halving (nth, deadline, low, high) AS (
    SELECT nth, deadline, 0::bigint, $2::bigint
    FROM unnest($1::float8[]) WITH ORDINALITY AS d (deadline, nth)
    UNION ALL
    SELECT h.nth, h.deadline,
           CASE WHEN t.listened > h.deadline THEN h.low ELSE t.number END,
           CASE WHEN t.listened > h.deadline THEN t.number ELSE h.high END
    FROM halving h JOIN eventlog.ticks t ON t.number = (h.low + h.high) / 2
    WHERE h.high - h.low > 1
)
SELECT t.time, t.listened FROM halving h JOIN eventlog.ticks t ON t.number = h.high
WHERE h.high - h.low = 1 ORDER BY h.nth
"""

# What came after the silence began: nothing of the centre lies between what armed it and then.
_RETURNED = f"""
SELECT c.centre, c.slot, again.position, t.time AS heard_at
FROM unnest($1::text[], $2::text[], $3::int[]) AS c (centre, source, slot)
CROSS JOIN LATERAL ({_WORD}) word
CROSS JOIN LATERAL (
    SELECT ends FROM eventlog.ticks WHERE time <= word.since ORDER BY time DESC LIMIT 1
) began
CROSS JOIN LATERAL (
    SELECT i.position FROM events.identities i
    WHERE {_LIVE} AND i.position >= began.ends[c.slot + 1]
      AND i.position < ($4::bigint[])[c.slot + 1]
    ORDER BY i.position LIMIT 1
) again
JOIN eventlog.ticks t ON t.number = eventlog.tick_of(c.slot, again.position)
WHERE word.state = 'silent'
"""


@dataclass(frozen=True, slots=True)
class Centre:
    """A registered centre: where its events lie, and from when on it is expected how often."""

    centre: CentreId
    source: str
    slot: int
    registered: int
    """The position of the decision that registered it."""
    begins: datetime
    seconds: int | None
    """None: it owes no regular sign of life, or is no centre any more."""


@dataclass(frozen=True)
class Expected:
    """Every registered centre as of one tick, and the position of the network's opening."""

    opening: int
    centres: Sequence[Centre]

    @cached_property
    def owing(self) -> tuple[Sequence[object], ...]:
        """The centres that owe a sign of life, column by column."""
        owing = [centre for centre in self.centres if centre.seconds is not None]
        return (
            [c.centre for c in owing],
            [c.source for c in owing],
            [c.slot for c in owing],
            [c.registered for c in owing],
            [c.begins for c in owing],
            [c.seconds for c in owing],
        )

    @property
    def shortest_seconds(self) -> float:
        """The shortest interval of all; a day when nobody has one."""
        intervals = [c.seconds for c in self.centres if c.seconds is not None]
        return min(intervals, default=silence.LOOK_BACK_SECONDS)

    def clock(self, tick: Tick) -> tuple[int, float, int]:
        """What the ticks are asked with: the tick, its listening clock, and the opening."""
        return tick.number, tick.listened, self.opening


@dataclass(frozen=True, slots=True)
class Armed:
    """A change that is due, and what makes it the same change whoever finds it."""

    centre: str
    by: str
    time: datetime
    decide: Callable[[Hearing], list[EventModel]]


async def applied_tick(pool: asyncpg.Pool) -> Tick | None:
    """The last tick of which the read models have applied everything; None before the first."""
    row = await pool.fetchrow(_APPLIED)
    return None if row is None else Tick(**dict(row))


async def expected_at(pool: asyncpg.Pool, tick: Tick) -> Expected | None:
    """Who is expected to be heard at this tick; None before the network's opening."""
    opening: int | None = await pool.fetchval(_OPENING, tick.ends[DECISIONS_SLOT])
    if opening is None:
        return None
    rows = await pool.fetch(_CENTRES, day_of(tick.time), tick.ends[DECISIONS_SLOT])
    return Expected(opening, [_centre(*row) for row in rows])


async def looked_back(pool: asyncpg.Pool, tick: Tick, expected: Expected) -> Tick:
    """The tick after which a timer that begins at this one looks for silences nobody stated."""
    back = silence.looks_back(expected.shortest_seconds)
    return await _last_showing(pool, tick.listened - back, first=1, last=tick)


async def step_after(pool: asyncpg.Pool, judged: Tick, tick: Tick, expected: Expected) -> Tick:
    """The next tick to judge, `tick` at the latest: no silence begins and ends between the two."""
    until = judged.listened + expected.shortest_seconds
    return await _last_showing(pool, until, first=judged.number + 1, last=tick)


async def _last_showing(pool: asyncpg.Pool, listened: float, *, first: int, last: Tick) -> Tick:
    """The last tick that shows no more than this, from the first to the last at any rate."""
    (row,) = await pool.fetch(_SHOWING, listened, first, last.number)
    return Tick(**dict(row))


async def returned_at(pool: asyncpg.Pool, tick: Tick, expected: Expected) -> list[Armed]:
    """Who was said to be silent, and was heard by this tick."""
    centres = expected.centres
    rows = await pool.fetch(
        _RETURNED,
        [c.centre for c in centres],
        [c.source for c in centres],
        [c.slot for c in centres],
        tick.ends,
    )
    return [_return(row, row["position"], row["heard_at"]) for row in rows]


async def missed_at(pool: asyncpg.Pool, tick: Tick, expected: Expected) -> list[Armed]:
    """Who is silent at this tick, and was not said to be."""
    rows = await pool.fetch(_MISSED, *expected.owing, tick.ends, *expected.clock(tick))
    return await _silences(pool, tick, rows)


async def ended_by(pool: asyncpg.Pool, judged: Tick, tick: Tick, expected: Expected) -> list[Armed]:
    """Who was silent after the one tick was judged, and was heard by the other: both changes."""
    clock = expected.clock(tick)
    late = await pool.fetch(_ENDED, *expected.owing, judged.ends, *clock, tick.ends)
    if not late:
        return []
    sources = [source_of_centre(CentreId(row["centre"])) for row in late]
    again = await pool.fetch(_AGAIN, sources, [row["slot"] for row in late], judged.ends)
    found = [
        (row, heard)
        for row, heard in zip(late, again, strict=True)
        if silence.was_silent(row["deadline"], Listening(heard["time"], heard["listened"]))
    ]
    silences = await _silences(pool, tick, [row for row, _ in found])
    returns = [_return(row, heard["position"], heard["heard_at"]) for row, heard in found]
    return [change for both in zip(silences, returns, strict=True) for change in both]


async def _silences(pool: asyncpg.Pool, tick: Tick, rows: Sequence[asyncpg.Record]) -> list[Armed]:
    if not rows:
        return []
    passed = await pool.fetch(_PASSED, [row["deadline"] for row in rows], tick.number)
    return [
        _silence(row, Listening(at["time"], at["listened"]))
        for row, at in zip(rows, passed, strict=True)
    ]


def _return(row: asyncpg.Record, position: int, heard_at: datetime) -> Armed:
    return Armed(
        row["centre"],
        f"heard/{row['slot']}:{position}",
        heard_at,
        partial(silence.hear_again, centre=row["centre"], heard_at=heard_at),
    )


def _silence(row: asyncpg.Record, passed: Listening) -> Armed:
    ran_out_at = silence.ran_out_at(row["deadline"], passed)
    missed = Missed(row["centre"], ran_out_at, row["last_heard"])
    slot, position = (
        (row["slot"], row["heard"])
        if row["armed_by_event"]
        else (DECISIONS_SLOT, row["registered"])
    )
    return Armed(
        row["centre"],
        f"silent/{slot}:{position}",
        ran_out_at,
        partial(silence.fall_silent, missed=missed),
    )


def _centre(centre: str, position: int, valid_from: date | None, seconds: int | None) -> Centre:
    source = source_of_centre(CentreId(centre))
    begins = datetime.combine(valid_from, time(), BANGKOK_TIME) if valid_from else _ALWAYS
    return Centre(CentreId(centre), source, slot_of(source), position, begins, seconds)
