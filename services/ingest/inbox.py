"""Direct Kafka: a centre with a producer of its own writes to `inbox.<centre>`.

The same checks as over HTTP, then `status`; what is refused goes to quarantine with its bytes and
the reason, and what is behind it goes on. At least once: an event that is taken over twice is one
event by its identity.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec
import structlog

from schemas.envelope import INBOX_PREFIX
from schemas.ids import CentreId, topic_of_centre
from services.eventlog.connection import LOST, heed_cancellation
from services.eventlog.log import LogUnavailable, OffsetOutOfRange, Record
from services.ingest.content import STRUCTURED
from services.ingest.door import Door, Outcome
from services.ingest.reading import Refused, Stated, read, read_binary
from services.ingest.refusals import NOT_UNICODE, attribute_invalid
from services.operation.logs import describe
from services.operation.problems import Problem, Text

LOOK_SECONDS = 15.0
"""How often the registry is asked for centres whose inbox is not being read."""

_BATCH = 500
# A wait is ended by news at once; without any, the lease is renewed after it.
_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_LEASE_SECONDS = 15

_CLAIM = """
INSERT INTO inbox.progress AS p (topic, owner, leased_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (topic) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE p.owner = excluded.owner OR p.leased_until < clock_timestamp()
RETURNING next_offsets
"""
_COMMIT = """
UPDATE inbox.progress SET next_offsets = $3,
    leased_until = clock_timestamp() + make_interval(secs => $4)
WHERE topic = $1 AND owner = $2
"""
_RELEASE = """
UPDATE inbox.progress SET leased_until = '-infinity' WHERE topic = $1 AND owner = $2
"""
_QUARANTINE = """
INSERT INTO projections.quarantine (topic, partition, "offset", reason, key, headers, value)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
"""
_AWAY = (*LOST, LogUnavailable)
_PREFIX = "ce_"

logger = structlog.get_logger()


class LeaseLost(Exception):
    """Another door reads the inbox now; what both took over counts once all the same."""


def inbox_of(centre: CentreId) -> str:
    """The topic that the centre writes to."""
    return topic_of_centre(INBOX_PREFIX, centre)


class Inboxes:
    """Reads the inboxes of all registered centres that have one."""

    def __init__(self, pool: asyncpg.Pool, door: Door, *, name: str) -> None:
        self._pool = pool
        self.door = door
        self._name = name
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Read for ever. An inbox that is made meanwhile is found within `LOOK_SECONDS` or so."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self.look(group)
                await asyncio.sleep(LOOK_SECONDS)

    async def look(self, group: asyncio.TaskGroup) -> None:
        """Every inbox that is there is being read by a task of the group."""
        try:
            there = await self.door.log.topics(INBOX_PREFIX)
        except LogUnavailable:
            return
        if not there:
            return
        for centre in self.door.registry.registry.centres():
            topic = inbox_of(centre)
            reading = self._reading.get(topic)
            if topic in there and (reading is None or reading.done()):
                inbox = Inbox(self._pool, self.door, centre=centre, owner=self._name)
                self._reading[topic] = group.create_task(inbox.run(there[topic]), name=topic)


class Inbox:
    """One centre's inbox, taken over by one door at a time."""

    def __init__(self, pool: asyncpg.Pool, door: Door, *, centre: CentreId, owner: str) -> None:
        self._pool = pool
        self._door = door
        self._centre = centre
        self._topic = inbox_of(centre)
        self._owner = owner
        self.following: list[int] = []
        """The next offset of every partition, once the inbox is claimed."""

    async def run(self, partitions: int) -> None:
        """Take over for ever; ends when the inbox cannot be read from where it was left."""
        try:
            await self._take_over_for_ever(partitions)
        finally:
            await self._release()

    async def _take_over_for_ever(self, partitions: int) -> None:
        while True:
            try:
                if await self.claim(partitions):
                    await self._take_over_while_leased()
            except OffsetOutOfRange as lost:
                # No offset is ever reset by itself: an operator decides.
                logger.error("inbox_lost", topic=self._topic, error=describe(lost))
                return
            except (*_AWAY, LeaseLost) as away:
                heed_cancellation()
                logger.warning("inbox_waits", topic=self._topic, error=describe(away))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def claim(self, partitions: int) -> bool:
        """This door reads the inbox for the next seconds, from where the last one stopped."""
        found = await self._pool.fetchval(_CLAIM, self._topic, self._owner, _LEASE_SECONDS)
        if found is None:
            return False
        self.following = [*found, *[0] * (partitions - len(found))]
        return True

    async def take_over(self, records: Sequence[Record], *, now: datetime) -> list[Outcome]:
        """These records are in `status` or in quarantine, and will not be read again.

        Raises:
            LogUnavailable: not all are; they will be read again.
            LeaseLost: another door reads them too.
        """
        outcomes = await self._door.take(self._readings(records, now), centre=self._centre)
        following = list(self.following)
        for record in records:
            following[record.partition] = max(following[record.partition], record.offset + 1)
        await self._commit(following, list(zip(records, outcomes, strict=True)))
        self.following = following
        return outcomes

    async def _take_over_while_leased(self) -> None:
        reader = self._door.log.reader(self._topic, dict(enumerate(self.following)))
        try:
            while True:
                records = await reader.batch(limit=_BATCH, timeout=_WAIT_SECONDS)
                await self.take_over(records, now=datetime.now(UTC))
        finally:
            await reader.close()

    def _readings(self, records: Sequence[Record], now: datetime) -> Iterator[Stated | Refused]:
        for record in records:
            yield read_record(record, now=now)

    async def _release(self) -> None:
        """The next door need not wait for the lease to run out."""
        try:
            async with asyncio.timeout(_PAUSE_SECONDS):
                await self._pool.execute(_RELEASE, self._topic, self._owner)
        except LOST:
            return

    async def _commit(self, following: list[int], taken: Sequence[tuple[Record, Outcome]]) -> None:
        rows = [
            _quarantined(record, outcome.problem)
            for record, outcome in taken
            if isinstance(outcome, Refused)
        ]
        async with self._pool.acquire() as connection, connection.transaction():
            if rows:
                await connection.executemany(_QUARANTINE, rows)
            done = await connection.execute(
                _COMMIT, self._topic, self._owner, following, _LEASE_SECONDS
            )
            if done != "UPDATE 1":
                raise LeaseLost(self._topic)


def read_record(record: Record, *, now: datetime) -> Stated | Refused:
    """The event of a Kafka message, in structured or binary mode (CloudEvents Kafka binding)."""
    try:
        headers = _headers(record)
    except Problem as problem:
        return Refused(None, problem)
    content_type = headers.get("content-type", "")
    if content_type.startswith(STRUCTURED):
        return read(record.value, now=now)
    attributes = {
        name.removeprefix(_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if content_type:
        attributes["datacontenttype"] = content_type
    return read_binary(attributes, record.value, now=now)


def _headers(record: Record) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in record.headers:
        if name in headers and name.startswith(_PREFIX):
            raise attribute_invalid("the headers", "each attribute is stated once")
        try:
            headers[name] = value.decode()
        except UnicodeDecodeError:
            raise Problem(
                NOT_UNICODE,
                Text("เข้ารหัสส่วนหัวเป็น UTF-8", "Encode the headers in UTF-8"),
            ) from None
    return headers


def _quarantined(record: Record, problem: Problem) -> tuple[object, ...]:
    why = problem.detail.en if problem.detail else problem.kind.title.en
    headers = [(name, value.decode(errors="backslashreplace")) for name, value in record.headers]
    return (
        record.topic,
        record.partition,
        record.offset,
        f"{problem.kind.slug}: {why}",
        record.key,
        msgspec.json.encode(headers).decode(),
        record.value,
    )
