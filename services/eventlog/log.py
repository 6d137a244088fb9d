"""The log port: topics, partitions and offsets, whatever their home.

A home keeps every message for ever, in order within its partition, and acknowledges only what
would survive the loss of power (one machine) or of a replica (three brokers). Nothing outside
`services.eventlog` knows which home is in use, and no transaction leaks out of the port.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

MAX_APPEND_BYTES = 16 * 1024 * 1024
"""What one append may bring to one partition: keys, values and headers."""

type Headers = list[tuple[str, bytes]]
"""Each name once, each value UTF-8, as CloudEvents has it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a writer hands over."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Record:
    """What a reader gets: a message and where it lies."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers


class LogUnavailable(Exception):
    """The log did not acknowledge in time. The messages may or may not be in it: send again."""


class AppendTooLarge(Exception):
    """More than `MAX_APPEND_BYTES` for one partition, which no home would take whole."""


class LogMisconfigured(Exception):
    """The home would not keep messages for ever, or not safely; names the setting and its value."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must be there."""

    name: str
    partitions: int


class Reader(Protocol):
    """Reads some partitions of one topic from given offsets. Not safe for concurrent use."""

    def assign(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets, and no others, from now on."""
        ...

    async def batch(self, *, limit: int, timeout: float) -> list[Record]:
        """The next records, at most about `limit`, in order within each partition.

        Waits up to `timeout` seconds for the first; then the list is empty. The reader moves on
        by itself; what a batch held comes again only after `assign`.

        Raises:
            LogUnavailable: the home is away; call again.
            OffsetOutOfRange: the log no longer holds, or never held, what was assigned.
        """
        ...

    async def close(self) -> None:
        """Free what the reader holds."""
        ...


class OffsetOutOfRange(Exception):
    """An assigned offset lies outside the log: a wrong log, or one that lost messages."""


class Log(Protocol):
    """One log in one home."""

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """Make the topics that are missing, kept for ever; never changes one that exists."""
        ...

    async def check(self, topics: Sequence[str]) -> None:
        """Refuse a home that would forget.

        Raises:
            LogMisconfigured: a topic is missing or its settings do not keep what 'for ever' needs.
        """
        ...

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        """Append each partition's messages, in order and adjacent; returns the first offsets.

        Returns only when every message is durable. All or nothing within a partition, not across.

        Raises:
            LogUnavailable: no acknowledgement within `timeout` seconds.
            AppendTooLarge: nothing is written.
        """
        ...

    async def ends(self, topic: str) -> list[int]:
        """The next offset of every partition, by partition: all below is readable."""
        ...

    async def topics(self, prefix: str) -> dict[str, int]:
        """How many partitions each topic has whose name begins so; one question for all of them.

        Raises:
            LogUnavailable: the home is away.
        """
        ...

    def reader(self, topic: str, offsets: Mapping[int, int]) -> Reader:
        """A reader of its own, from these offsets. Any number may read at once."""
        ...

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The one record at this place, or None when there is none."""
        ...

    async def close(self) -> None:
        """Free what the log holds; appends under way are finished first."""
        ...


def checked_sizes(batches: Mapping[int, Sequence[Message]]) -> dict[int, int]:
    """The bytes of each partition's batch.

    Raises:
        AppendTooLarge: one has more than `MAX_APPEND_BYTES`.
    """
    sizes = {partition: size_of(batch) for partition, batch in batches.items()}
    if too_large := {part: size for part, size in sizes.items() if size > MAX_APPEND_BYTES}:
        raise AppendTooLarge(f"bytes by partition: {too_large}, at most {MAX_APPEND_BYTES}")
    return sizes


def size_of(batch: Sequence[Message]) -> int:
    """The bytes of keys, values and headers."""
    headers = chain.from_iterable(message.headers for message in batch)
    contents = sum(len(message.key) + len(message.value) for message in batch)
    return contents + sum(map(len, chain.from_iterable(headers)))
