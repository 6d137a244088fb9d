"""What this process took in lately: an immediate resend is known before any read model knows it."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import msgspec

type Key = tuple[str, str, str]
"""(realm, source, id): sent twice, it is one event."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """An event that is in the log: what it says, and where it lies."""

    digest: bytes
    slot: int
    position: int


class Recent:
    """The last `capacity` events or so, and those that are on their way into the log."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._half = capacity // 2
        # Two generations: the older one is dropped whole, which costs nothing per event.
        self._young: dict[Key, Known] = {}
        self._old: dict[Key, Known] = {}
        self._under_way: dict[Key, asyncio.Future[None]] = {}

    def find(self, key: Key) -> Known | None:
        """The event as it was taken in, if it was lately."""
        return self._young.get(key) or self._old.get(key)

    def remember(self, key: Key, known: Known) -> None:
        """The event is in the log, durably."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = known

    async def settled(self, keys: Collection[Key]) -> None:
        """Return once none of these is on its way: it is remembered now, or it failed."""
        while waiting := {self._under_way[key] for key in keys if key in self._under_way}:
            await asyncio.wait(waiting)

    @contextmanager
    def on_their_way(self, keys: Collection[Key]) -> Iterator[None]:
        """Others that bring one of these wait until the end of the block."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.update(dict.fromkeys(keys, done))
        try:
            yield
        finally:
            for key in keys:
                del self._under_way[key]
            done.set_result(None)
