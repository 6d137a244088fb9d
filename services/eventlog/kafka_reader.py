"""Reading from Kafka by place: no group, no committed offset, nothing that resets by itself."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.eventlog.kafka_brokers import Brokers
from services.eventlog.kafka_topics import partition_count
from services.eventlog.log import LogUnavailable, OffsetOutOfRange, Record

_REQUEST_TIMEOUT_MS = 10_000
_RETRY_BACKOFF_MS = 50
_PARTITION_FETCH_BYTES = 256 * 1024
"""What is read ahead per partition: all that a reader which nobody polls holds in memory."""

_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_WAIT_MS = 100
"""A partition that was read while the others of its broker wait for news is asked for again only
after this wait, so it bounds how late a message can be seen."""

_AT_SECONDS = 5.0
_AWAY = (KafkaError, OSError)


class KafkaReader:
    """Where one reader stands in one topic. Connects at its first batch."""

    def __init__(self, brokers: Brokers, topic: str, offsets: Mapping[int, int]) -> None:
        self._brokers = brokers
        self._topic = topic
        self._next = dict(offsets)
        self._consumer: AIOKafkaConsumer | None = None

    def assign(self, offsets: Mapping[int, int]) -> None:
        self._next = dict(offsets)
        if self._consumer is not None:
            self._seek(self._consumer)

    async def batch(self, *, limit: int, timeout: float) -> list[Record]:
        if not self._next:
            # A consumer without an assignment waits for one, whatever the timeout.
            await asyncio.sleep(timeout)
            return []
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout(timeout + _REQUEST_TIMEOUT_MS / 1000):
                consumer = await self._started()
                left = max(0.0, deadline - asyncio.get_running_loop().time())
                found = await consumer.getmany(timeout_ms=int(left * 1000), max_records=limit)
        except OffsetOutOfRangeError as outside:
            raise OffsetOutOfRange(f"{self._topic}: {outside}") from outside
        except _AWAY as away:
            await self.close()
            raise LogUnavailable(f"Kafka is away: {away!r}") from away
        records = [record_of(record) for page in found.values() for record in page]
        for record in records:
            self._next[record.partition] = record.offset + 1
        return records

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer)

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is not None and self._consumer._fetcher.error_future.done():
            # The task that fetches has ended by a fault of its own; polling would wait for ever.
            await self.close()
        if self._consumer is None:
            consumer = await start_consumer(self._brokers)
            self._seek(consumer)
            self._consumer = consumer
        return self._consumer

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.unsubscribe()
        if self._next:
            consumer.assign([TopicPartition(self._topic, partition) for partition in self._next])
        for partition, offset in self._next.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)


class Places:
    """Answers about places in the log, by two consumers of its own.

    They are apart because a broker answers a connection's requests one by one: the question for
    the ends must not wait behind a fetch.
    """

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._partitions: dict[str, int] = {}
        self._asking: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._readers: dict[str, KafkaReader] = {}
        self._reading = asyncio.Lock()

    async def ends(self, topic: str) -> list[int]:
        """The next offset of every partition."""
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_MS / 1000):
                places = await self._partitions_of(topic)
                ends = await (await self._started()).end_offsets(places)
        except _AWAY as away:
            raise LogUnavailable(f"Kafka is away: {away!r}") from away
        return [ends[place] for place in places]

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The one record at this place, or None."""
        ends = await self.ends(topic)
        if not 0 <= partition < len(ends) or not 0 <= offset < ends[partition]:
            return None
        async with self._reading:
            reader = self._readers.setdefault(topic, KafkaReader(self._brokers, topic, {}))
            reader.assign({partition: offset})
            try:
                found = await reader.batch(limit=1, timeout=_AT_SECONDS)
            finally:
                # Before the consumer turns to it: no reading ahead for a single record.
                reader.assign({})
        if not found:
            raise LogUnavailable(f"Kafka did not give {topic}/{partition}/{offset} in time")
        return found[0] if found[0].offset == offset else None

    async def close(self) -> None:
        """Free both."""
        for reader in self._readers.values():
            await reader.close()
        if self._asking is not None:
            await stop_consumer(self._asking)

    async def _partitions_of(self, topic: str) -> list[TopicPartition]:
        # Fixed for ever, so asked once.
        if topic not in self._partitions:
            if not (count := await partition_count(self._brokers, topic)):
                return []
            self._partitions[topic] = count
        return [TopicPartition(topic, number) for number in range(self._partitions[topic])]

    async def _started(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._asking is None:
                self._asking = await start_consumer(self._brokers)
            return self._asking


async def start_consumer(brokers: Brokers) -> AIOKafkaConsumer:
    """A consumer without a group that reads nothing yet."""
    consumer = AIOKafkaConsumer(
        **brokers.client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_bytes=_FETCH_BYTES,
        max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        retry_backoff_ms=_RETRY_BACKOFF_MS,
    )
    try:
        await consumer.start()
    except BaseException:
        await stop_consumer(consumer)
        raise
    return consumer


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """The consumer is stopped and its connections are closed, also right after its start."""
    # aiokafka cancels its tasks and waits for them. One that has not begun yet cannot catch its
    # cancellation, which would come out here and leave the connections open.
    await asyncio.sleep(0)
    await consumer.stop()


def record_of(record: ConsumerRecord[bytes, bytes]) -> Record:
    """Kafka's record as the port's. A key or value that is null is empty here."""
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key or b"",
        record.value or b"",
        list(record.headers),
    )
