"""What every home of the log keeps, asked of all of them alike."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.eventlog.log import (
    MAX_APPEND_BYTES,
    AppendTooLarge,
    Log,
    LogMisconfigured,
    LogUnavailable,
    Message,
    OffsetOutOfRange,
    Reader,
    Record,
    TopicSpec,
)
from tests.eventlog.homes import Home

PATIENCE = 30.0
EVERYTHING = {0: 0, 1: 0, 2: 0, 3: 0}


def message(key: str, number: int, *, size: int = 0) -> Message:
    return Message(key.encode(), b"%d" % number + b" " * size, [("ce_id", b"%d" % number)])


def messages(key: str, numbers: range) -> list[Message]:
    return [message(key, number) for number in numbers]


def numbers_of(records: Sequence[Record], key: str) -> list[int]:
    return [int(record.value) for record in records if record.key == key.encode()]


@asynccontextmanager
async def reading(log: Log, topic: str, offsets: dict[int, int]) -> AsyncIterator[Reader]:
    reader = log.reader(topic, offsets)
    try:
        yield reader
    finally:
        await reader.close()


async def read(reader: Reader, count: int) -> list[Record]:
    """That many records, however long the home was away in between."""
    found: list[Record] = []
    async with asyncio.timeout(2 * PATIENCE):
        while len(found) < count:
            try:
                found += await reader.batch(limit=1_000, timeout=0.5)
            except LogUnavailable:
                await asyncio.sleep(0.05)
    return found


async def everything(log: Log, topic: str, offsets: dict[int, int] | None = None) -> list[Record]:
    ends = await log.ends(topic)
    start = EVERYTHING if offsets is None else offsets
    async with reading(log, topic, start) as reader:
        return await read(reader, sum(ends[part] - first for part, first in start.items()))


async def append_until_taken(log: Log, topic: str, number: int) -> None:
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            try:
                await log.append(topic, {number % 4: [message("again", number)]}, timeout=2)
            except LogUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_record_is_what_was_appended(log: Log, topic: str) -> None:
    sent = [
        Message("ศูนย์".encode(), b'{"n": 1}', [("ce_id", b"1"), ("ce_subject", "น้ำท่วม".encode())]),
        Message(b"", b"", []),
        Message(b"\x00\xff", bytes(range(256)), [("content-type", b"application/json")]),
    ]
    firsts = await log.append(topic, {2: sent}, timeout=PATIENCE)
    found = [await log.at(topic, 2, firsts[2] + nth) for nth in range(3)]
    assert found == [
        Record(topic, 2, firsts[2] + nth, one.key, one.value, one.headers)
        for nth, one in enumerate(sent)
    ]
    assert await everything(log, topic) == found


async def test_offsets_start_at_zero_and_leave_nothing_out(log: Log, topic: str) -> None:
    assert await log.ends(topic) == [0, 0, 0, 0]
    first = await log.append(
        topic, {1: messages("a", range(3)), 3: messages("b", range(2))}, timeout=PATIENCE
    )
    second = await log.append(topic, {1: messages("a", range(3, 5))}, timeout=PATIENCE)
    assert (first, second) == ({1: 0, 3: 0}, {1: 3})
    assert await log.ends(topic) == [0, 5, 0, 2]


async def test_one_appends_messages_are_adjacent_and_in_order_among_many_writers(
    log: Log, topic: str
) -> None:
    async def write(writer: int) -> list[int]:
        key = f"writer-{writer}"
        return [
            (await log.append(topic, {0: messages(key, range(n, n + 5))}, timeout=PATIENCE))[0]
            for n in range(0, 50, 5)
        ]

    firsts = await asyncio.gather(*(write(writer) for writer in range(8)))
    found = await everything(log, topic, {0: 0})
    assert [record.offset for record in found] == list(range(400))
    for writer, own in enumerate(firsts):
        assert own == sorted(own)
        at = {offset + nth: n * 5 + nth for n, offset in enumerate(own) for nth in range(5)}
        assert {offset: int(found[offset].value) for offset in at} == at
        assert numbers_of(found, f"writer-{writer}") == list(range(50))


async def test_what_is_acknowledged_is_covered_by_the_ends_at_once(log: Log, topic: str) -> None:
    for number in range(20):
        firsts = await log.append(topic, {number % 4: [message("k", number)]}, timeout=PATIENCE)
        assert (await log.ends(topic))[number % 4] == firsts[number % 4] + 1


async def test_a_reader_starts_wherever_it_is_told(log: Log, topic: str) -> None:
    await log.append(
        topic, {0: messages("k", range(100)), 1: messages("k", range(50))}, timeout=PATIENCE
    )
    async with reading(log, topic, {0: 97, 1: 48}) as reader:
        assert {(r.partition, r.offset) for r in await read(reader, 5)} == {
            (0, 97), (0, 98), (0, 99), (1, 48), (1, 49),
        }  # fmt: skip
        reader.assign({0: 98})
        assert [record.offset for record in await read(reader, 2)] == [98, 99]
        reader.assign({})
        assert await reader.batch(limit=10, timeout=0.1) == []
        reader.assign({1: 50})
        await log.append(
            topic, {1: messages("k", range(50, 51)), 0: messages("k", range(1))}, timeout=PATIENCE
        )
        assert [(r.partition, r.offset) for r in await read(reader, 1)] == [(1, 50)]


async def test_a_batch_holds_about_as_many_records_as_asked_for(log: Log, topic: str) -> None:
    await log.append(
        topic, {part: messages("k", range(100)) for part in range(4)}, timeout=PATIENCE
    )
    async with reading(log, topic, EVERYTHING) as reader:
        seen = 0
        while seen < 400:
            batch = await reader.batch(limit=40, timeout=PATIENCE)
            assert 0 < len(batch) <= 40
            seen += len(batch)


async def test_many_readers_do_not_share_a_place(log: Log, topic: str) -> None:
    await log.append(topic, {0: messages("k", range(200))}, timeout=PATIENCE)
    starts = range(0, 200, 20)
    found = await asyncio.gather(*(everything(log, topic, {0: start}) for start in starts))
    assert [numbers_of(own, "k") for own in found] == [list(range(start, 200)) for start in starts]


async def test_a_late_reader_gets_everything_and_goes_on_live(
    home: Home, log: Log, topic: str
) -> None:
    await log.append(topic, {0: messages("k", range(1_000))}, timeout=PATIENCE)
    async with home.open() as later, reading(later, topic, {0: 0}) as reader:
        assert numbers_of(await read(reader, 1_000), "k") == list(range(1_000))
        await log.append(topic, {0: [message("k", 1_000)]}, timeout=PATIENCE)
        assert numbers_of(await read(reader, 1), "k") == [1_000]


async def test_a_waiting_reader_is_woken_by_an_append(home: Home, log: Log, topic: str) -> None:
    async with home.open() as other, reading(other, topic, EVERYTHING) as reader:
        assert await reader.batch(limit=10, timeout=0.2) == []
        waiting = asyncio.create_task(reader.batch(limit=10, timeout=PATIENCE))
        await log.append(topic, {3: [message("k", 1)]}, timeout=PATIENCE)
        async with asyncio.timeout(PATIENCE / 2):
            assert numbers_of(await waiting, "k") == [1]


async def test_a_place_outside_the_log_is_said_to_be_so(log: Log, topic: str) -> None:
    await log.append(topic, {0: messages("k", range(3))}, timeout=PATIENCE)
    assert await log.at(topic, 0, 3) is None
    assert await log.at(topic, 0, -1) is None
    assert await log.at(topic, 99, 0) is None
    async with reading(log, topic, {0: 4}) as reader:
        for _ in range(2):
            with pytest.raises(OffsetOutOfRange):
                await reader.batch(limit=10, timeout=PATIENCE)
        reader.assign({0: 2})
        assert numbers_of(await read(reader, 1), "k") == [2]


async def test_the_largest_append_is_taken_whole_and_a_larger_one_not_at_all(
    log: Log, topic: str
) -> None:
    # 64 events of the largest size the door takes: a body of 16 MiB.
    largest = [message("k", number, size=250_000) for number in range(64)]
    assert await log.append(topic, {0: largest}, timeout=PATIENCE) == {0: 0}
    assert [int(record.value) for record in await everything(log, topic, {0: 0})] == list(range(64))
    with pytest.raises(AppendTooLarge):
        await log.append(
            topic,
            {1: [message("k", 0)], 0: [message("k", 0, size=MAX_APPEND_BYTES)]},
            timeout=PATIENCE,
        )
    assert await log.ends(topic) == [64, 0, 0, 0]


async def test_an_append_to_nowhere_is_not_acknowledged_and_hurts_nobody(
    log: Log, topic: str
) -> None:
    nowhere, good = await asyncio.gather(
        log.append(topic, {77: [message("k", 0)], 0: [message("k", 0)]}, timeout=PATIENCE),
        log.append(topic, {1: [message("k", 1)]}, timeout=PATIENCE),
        return_exceptions=True,
    )
    assert isinstance(nowhere, LogUnavailable)
    assert good == {1: 0}


async def test_a_writer_that_gives_up_hurts_nobody(log: Log, topic: str) -> None:
    writes = [
        asyncio.create_task(log.append(topic, {0: [message("k", number)]}, timeout=PATIENCE))
        for number in range(200)
    ]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    kept = await asyncio.gather(*writes[1::2])
    found = await everything(log, topic)
    assert {found[first[0]].value for first in kept} == {b"%d" % n for n in range(1, 200, 2)}
    assert len(await log.append(topic, {0: [message("k", 0)]}, timeout=PATIENCE)) == 1


async def test_everything_acknowledged_survives_kill_9(home: Home, log: Log, topic: str) -> None:
    acknowledged = [
        (await log.append(topic, {number % 4: [message("k", number)]}, timeout=PATIENCE), number)
        for number in range(40)
    ]
    await home.kill()
    await home.start()
    async with home.open() as after:
        found = {(r.partition, r.offset): int(r.value) for r in await everything(after, topic)}
    for firsts, number in acknowledged:
        ((partition, offset),) = firsts.items()
        assert found[partition, offset] == number


async def test_writers_and_readers_go_on_after_the_home_was_away(
    home: Home, log: Log, topic: str
) -> None:
    await log.append(topic, {0: [message("before", 0)]}, timeout=PATIENCE)
    async with reading(log, topic, EVERYTHING) as reader:
        await read(reader, 1)
        await home.kill()
        with pytest.raises(LogUnavailable):
            await log.append(topic, {0: [message("during", 0)]}, timeout=1)
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(log.append(topic, {1: [message("during", 0)]}, timeout=1), 5)
        writes = [asyncio.create_task(append_until_taken(log, topic, n)) for n in range(20)]
        await home.start()
        await asyncio.gather(*writes)
        ends = await log.ends(topic)
        found = await read(reader, sum(ends) - 1)
    assert {int(record.value) for record in found if record.key == b"again"} == set(range(20))
    for partition in range(4):
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == list(range(ends[partition] - len(offsets), ends[partition]))


async def test_a_client_made_while_the_home_is_away_works_once_it_is_back(
    home: Home, log: Log, topic: str
) -> None:
    await log.append(topic, {0: [message("again", 0)]}, timeout=PATIENCE)
    await home.kill()
    async with home.open() as early, reading(early, topic, {0: 0}) as reader:
        with pytest.raises(LogUnavailable):
            await early.append(topic, {0: [message("during", 0)]}, timeout=1)
        with pytest.raises(LogUnavailable):
            await early.ends(topic)
        with pytest.raises(LogUnavailable):
            await reader.batch(limit=1, timeout=0.2)
        with pytest.raises(LogUnavailable):
            await early.at(topic, 0, 0)
        await home.start()
        await append_until_taken(early, topic, 4)
        assert {4, 0} <= set(numbers_of(await read(reader, (await early.ends(topic))[0]), "again"))


async def test_a_stopped_reader_grows_no_memory_and_disturbs_nobody(log: Log, topic: str) -> None:
    # Ten minutes at 1,000 events a second are 600,000. This is a tenth of them: if what a stopped
    # reader holds grew with what is written, 60 MB would show as well as 600.
    events, size, per_append = 60_000, 1_000, 500
    async with reading(log, topic, EVERYTHING) as stopped, reading(log, topic, EVERYTHING) as other:
        await log.append(topic, {0: [message("first", 0)]}, timeout=PATIENCE)
        assert len(await read(stopped, 1)) == len(await read(other, 1)) == 1
        before, peak = resident_bytes(), 0
        for start in range(0, events, per_append):
            batch = [message("k", n, size=size) for n in range(start, start + per_append)]
            await log.append(topic, {start // per_append % 4: batch}, timeout=PATIENCE)
            assert len(await read(other, per_append)) == per_append
            peak = max(peak, resident_bytes())
        assert peak - before < events * size / 2
        seen = 0
        while seen < events:
            seen += len(await stopped.batch(limit=2_000, timeout=PATIENCE))
        assert seen == events


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_a_topic_keeps_its_number_of_partitions(log: Log, topic: str) -> None:
    await log.ensure([TopicSpec(topic, 4)])
    with pytest.raises(LogMisconfigured, match="partitions is 4, must be 64"):
        await log.ensure([TopicSpec(topic, 64)])
    assert await log.ends(topic) == [0, 0, 0, 0]


async def test_topics_are_found_by_how_their_names_begin(log: Log, topic: str) -> None:
    await log.ensure([TopicSpec(f"found_{topic}", 3), TopicSpec(f"found.{topic}", 1)])
    assert await log.topics(f"found.{topic}") == {f"found.{topic}": 1}
    found = await log.topics("found")
    assert (found[f"found_{topic}"], found[f"found.{topic}"]) == (3, 1)
    assert await log.topics("nothing-begins-so") == {}


async def test_a_home_is_refused_when_a_topic_is_missing(log: Log, topic: str) -> None:
    await log.check([topic])
    with pytest.raises(LogMisconfigured, match="nowhere"):
        await log.check([topic, "nowhere"])
    assert await log.ends("nowhere") == []
