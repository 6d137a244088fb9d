"""The log's home in Postgres: the embedded default, one machine, nothing else installed.

Offsets are gapless per partition and drawn under the head's row lock, held to commit. Appends are
flushed in groups; readers are woken by one notification per flush and poll as a fallback.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import asyncpg
import msgspec

from services.eventlog.connection import LOST, KeptConnections
from services.eventlog.groupcommit import GroupCommit, WriterClosed
from services.eventlog.log import (
    LogMisconfigured,
    LogUnavailable,
    Message,
    Reader,
    Record,
    TopicSpec,
    checked_sizes,
)
from services.eventlog.postgres_reader import READ, News, PostgresReader, record_of

_FLUSH_BYTES = 256 * 1024
_FLUSHES = 2
_FLUSH_SECONDS = 30.0
_ANSWER_SECONDS = 10.0

_APPEND = "SELECT appended_partition, first_offset FROM log.append($1, $2, $3, $4, $5, $6)"

_HEADS = """
SELECT h.partition, h.next_offset FROM log.heads h JOIN log.topics t USING (topic)
WHERE t.name = $1 ORDER BY h.partition
"""

_TOPICS = """
SELECT t.name, count(*) FROM log.topics t JOIN log.heads h USING (topic)
WHERE starts_with(t.name, $1) GROUP BY t.name
"""

_JSON = msgspec.json.Encoder()

_KEPT_FOR_EVER = {"fsync": "on", "full_page_writes": "on"}


@dataclass(frozen=True, slots=True)
class _Append:
    topic: str
    batches: Mapping[int, Sequence[Message]]
    header_lines: Mapping[int, bytes]
    """JSON, a line a message: in JSON a line break is written otherwise."""


class PostgresLog:
    """A log in the schema `log` of one database. Keeps three of the pool's connections."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connections = KeptConnections(pool, _FLUSHES)
        self._writer: GroupCommit[_Append, dict[int, int]] = GroupCommit(
            self._flush, max_size=_FLUSH_BYTES, flushers=_FLUSHES, admission=_one_topic
        )
        self._news = News(pool)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        for topic in topics:
            await self._pool.execute(
                "SELECT log.ensure_topic($1, $2)", topic.name, topic.partitions
            )
            if (actual := len(await self.ends(topic.name))) != topic.partitions:
                raise LogMisconfigured(
                    f"topic {topic.name}: partitions is {actual}, must be {topic.partitions}"
                )

    async def check(self, topics: Sequence[str]) -> None:
        for setting, wanted in _KEPT_FOR_EVER.items():
            if (actual := await self._setting(setting)) != wanted:
                raise LogMisconfigured(f"{setting} is {actual}, must be {wanted}")
        if await self._setting("synchronous_commit") == "off":
            raise LogMisconfigured("synchronous_commit is off: an acknowledgement would promise it")
        for topic in topics:
            if not await self.ends(topic):
                raise LogMisconfigured(f"topic {topic} is missing")

    async def _setting(self, name: str) -> str:
        try:
            value: str = await self._pool.fetchval(f"SHOW {name}")
        except LOST as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away
        return value

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        size = sum(checked_sizes(batches).values())
        # Encoded here and not in the flush, where one writer's bad header would fail all others.
        header_lines = {
            partition: _header_lines(messages) for partition, messages in batches.items()
        }
        try:
            async with asyncio.timeout(timeout):
                return await self._writer.write(_Append(topic, batches, header_lines), size=size)
        except (*LOST, WriterClosed, asyncpg.PostgresError) as away:
            raise LogUnavailable(f"the log in Postgres did not acknowledge: {away!r}") from away

    async def ends(self, topic: str) -> list[int]:
        try:
            rows = await self._pool.fetch(_HEADS, topic, timeout=_ANSWER_SECONDS)
        except LOST as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away
        return [row["next_offset"] for row in rows]

    async def topics(self, prefix: str) -> dict[str, int]:
        try:
            rows = await self._pool.fetch(_TOPICS, prefix, timeout=_ANSWER_SECONDS)
        except LOST as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away
        return {row["name"]: row["count"] for row in rows}

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        return PostgresReader(self._pool, self._news, topic, offsets)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        try:
            rows = await self._pool.fetch(
                READ, topic, [partition], [offset], 1, 0, timeout=_ANSWER_SECONDS
            )
        except LOST as away:
            raise LogUnavailable(f"the log in Postgres is away: {away!r}") from away
        records = [record_of(topic, row) for row in rows]
        return next((record for record in records if record.offset == offset), None)

    async def close(self) -> None:
        await self._writer.close()
        await self._connections.close()
        await self._news.close()

    async def _flush(self, appends: Sequence[_Append]) -> Sequence[dict[int, int] | Exception]:
        try:
            return await self._write(appends)
        except LOST:
            raise
        except asyncpg.PostgresError as refused:
            if len(appends) == 1:
                return [refused]
            # One of them cannot be written. The others must not fail with it.
            return [(await self._flush([append]))[0] for append in appends]

    async def _write(self, appends: Sequence[_Append]) -> list[dict[int, int]]:
        """One call for all; each append's first offset is the flush's, plus what is before it."""
        starts: list[dict[int, int]] = []
        batches: dict[int, list[Message]] = {}
        lines: dict[int, list[bytes]] = {}
        for append in appends:
            starts.append({part: len(batches.get(part, ())) for part in append.batches})
            for partition, batch in append.batches.items():
                batches.setdefault(partition, []).extend(batch)
                lines.setdefault(partition, []).append(append.header_lines[partition])
        messages = list(chain.from_iterable(batches.values()))
        header_lines = b"".join(chain.from_iterable(lines.values()))
        async with self._connections.use(timeout=_FLUSH_SECONDS) as connection:
            rows = await connection.fetch(
                _APPEND,
                appends[0].topic,
                list(batches),
                [len(batch) for batch in batches.values()],
                [message.key for message in messages],
                header_lines.decode().removesuffix("\n"),
                [message.value for message in messages],
            )
        firsts = {row["appended_partition"]: row["first_offset"] for row in rows}
        return [
            {partition: firsts[partition] + start for partition, start in before.items()}
            for before in starts
        ]


def _one_topic() -> Callable[[_Append], bool]:
    topics: set[str] = set()

    def admits(append: _Append) -> bool:
        topics.add(append.topic) if not topics else None
        return append.topic in topics

    return admits


def _header_lines(messages: Sequence[Message]) -> bytes:
    return _JSON.encode_lines(
        {name: value.decode() for name, value in message.headers} for message in messages
    )
