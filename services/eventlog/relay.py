"""The relay: decisions go to the topic `decisions`, in position order, again after any doubt.

The store is the outbox. A relay stops at the first failed batch and goes on from its checkpoint, so
two relays, retries and restarts publish doubles at worst; `services.eventlog.decisions` drops them.
"""

import asyncio
import logging

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from schemas.envelope import DECISIONS_TOPIC, to_headers
from services.eventlog.connection import LOST, KeptConnection, heed_cancellation
from services.eventlog.log import Log, LogUnavailable, Message
from services.eventlog.store import DecisionStore, StoredEvent, StoreUnavailable

_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_APPEND_TIMEOUT = 30.0
_CHECKPOINT = """
UPDATE decisions.relayed SET next_position = $1 WHERE next_position < $1
"""

_logger = logging.getLogger(__name__)


class Relay:
    """Publishes what the decision store holds and the log does not."""

    def __init__(self, pool: asyncpg.Pool, log: Log, store: DecisionStore) -> None:
        self._pool = pool
        self._log = log
        self._store = store
        self._decided = asyncio.Event()
        self._listening = KeptConnection(pool, prepare=self._listen)

    async def run(self) -> None:
        """Publish for ever; woken by the store, and every second without."""
        try:
            while True:
                await self._publish_all()
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._decided.wait()
                except TimeoutError:
                    continue
        finally:
            await self._listening.close()

    async def publish(self) -> int:
        """Publish the next batch after the checkpoint; returns how many events it had.

        Raises:
            LogUnavailable, StoreUnavailable: nothing is lost; the checkpoint has not moved.
        """
        published, _ = await self._publish_next()
        return published

    async def _publish_next(self) -> tuple[int, bool]:
        """Publish the next batch: how many events it had, and whether more were there."""
        try:
            found = await self._store.unrelayed(limit=_BATCH)
            if not (events := _page(found)):
                return 0, False
            await self._log.append(
                DECISIONS_TOPIC,
                {0: [message_of(event) for event in events]},
                timeout=_APPEND_TIMEOUT,
            )
            await self._pool.execute(_CHECKPOINT, events[-1].position + 1)
        except LOST as away:
            raise StoreUnavailable(repr(away)) from away
        return len(events), len(events) < len(found) or len(found) == _BATCH

    async def _publish_all(self) -> None:
        try:
            async with self._listening.use(timeout=_CONNECT_SECONDS):
                self._decided.clear()
            more = True
            while more:
                _, more = await self._publish_next()
        except (*LOST, LogUnavailable, StoreUnavailable) as trouble:
            heed_cancellation()
            _logger.warning("The relay waits and tries again: %r", trouble)

    async def _listen(self, connection: PoolConnectionProxy) -> None:
        await connection.add_listener("decisions", self._hear)

    def _hear(self, *_notification: object) -> None:
        self._decided.set()


def message_of(event: StoredEvent) -> Message:
    """A decision as a message: its position travels with it."""
    envelope = msgspec.structs.replace(event.envelope, position=event.position)
    return Message(event.stream.encode(), event.data, to_headers(envelope))


def _page(events: list[StoredEvent]) -> list[StoredEvent]:
    """As many of them as one append takes with ease; one at least."""
    page: list[StoredEvent] = []
    size = 0
    for event in events:
        size += len(event.data)
        if page and size > _BATCH_BYTES:
            break
        page.append(event)
    return page
