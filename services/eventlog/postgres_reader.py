"""Reading the log in Postgres: a cursor per reader, one listening connection per process."""

import asyncio
from collections.abc import Mapping

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from services.eventlog.connection import LOST, KeptConnection
from services.eventlog.log import LogUnavailable, OffsetOutOfRange, Record

_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 10.0
_MAX_BYTES = 16 * 1024 * 1024
"""About what one batch may hold, so that large messages do not make a reader large."""

READ = """
SELECT m.partition, m."offset", m.key, m.headers, m.value
FROM unnest($2::smallint[], $3::bigint[]) AS wanted (partition, next_offset)
CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT *, sum(octet_length(value)) OVER (ORDER BY "offset") - octet_length(value) AS before
        FROM log.messages
        WHERE topic = (SELECT topic FROM log.topics WHERE name = $1)
          AND partition = wanted.partition AND "offset" >= wanted.next_offset
        ORDER BY "offset" LIMIT $4
    ) page
    WHERE before <= $5
    ORDER BY "offset"
) m
"""

_BEHIND = """
SELECT wanted.partition, wanted.next_offset, coalesce(h.next_offset, 0) AS end
FROM unnest($2::smallint[], $3::bigint[]) AS wanted (partition, next_offset)
LEFT JOIN log.heads h
  ON h.topic = (SELECT topic FROM log.topics WHERE name = $1) AND h.partition = wanted.partition
WHERE wanted.next_offset <> coalesce(h.next_offset, 0)
"""


class PostgresReader:
    """Where one reader stands in one topic."""

    def __init__(
        self, pool: asyncpg.Pool, news: "News", topic: str, offsets: Mapping[int, int]
    ) -> None:
        self._pool = pool
        self._news = news
        self._topic = topic
        self._next = dict(offsets)

    def assign(self, offsets: Mapping[int, int]) -> None:
        self._next = dict(offsets)

    async def batch(self, *, limit: int, timeout: float) -> list[Record]:
        try:
            return await self._read_or_wait(limit=limit, timeout=timeout)
        except LOST as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away

    async def close(self) -> None:
        self._next = {}

    async def _read_or_wait(self, *, limit: int, timeout: float) -> list[Record]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            # Asked before reading: what is appended in between wakes the wait at once.
            seen = await self._news.seen(self._topic)
            if records := await self._read(limit):
                return records
            left = deadline - loop.time()
            if left <= 0:
                return []
            await self._news.after(self._topic, seen, timeout=min(left, _POLL_SECONDS))

    async def _read(self, limit: int) -> list[Record]:
        async with self._pool.acquire() as connection, asyncio.timeout(_ANSWER_SECONDS):
            behind = await connection.fetch(
                _BEHIND, self._topic, list(self._next), list(self._next.values())
            )
            if lost := {row["partition"]: row for row in behind if row["end"] < row["next_offset"]}:
                raise OffsetOutOfRange(f"{self._topic}: assigned beyond the end: {lost}")
            if not behind:
                return []
            rows = await connection.fetch(
                READ,
                self._topic,
                [row["partition"] for row in behind],
                [row["next_offset"] for row in behind],
                max(1, limit // len(behind)),
                _MAX_BYTES // len(behind),
            )
        records = [record_of(self._topic, row) for row in rows]
        for record in records:
            self._next[record.partition] = record.offset + 1
        return records


class News:
    """One listening connection for all readers of a process; counts the appends per topic."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._connection = KeptConnection(pool, prepare=self._listen)
        self._counts: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def seen(self, topic: str) -> int:
        """How many appends to the topic have been heard of so far; listens from now on."""
        async with self._connection.use(timeout=_CONNECT_SECONDS):
            return self._counts.get(topic, 0)

    async def after(self, topic: str, seen: int, *, timeout: float) -> None:
        """Wait until more is heard of than that, or the time is over."""
        try:
            async with asyncio.timeout(timeout):
                while self._counts.get(topic, 0) == seen:
                    await self._changed.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Give the connection back."""
        await self._connection.close()

    async def _listen(self, connection: PoolConnectionProxy) -> None:
        await connection.add_listener("log", self._hear)

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        topic = str(payload)
        self._counts[topic] = self._counts.get(topic, 0) + 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def record_of(topic: str, row: asyncpg.Record) -> Record:
    """The record that a row of `READ` holds."""
    headers: dict[str, str] = msgspec.json.decode(row["headers"])
    return Record(
        topic,
        row["partition"],
        row["offset"],
        row["key"],
        row["value"],
        [(name, value.encode()) for name, value in headers.items()],
    )
