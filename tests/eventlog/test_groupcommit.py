"""Group commit: one flush for a crowd, and each writer's own result."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.groupcommit import GroupCommit, WriterClosed


class Flushes:
    """A flush that is let through one by one and remembers what it carried."""

    def __init__(self) -> None:
        self.carried: list[list[int]] = []
        self.started = asyncio.Event()
        self.gate = asyncio.Semaphore(0)

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.carried.append(list(items))
        self.started.set()
        await self.gate.acquire()
        return [item * 10 for item in items]


async def queued(writer: GroupCommit[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(writer.write(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_what_arrives_during_a_flush_makes_up_the_next_in_order() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=3)
    tasks = await queued(writer, 1)
    await flush.started.wait()
    tasks += await queued(writer, 2, 3, 4, 5)
    for _ in range(3):
        flush.gate.release()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40, 50]
    assert flush.carried == [[1], [2, 3, 4], [5]]
    await writer.close()


async def test_writers_that_come_back_at_once_fill_the_next_flush() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=100)

    async def write_twice(item: int) -> None:
        await writer.write(item)
        await writer.write(item)

    tasks = [asyncio.create_task(write_twice(item)) for item in range(4)]
    await flush.started.wait()
    for _ in range(3):
        flush.gate.release()
    await asyncio.gather(*tasks)
    assert len(flush.carried) == 2
    await writer.close()


async def test_a_second_flush_begins_beside_the_first_once_it_would_be_half_full() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=4, flushers=2)
    tasks = await queued(writer, 1)
    await flush.started.wait()
    tasks += await queued(writer, 2)
    await asyncio.sleep(0)
    assert flush.carried == [[1]]
    tasks += await queued(writer, 3)
    await asyncio.sleep(0)
    assert flush.carried == [[1], [2, 3]]
    tasks += await queued(writer, 4)
    for _ in range(3):
        flush.gate.release()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]
    assert flush.carried == [[1], [2, 3], [4]]
    await writer.close()


async def test_closing_leaves_what_waits_to_the_flush_under_way() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=10, flushers=3)
    tasks = await queued(writer, 1)
    await flush.started.wait()
    tasks += await queued(writer, 2)
    for _ in range(2):
        flush.gate.release()
    await writer.close()
    assert await asyncio.gather(*tasks) == [10, 20]


async def test_a_writer_that_gave_up_is_not_flushed_and_one_under_way_hurts_nobody() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=100)
    first, *waiting = await queued(writer, 1) + await queued(writer, 2, 3)
    await flush.started.wait()
    first.cancel()
    waiting[0].cancel()
    await asyncio.sleep(0)
    flush.gate.release()
    flush.gate.release()
    assert (await asyncio.gather(first, *waiting, return_exceptions=True))[2] == 30
    assert flush.carried == [[1], [3]] or flush.carried == [[1, 2, 3]]
    await writer.close()


async def test_an_exception_among_the_results_is_raised_to_its_writer_alone() -> None:
    async def flush(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError(item) if item == 2 else item for item in items]

    writer = GroupCommit(flush, max_size=100)
    results = await asyncio.gather(*(writer.write(n) for n in (1, 2, 3)), return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert results[2] == 3
    await writer.close()


async def test_an_exception_of_the_flush_goes_to_everyone_and_the_next_flush_is_made() -> None:
    broken = [True]

    async def flush(items: Sequence[int]) -> list[int | Exception]:
        if broken.pop() if broken else False:
            raise OSError
        return list(items)

    writer = GroupCommit(flush, max_size=100)
    results = await asyncio.gather(*(writer.write(n) for n in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    assert await writer.write(3) == 3
    await writer.close()


async def test_closing_flushes_what_waits_and_takes_nothing_more() -> None:
    flush = Flushes()
    flush.gate.release()
    writer = GroupCommit(flush, max_size=100)
    (task,) = await queued(writer, 1)
    await writer.close()
    assert await task == 10
    with pytest.raises(WriterClosed):
        await writer.write(2)


async def test_closing_does_not_wait_for_ever() -> None:
    flush = Flushes()
    writer = GroupCommit(flush, max_size=1)
    tasks = await queued(writer, 1, 2)
    await flush.started.wait()
    await writer.close(patience=0.01)
    for task in tasks:
        with pytest.raises(WriterClosed):
            await task


def even_and_odd_apart() -> Callable[[int], bool]:
    kinds: set[int] = set()

    def admits(item: int) -> bool:
        kinds.add(item % 2) if not kinds else None
        return item % 2 in kinds

    return admits


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50))
def test_what_may_not_travel_together_does_not_and_each_has_its_own_result(
    items: list[int],
) -> None:
    carried: list[list[int]] = []

    async def flush(batch: Sequence[int]) -> list[int | Exception]:
        carried.append(list(batch))
        return [-item for item in batch]

    async def write_all() -> list[int]:
        writer = GroupCommit(flush, max_size=7, admission=even_and_odd_apart)
        results = await asyncio.gather(*(writer.write(item) for item in items))
        await writer.close()
        return results

    assert asyncio.run(write_all()) == [-item for item in items]
    assert all(len({item % 2 for item in batch}) == 1 and len(batch) <= 7 for batch in carried)
    assert sorted(item for batch in carried for item in batch) == sorted(items)
