"""The log's home in Apache Kafka.

What is appended to one partition at about the same time travels in one record batch, and an append
is never split: it is in the log whole or not at all, at adjacent offsets. The producer is
idempotent, so its own retries write nothing twice.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.codec import has_zstd
from aiokafka.errors import KafkaError

from services.eventlog.groupcommit import GroupCommit, WriterClosed
from services.eventlog.kafka_brokers import Brokers
from services.eventlog.kafka_reader import KafkaReader, Places
from services.eventlog.kafka_topics import (
    MAX_BATCH_BYTES,
    check_topics,
    ensure_topics,
    partition_counts,
)
from services.eventlog.log import (
    AppendTooLarge,
    LogUnavailable,
    Message,
    Reader,
    Record,
    TopicSpec,
    checked_sizes,
    size_of,
)

_REQUEST_TIMEOUT_MS = 10_000
"""How long a broker may hold its connection and say nothing until another one is asked."""

_RETRY_BACKOFF_MS = 50
_FLUSH_BYTES = 1024 * 1024
_IN_FLIGHT_BYTES = 64 * 1024 * 1024
"""What may be under way at once. The producer puts a batch of every partition into one request, and
a broker by default cuts off whoever sends one of more than 100 MiB."""

type _Batch = Sequence[Message]


class KafkaLog:
    """A log in a Kafka cluster. Connects when first used."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._writers: dict[TopicPartition, GroupCommit[_Batch, int]] = {}
        self._producing = _Producing(brokers)
        self._in_flight = _Allowance(_IN_FLIGHT_BYTES)
        self._places = Places(brokers)

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        await ensure_topics(self._brokers, topics)

    async def check(self, topics: Sequence[str]) -> None:
        await check_topics(self._brokers, topics)

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        sizes = checked_sizes(batches)
        writes = [
            self._writer(TopicPartition(topic, partition)).write(batch, size=sizes[partition])
            for partition, batch in batches.items()
        ]
        try:
            async with asyncio.timeout(timeout):
                firsts = await asyncio.gather(*writes)
        except (KafkaError, OSError, WriterClosed) as away:
            raise LogUnavailable(f"Kafka did not acknowledge: {away!r}") from away
        return dict(zip(batches, firsts, strict=True))

    async def ends(self, topic: str) -> list[int]:
        return await self._places.ends(topic)

    async def topics(self, prefix: str) -> dict[str, int]:
        return await partition_counts(self._brokers, prefix)

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        return KafkaReader(self._brokers, topic, offsets)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        return await self._places.at(topic, partition, offset)

    async def close(self) -> None:
        await asyncio.gather(*(writer.close() for writer in self._writers.values()))
        await self._producing.close()
        await self._places.close()

    def _writer(self, place: TopicPartition) -> GroupCommit[_Batch, int]:
        # One per partition: a broker that is slow holds up its own partitions and no others.
        if place not in self._writers:
            self._writers[place] = GroupCommit(partial(self._flush, place), max_size=_FLUSH_BYTES)
        return self._writers[place]

    async def _flush(self, place: TopicPartition, batches: Sequence[_Batch]) -> Sequence[int]:
        size = sum(map(size_of, batches))
        await self._in_flight.take(size)
        try:
            first = await self._producing.send(
                place, [message for batch in batches for message in batch]
            )
        finally:
            self._in_flight.give_back(size)
        firsts = []
        for batch in batches:
            firsts.append(first)
            first += len(batch)
        return firsts


class _Producing:
    """The producer: made when first needed, replaced when it can no longer be relied on."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, place: TopicPartition, messages: Sequence[Message]) -> int:
        """Send one batch; returns the offset of its first message, once it is durable."""
        producer = await self._started()
        batch = producer.create_batch()
        now_ms = int(time.time() * 1000)
        for key, value, headers in ((m.key, m.value, m.headers) for m in messages):
            if batch.append(key=key, value=value, timestamp=now_ms, headers=headers) is None:
                raise AppendTooLarge(f"{len(messages)} messages do not fit into one batch")
        try:
            await producer.partitions_for(place.topic)
            sent = await producer.send_batch(batch, place.topic, partition=place.partition)
            offset: int = (await sent).offset
        except KafkaError:
            # The batch had a number in its partition's sequence and is not in the log: whatever
            # this producer sent there next would be refused as out of order.
            await self._discard(producer)
            raise
        except AssertionError as unknown:
            raise KafkaError(f"{place} does not exist") from unknown
        if offset < 0:
            raise KafkaError(f"{place}: written, but the broker no longer knows where")
        return offset

    async def close(self) -> None:
        """Nothing more is sent, also when the broker is away."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await _start(self._brokers)
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is None or self._producer is not producer:
            return
        self._producer = None
        # `stop` alone waits until everything is sent: for ever while the broker is away.
        producer._message_accumulator.fail_all(KafkaError("the producer is closed"))
        await producer.stop()


async def _start(brokers: Brokers) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **brokers.client,
        acks="all",
        enable_idempotence=True,
        # Measured on 500 situation reports: a tenth of the bytes for 1.4 µs an event. The codec is
        # cramjam's; batches with and without it may follow each other.
        compression_type="zstd" if has_zstd() else None,
        # A batch is made whole by us and never refused as full.
        max_batch_size=2 * MAX_BATCH_BYTES,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        retry_backoff_ms=_RETRY_BACKOFF_MS,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


class _Allowance:
    """A number of bytes to be shared out, first come, first served."""

    def __init__(self, total: int) -> None:
        self._left = total
        self._turn = asyncio.Lock()
        self._returned = asyncio.Event()

    async def take(self, size: int) -> None:
        async with self._turn:
            while size > self._left:
                self._returned.clear()
                await self._returned.wait()
            self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size
        self._returned.set()
