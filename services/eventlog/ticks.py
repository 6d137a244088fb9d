"""Ticks: the network's own time.

A tick says: at this time, the log reached this far. Its time is chosen first and the ends are read
after, so everything acknowledged before the time is covered. A fact is known from the first tick
that covers it, on every rebuild alike.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import lt

import asyncpg

from schemas.envelope import STATUS_TOPIC
from services.eventlog.connection import LOST, heed_cancellation
from services.eventlog.log import Log, LogUnavailable

BUSY_INTERVAL = timedelta(milliseconds=200)
"""How often a tick is appended while anything arrives."""

IDLE_INTERVAL = timedelta(seconds=10)
"""How often when nothing arrives: the clock of silence goes on."""

LISTENING_GAP = timedelta(seconds=15)
"""A longer time without a tick was not listened to: the ticker itself was away."""

_LAST = """
SELECT number, time, ends, listening, listened FROM eventlog.ticks ORDER BY number DESC LIMIT 1
"""
_LOCK = "SELECT single FROM eventlog.ticker FOR UPDATE SKIP LOCKED"
_NOW = "SELECT clock_timestamp()"
_LISTENING = "SELECT EXISTS (SELECT FROM eventlog.doors WHERE ready_until >= $1)"
_INSERT = """
INSERT INTO eventlog.ticks (number, time, ends, listening, listened) VALUES ($1, $2, $3, $4, $5)
"""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick: `ends` has the next position of every slot, decisions last."""

    number: int
    time: datetime
    ends: list[int]
    listening: bool
    listened: float
    """Seconds in which the network was listening, since the first tick."""


class LogWentBack(Exception):
    """The log ends before what a tick covers: another log, or one that lost messages."""


class Ticker:
    """Appends ticks. Any number may run: one row's lock lets one work at a time."""

    def __init__(self, pool: asyncpg.Pool, log: Log) -> None:
        self._pool = pool
        self._log = log

    async def run(self) -> None:
        """Tick for ever; an outage of the log or the database is waited out.

        Raises:
            LogWentBack: no tick may be appended on this log.
        """
        while True:
            try:
                await self.tick()
            except (*LOST, LogUnavailable) as trouble:
                heed_cancellation()
                _logger.warning("The ticker waits and tries again: %r", trouble)
            await asyncio.sleep(BUSY_INTERVAL.total_seconds())

    async def tick(self) -> Tick | None:
        """Append a tick if anything arrived or the idle interval is over; None when neither.

        Raises:
            LogUnavailable: the log does not say how far it reaches.
            LogWentBack: it reaches less far than the last tick says.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_LOCK) is None:
                return None
            last = await last_tick(connection)
            now: datetime = await connection.fetchval(_NOW)
            if last is not None:
                now = max(now, last.time + timedelta(microseconds=1))
            # Read after the time is chosen: whatever was acknowledged before it is covered.
            ends = await self._ends(connection)
            if last is not None and any(map(lt, ends, last.ends)):
                raise LogWentBack(f"tick {last.number} covers {last.ends}, the log ends at {ends}")
            if last is not None and ends == last.ends and now - last.time < IDLE_INTERVAL:
                return None
            listening: bool = await connection.fetchval(_LISTENING, now)
            tick = following(last, time=now, ends=ends, listening=listening)
            await connection.execute(
                _INSERT, tick.number, tick.time, tick.ends, tick.listening, tick.listened
            )
            return tick

    async def _ends(self, connection: asyncpg.pool.PoolConnectionProxy) -> list[int]:
        decided = await connection.fetchval("SELECT next_position FROM decisions.head")
        return [*await self._log.ends(STATUS_TOPIC), decided]


def following(last: Tick | None, *, time: datetime, ends: list[int], listening: bool) -> Tick:
    """The tick after the last one. Time counts as listened to when both ends of it were."""
    if last is None:
        return Tick(1, time, ends, listening, 0.0)
    passed = time - last.time
    heard = listening and last.listening and passed <= LISTENING_GAP
    listened = last.listened + (passed.total_seconds() if heard else 0.0)
    return Tick(last.number + 1, time, ends, listening, listened)


async def last_tick(
    connection: "asyncpg.Pool | asyncpg.pool.PoolConnectionProxy",
    *,
    not_after: datetime | None = None,
) -> Tick | None:
    """The last tick there is, or the last not after a time; None when there is none."""
    if not_after is None:
        row = await connection.fetchrow(_LAST)
    else:
        row = await connection.fetchrow(
            _LAST.replace("ORDER BY", "WHERE time <= $1 ORDER BY"), not_after
        )
    return None if row is None else Tick(**dict(row))


class Door:
    """Tells the ticker that a door is ready, as long as it is."""

    READY_FOR = timedelta(seconds=5)

    def __init__(self, pool: asyncpg.Pool, name: str) -> None:
        self._pool = pool
        self._name = name

    async def ready(self) -> None:
        """This door takes events in, for the next seconds."""
        await self._pool.execute(
            "INSERT INTO eventlog.doors (door, ready_until) VALUES ($1, clock_timestamp() + $2) "
            "ON CONFLICT (door) DO UPDATE SET ready_until = excluded.ready_until",
            self._name,
            self.READY_FOR,
        )

    async def closed(self) -> None:
        """This door takes nothing in any more."""
        await self._pool.execute("DELETE FROM eventlog.doors WHERE door = $1", self._name)
