"""Group commit: many writers wait together for one flush.

What arrives while a flush is under way makes up the next one, so a lone writer waits for nobody and
a crowd shares one fsync. First come, first flushed; a writer that gives up leaves nothing behind.
With several flushers a flush also begins beside another, once what waits would half fill it: the
next is encoded while the last commits, and a small crowd still shares one fsync.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice

_LOOK_AHEAD = 4_000
"""How many waiting items one flush looks at, so that a long queue costs each flush little."""


class WriterClosed(Exception):
    """Nothing more is written here. What was under way may or may not be durable."""


@dataclass(frozen=True, slots=True)
class _Waiting[Item]:
    item: Item
    size: int


class GroupCommit[Item, Result]:
    """A queue in front of `flush`, which writes a batch durably and returns a result per item.

    A result that is an exception is raised to its own writer alone; an exception that `flush`
    raises goes to every writer of the batch. `admission` is asked for each batch and returns what
    says, item by item, whether the batch may carry it; the first item always may.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_size: int,
        flushers: int = 1,
        admission: Callable[[], Callable[[Item], bool]] = lambda: lambda _item: True,
    ) -> None:
        self._flush = flush
        self._max_size = max_size
        self._admission = admission
        self._queue: dict[asyncio.Future[Result], _Waiting[Item]] = {}
        self._waiting_size = 0
        self._under_way = 0
        self._flushing: set[asyncio.Future[Result]] = set()
        self._arrived = asyncio.Event()
        self._closing = False
        self._tasks = [asyncio.create_task(self._run()) for _ in range(flushers)]

    async def write(self, item: Item, *, size: int = 1) -> Result:
        """The item's result, once the flush that carried it is durable.

        Raises:
            WriterClosed: the writer is closed, or was before the flush came to its end.
        """
        if self._closing:
            raise WriterClosed
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue[done] = _Waiting(item, size)
        self._waiting_size += size
        self._arrived.set()
        try:
            return await done
        finally:
            if self._queue.pop(done, None):
                self._waiting_size -= size

    async def close(self, *, patience: float = 10.0) -> None:
        """Flush what waits, then stop; after `patience` seconds stop all the same."""
        self._closing = True
        self._arrived.set()
        await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for done in (*self._queue, *self._flushing):
            if not done.done():
                done.set_exception(WriterClosed())

    async def _run(self) -> None:
        while True:
            while not self._is_due():
                # What is left while closing is taken by the flusher that is under way.
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            batch = self._take()
            self._under_way += 1
            self._flushing.update(batch)
            await self._settle(batch)
            self._flushing.difference_update(batch)
            self._under_way -= 1
            # Writers that have their result and come back at once join the next flush; without
            # this turn it would leave without them, half full.
            await asyncio.sleep(0)

    def _is_due(self) -> bool:
        if not self._under_way:
            return bool(self._queue)
        return self._waiting_size * 2 >= self._max_size

    def _take(self) -> dict[asyncio.Future[Result], Item]:
        admits = self._admission()
        size = 0
        batch: dict[asyncio.Future[Result], Item] = {}
        for done, waiting in islice(self._queue.items(), _LOOK_AHEAD):
            if batch and size + waiting.size > self._max_size:
                break
            if admits(waiting.item):
                batch[done] = waiting.item
                size += waiting.size
        for done in batch:
            del self._queue[done]
        self._waiting_size -= size
        return batch

    async def _settle(self, batch: dict[asyncio.Future[Result], Item]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._flush(list(batch.values()))
        except Exception as problem:  # noqa: BLE001 -- every writer of the flush gets the reason
            results = [problem] * len(batch)
        for done, result in zip(batch, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
