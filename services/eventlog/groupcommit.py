"""Group commit: many writers wait together for one flush.

One task owns the connection. What arrives while a flush is under way makes up the next one, so a
lone writer waits for nobody and a crowd shares one fsync.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting[Item, Result]:
    """An item and the future its writer waits on."""

    item: Item
    size: int
    done: asyncio.Future[Result]


class GroupCommit[Item, Result]:
    """A queue in front of `flush`, which writes a batch durably and returns a result per item."""

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        max_size: int,
        flushers: int = 1,
        may_join: Callable[[Sequence[Item], Item], bool] = lambda _batch, _item: True,
    ) -> None:
        self._flush = flush
        self._max_size = max_size
        self._may_join = may_join
        self._queue: deque[Waiting[Item, Result]] = deque()
        self._arrived = asyncio.Condition()
        self._closing = False
        self._tasks = [asyncio.create_task(self._run()) for _ in range(flushers)]

    async def write(self, item: Item, *, size: int = 1) -> Result:
        """The item's result, once the flush that carried it is durable."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        async with self._arrived:
            self._queue.append(Waiting(item, size, done))
            self._arrived.notify()
        return await done

    async def close(self) -> None:
        """Flush what waits, then stop."""
        async with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        await asyncio.gather(*self._tasks)

    async def _run(self) -> None:
        while batch := await self._next_batch():
            try:
                results = await self._flush([waiting.item for waiting in batch])
            except Exception as problem:  # noqa: BLE001 -- every writer of the flush gets the reason
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(problem)
                continue
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(result)

    async def _next_batch(self) -> list[Waiting[Item, Result]]:
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._queue or self._closing)
            batch: list[Waiting[Item, Result]] = []
            size = 0
            left: deque[Waiting[Item, Result]] = deque()
            while self._queue and (not batch or size < self._max_size):
                waiting = self._queue.popleft()
                if waiting.done.cancelled():
                    continue
                if batch and not self._may_join([w.item for w in batch], waiting.item):
                    left.append(waiting)
                    continue
                batch.append(waiting)
                size += waiting.size
            self._queue.extendleft(reversed(left))
            return batch
