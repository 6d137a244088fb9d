"""Server-sent events: who listens, and what each group of listeners is told.

A group is one reader's listeners with one filter. Whenever decisions have been applied, each group
is asked for once, by the authority of that moment, and its notices are encoded once. Who begins
behind its group reads on by itself until it has caught up: nothing is kept for it in memory, so it
may begin anywhere. Framing is the framework's; a library of its own for the rest (sse-starlette)
would encode for each listener and stop by signals, which are the process's.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from schemas.envelope import DECISIONS_SLOT, SLOTS
from schemas.ids import Realm
from services.api.database import Connection, Pool, snapshot_of
from services.api.places import Places
from services.api.problems import forbidden
from services.api.progress import Progress
from services.api.reference import ReferenceCache, Snapshot, There, snapshot
from services.domain.issuing import Circumstances
from services.eventlog.connection import LOST, heed_cancellation
from services.identity.identity import Identity
from services.readmodels.moment import Live
from services.readmodels.notices import (
    Audience,
    Notice,
    Wanted,
    end_of,
    names_in,
    notices,
    structured,
)

TICK_SECONDS = 0.05
"""What is decided within this time goes out together."""

HEARTBEAT_SECONDS = 15.0
LIFE_SECONDS = 900.0
"""Then a stream ends, and whoever resumes is asked anew who it is."""

BUFFERED_FRAMES = 200
_SEND_SECONDS = 10.0
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_PAGE = 100
_AT_ONCE = 500
# A rebuilt read model has just taken the place of the one before.
_SWITCHED = (asyncpg.InvalidCachedStatementError, asyncpg.UndefinedTableError,
             asyncpg.InvalidSchemaNameError)  # fmt: skip

type Key = tuple[Identity, Wanted]


class EventStream(StreamingResponse):
    """A stream of server-sent events; who does not read for ten seconds is cut off."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        # A proxy that gathers an answer before it passes it on would hold the stream back.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(frames, headers=headers)
        self._frames = frames

    async def stream_response(self, send: Send) -> None:
        """Send the frames until there are no more, or nobody takes them."""

        async def hurried(message: Message) -> None:
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        async with aclosing(self._frames):
            try:
                await super().stream_response(hurried)
            except TimeoutError:
                return


class Listener:
    """One open stream: what it was not sent yet, within bounds."""

    def __init__(self, since: int) -> None:
        self.since = since
        """It has everything before this position."""
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._is_over = False

    def hand(self, frame: bytes) -> None:
        """Send this too. Who is too far behind is cut off instead, and resumes."""
        if len(self._frames) >= BUFFERED_FRAMES:
            self.end()
        else:
            self._frames.append(frame)
            self._news.set()

    def end(self) -> None:
        """Nothing more is sent."""
        self._is_over = True
        self._news.set()

    async def take(self) -> bytes | None:
        """What came meanwhile; a sign of life when nothing did for long; None when it is over."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return KEEPALIVE_COMMENT
        self._news.clear()
        if self._is_over:
            return None
        taken = b"".join(self._frames)
        self._frames.clear()
        return taken


@dataclass(eq=False)
class Group:
    """One reader's listeners with one filter, and up to where they were told."""

    reader: Identity
    wanted: Wanted
    position: int
    listeners: set[Listener] = field(default_factory=set)


class Streams:
    """Every stream of one process."""

    def __init__(
        self,
        pool: Pool,
        progress: Progress,
        reference: ReferenceCache,
        places: Places,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._progress = progress
        self._reference = reference
        self._places = places
        self._clock = clock
        self._groups: dict[Key, Group] = {}
        self._joined = asyncio.Event()
        self._is_closed = False
        self._audiences: dict[Realm, tuple[There, dict[Identity, Audience]]] = {}
        self._under_way: dict[object, asyncio.Task[Any]] = {}

    async def run(self) -> None:
        """Tell every group for ever; what is away comes back."""
        while True:
            try:
                await self._tell_all()
            except (*LOST, *_SWITCHED):
                heed_cancellation()
                await asyncio.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Every stream ends, and none begins: the process stops."""
        self._is_closed = True
        for group in self._groups.values():
            for listener in group.listeners:
                listener.end()

    async def admit(self, reader: Identity, realm: Realm) -> int:
        """The end of what there is, for a reader for whom directives are at all.

        Raises:
            Problem: 403.
        """
        there, end = await self._shared(("end", realm), partial(self._end, realm))
        if self._audience(reader, realm, there).reads.is_empty:
            raise forbidden()
        return end

    async def listen(
        self, reader: Identity, wanted: Wanted, position: int, *, refused: str | None = None
    ) -> AsyncGenerator[bytes]:
        """The frames of one stream from this position on.

        `refused` is why it does not begin where its reader asked.
        """
        over = asyncio.get_running_loop().time() + LIFE_SECONDS
        if refused is not None:
            yield self._reset(reader, position, refused)
        key = (reader, wanted)
        while True:
            read = partial(self._read, key, position)
            missed, position, end = await self._shared((key, position), read)
            if missed:
                yield missed
                continue
            # From this look at the group's place to the joining nothing awaits.
            group = self._groups.get(key)
            if position >= (end if group is None else group.position):
                break
        group, listener = self._join(key, position)
        try:
            while asyncio.get_running_loop().time() < over:
                frame = await listener.take()
                if frame is None:
                    return
                yield frame
        finally:
            self._leave(group, listener)

    def _join(self, key: Key, position: int) -> tuple[Group, Listener]:
        group = self._groups.setdefault(key, Group(*key, position))
        listener = Listener(position)
        group.listeners.add(listener)
        self._joined.set()
        if self._is_closed:
            listener.end()
        return group, listener

    def _leave(self, group: Group, listener: Listener) -> None:
        group.listeners.discard(listener)
        if not group.listeners:
            self._groups.pop((group.reader, group.wanted), None)

    async def _shared[T](self, key: object, look: Callable[[], Coroutine[None, None, T]]) -> T:
        """What `look` finds, for all who ask for the same meanwhile: a thousand streams that resume
        at once are some dozens of questions."""
        task: asyncio.Task[T] | None = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(look())
            task.add_done_callback(partial(self._looked, key))
        return await asyncio.shield(task)

    def _looked(self, key: object, task: asyncio.Task[Any]) -> None:
        del self._under_way[key]
        # Whoever asked may have gone: then nobody else hears of what went wrong.
        if not task.cancelled():
            task.exception()

    async def _end(self, realm: Realm) -> tuple[There, int]:
        async with snapshot_of(self._pool) as connection:
            there = await self._there(connection, await snapshot(connection, ""), realm)
            return there, await end_of(connection)

    async def _read(self, key: Key, position: int) -> tuple[bytes, int, int]:
        """The next notices before the group's place, the position after them, and the end."""
        reader, wanted = key
        async with snapshot_of(self._pool) as connection:
            there = await self._there(connection, await snapshot(connection, ""), wanted.realm)
            end = await end_of(connection)
            group = self._groups.get(key)
            upto = end if group is None else group.position
            if position >= upto:
                return b"", position, end
            audience = self._audience(reader, wanted.realm, there)
            told, following = await notices(
                connection, audience, wanted, after=position, upto=upto, limit=_PAGE
            )
        return self._frame(reader, told), following, end

    async def _tell_all(self) -> None:
        """Tell every group what came, again and again, at most once a tick."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._groups:
                self._joined.clear()
                await self._joined.wait()
            began = loop.time()
            applied = await self._tell_each()
            await self._progress.reach(_beyond(applied), timeout=_POLL_SECONDS)
            await asyncio.sleep(max(0.0, began + TICK_SECONDS - loop.time()))

    async def _tell_each(self) -> int:
        """Tell every group what there is; returns how many decisions were applied."""
        async with snapshot_of(self._pool) as connection:
            seen = await snapshot(connection, "")
            end = await end_of(connection)
            behind = [group for group in self._groups.values() if group.position < end]
            if behind:
                first = min(group.position for group in behind)
                names = await names_in(connection, after=first, upto=end)
                for group in behind:
                    realm = group.wanted.realm
                    there = await self._there(connection, seen, realm)
                    audience = self._audience(group.reader, realm, there)
                    await self._tell(connection, group, audience, names, end)
        return seen.progress[DECISIONS_SLOT]

    async def _tell(
        self,
        connection: Connection,
        group: Group,
        audience: Audience,
        names: frozenset[str] | None,
        end: int,
    ) -> None:
        """Tell the group's listeners everything before the end."""
        if not audience.may_see(names):
            group.position = end
        while group.position < end:
            told, following = await notices(
                connection,
                audience,
                group.wanted,
                after=group.position,
                upto=end,
                limit=_AT_ONCE,
            )
            self._hand(group, told, following)

    def _hand(self, group: Group, told: Sequence[Notice], following: int) -> None:
        """Nothing awaits here: who joins meanwhile joins behind all of it or none."""
        begun, group.position = group.position, following
        if not told:
            return
        frame = self._frame(group.reader, told)
        for listener in group.listeners:
            if listener.since <= begun:
                listener.hand(frame)
            elif own := [one for one in told if one.position >= listener.since]:
                listener.hand(self._frame(group.reader, own))

    def _audience(self, reader: Identity, realm: Realm, there: There) -> Audience:
        """What the reader sees, judged once for as long as nothing begins or ends."""
        judged = self._audiences.get(realm)
        if judged is None or judged[0] is not there:
            judged = self._audiences[realm] = there, {}
        found = judged[1].get(reader)
        if found is None:
            now = Circumstances(there.matrix, there.registered.registry)
            found = judged[1][reader] = Audience(reader, now)
        return found

    async def _there(self, connection: Connection, seen: Snapshot, realm: Realm) -> There:
        """What there is now, as the transaction sees it."""
        reference = await self._reference.at(connection, seen, Live(), realm)
        return reference.at(self._clock())

    def _frame(self, reader: Identity, told: Iterable[Notice]) -> bytes:
        name = str(reader)
        return b"".join(
            format_sse_event(
                event="notice",
                data_str=structured(one).decode(),
                id=self._places.seal(name, one.position + 1),
            )
            for one in told
        )

    def _reset(self, reader: Identity, position: int, refused: str) -> bytes:
        """The reader cannot go on from where it was; it forgets the id that it had."""
        data = {"reason": refused, "next": self._places.seal(str(reader), position)}
        return format_sse_event(event="reset", data_str=json.dumps(data), id="")


def _beyond(applied: int) -> list[int]:
    """Progress of which one more decision was applied."""
    return [0] * SLOTS + [applied + 1]
