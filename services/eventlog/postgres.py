"""The log's home in Postgres: the embedded default, one machine, nothing else installed.

Offsets are gapless per partition and drawn under the head's row lock, held to commit. Appends are
flushed in groups; readers are woken by one notification per flush and poll as a fallback.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from services.eventlog.groupcommit import GroupCommit
from services.eventlog.log import (
    Headers,
    LogMisconfigured,
    LogUnavailable,
    Message,
    OffsetOutOfRange,
    Reader,
    Record,
    TopicSpec,
)

_MAX_FLUSH = 2_000
_POLL_SECONDS = 1.0
_NO_CONNECTION = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, TimeoutError)
_AWAY = (*_NO_CONNECTION, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError)

_APPEND = "SELECT appended_partition, first_offset FROM log.append($1, $2, $3, $4, $5)"

_HEADS = """
SELECT h.partition, h.next_offset FROM log.heads h JOIN log.topics t USING (topic)
WHERE t.name = $1 ORDER BY h.partition
"""

_READ = """
SELECT m.partition, m."offset", m.key, m.headers, m.value
FROM unnest($2::smallint[], $3::bigint[]) AS wanted (partition, next_offset)
CROSS JOIN LATERAL (
    SELECT * FROM log.messages m
    WHERE m.topic = (SELECT topic FROM log.topics WHERE name = $1)
      AND m.partition = wanted.partition AND m."offset" >= wanted.next_offset
    ORDER BY m."offset" LIMIT $4
) m
"""

_KEPT_FOR_EVER = {"fsync": "on", "full_page_writes": "on"}


@dataclass(frozen=True, slots=True)
class _Append:
    topic: str
    batches: Mapping[int, Sequence[Message]]


class PostgresLog:
    """A log in the schema `log` of one database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._writer: GroupCommit[_Append, dict[int, int]] = GroupCommit(
            self._flush,
            max_size=_MAX_FLUSH,
            may_join=lambda batch, item: batch[0].topic == item.topic,
        )
        self._news = _News(pool)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        for topic in topics:
            await self._pool.execute(
                "SELECT log.ensure_topic($1, $2)", topic.name, topic.partitions
            )

    async def check(self, topics: Sequence[str]) -> None:
        for setting, wanted in _KEPT_FOR_EVER.items():
            if (actual := await self._pool.fetchval(f"SHOW {setting}")) != wanted:
                raise LogMisconfigured(f"{setting} is {actual}, must be {wanted}")
        if (actual := await self._pool.fetchval("SHOW synchronous_commit")) == "off":
            raise LogMisconfigured("synchronous_commit is off: an acknowledgement would promise it")
        for topic in topics:
            if not await self.ends(topic):
                raise LogMisconfigured(f"topic {topic} is missing")

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        size = sum(len(messages) for messages in batches.values())
        try:
            async with asyncio.timeout(timeout):
                return await self._writer.write(_Append(topic, batches), size=size)
        except _AWAY as away:
            raise LogUnavailable(f"the log in Postgres did not acknowledge: {away!r}") from away

    async def ends(self, topic: str) -> list[int]:
        try:
            return [row["next_offset"] for row in await self._pool.fetch(_HEADS, topic)]
        except _AWAY as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        return _PostgresReader(self._pool, self._news, topic, offsets)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        try:
            rows = await self._pool.fetch(_READ, topic, [partition], [offset], 1)
        except _AWAY as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away
        records = [_record(topic, row) for row in rows]
        return next((record for record in records if record.offset == offset), None)

    async def close(self) -> None:
        await self._writer.close()
        await self._news.close()

    async def _flush(self, appends: Sequence[_Append]) -> list[dict[int, int]]:
        """One call for all; each append's first offset is the flush's, plus what is before it."""
        partitions: list[int] = []
        messages: list[Message] = []
        for append in appends:
            for partition, batch in append.batches.items():
                partitions.extend([partition] * len(batch))
                messages.extend(batch)
        rows = await self._pool.fetch(
            _APPEND,
            appends[0].topic,
            partitions,
            [message.key for message in messages],
            [_header_text(message.headers) for message in messages],
            [message.value for message in messages],
        )
        following = {row["appended_partition"]: row["first_offset"] for row in rows}
        firsts: list[dict[int, int]] = []
        for append in appends:
            firsts.append({partition: following[partition] for partition in append.batches})
            for partition, batch in append.batches.items():
                following[partition] += len(batch)
        return firsts


class _PostgresReader:
    def __init__(
        self, pool: asyncpg.Pool, news: "_News", topic: str, offsets: Mapping[int, int]
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
        except _AWAY as away:
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
        heads = {row["partition"]: row["next_offset"] for row in await self._heads()}
        behind = {p: n for p, n in self._next.items() if heads.get(p, 0) > n}
        if lost := {p: n for p, n in self._next.items() if heads.get(p, 0) < n}:
            raise OffsetOutOfRange(f"{self._topic}: assigned beyond the end: {lost}")
        if not behind:
            return []
        share = max(1, limit // len(behind))
        rows = await self._pool.fetch(
            _READ, self._topic, list(behind), list(behind.values()), share
        )
        records = [_record(self._topic, row) for row in rows]
        for record in records:
            self._next[record.partition] = record.offset + 1
        return records

    async def _heads(self) -> list[asyncpg.Record]:
        return await self._pool.fetch(_HEADS, self._topic)


class _News:
    """One listening connection for all readers of a process; counts the appends per topic."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy | None = None
        self._connecting = asyncio.Lock()
        self._counts: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def seen(self, topic: str) -> int:
        """How many appends to the topic have been heard of so far."""
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                connection = await self._pool.acquire()
                await connection.add_listener("log", self._hear)
                self._connection = connection
        return self._counts.get(topic, 0)

    async def after(self, topic: str, seen: int, *, timeout: float) -> None:
        """Wait until more is heard of than that, or the time is over."""
        try:
            async with asyncio.timeout(timeout):
                while self._counts.get(topic, 0) == seen:
                    changed = self._changed
                    await changed.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.remove_listener("log", self._hear)
            await self._pool.release(self._connection)
        self._connection = None

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        topic = str(payload)
        self._counts[topic] = self._counts.get(topic, 0) + 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _header_text(headers: Headers) -> str:
    return msgspec.json.encode({name: value.decode() for name, value in headers}).decode()


def _record(topic: str, row: asyncpg.Record) -> Record:
    headers: dict[str, str] = msgspec.json.decode(row["headers"])
    return Record(
        topic,
        row["partition"],
        row["offset"],
        row["key"],
        row["value"],
        [(name, value.encode()) for name, value in headers.items()],
    )
