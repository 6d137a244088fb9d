"""The relay: decisions go to the topic `decisions`, in position order, again after any doubt.

The store is the outbox. A relay stops at the first failed batch and goes on from its checkpoint, so
two relays, retries and restarts publish doubles at worst; a reader applies last + 1 and drops what
it has.
"""

import asyncio

import asyncpg
import msgspec

from schemas.envelope import DECISIONS_TOPIC, to_headers
from services.eventlog.log import Log, Message
from services.eventlog.store import DecisionStore, StoredEvent

_BATCH = 500
_POLL_SECONDS = 1.0
_APPEND_TIMEOUT = 30.0
_CHECKPOINT = """
UPDATE decisions.relayed SET next_position = $1 WHERE next_position < $1
"""


class Relay:
    """Publishes what the decision store holds and the log does not."""

    def __init__(self, pool: asyncpg.Pool, log: Log, store: DecisionStore) -> None:
        self._pool = pool
        self._log = log
        self._store = store

    async def run(self) -> None:
        """Publish for ever; woken by the store, and every second without."""
        woken = asyncio.Event()
        async with self._pool.acquire() as connection:
            await connection.add_listener("decisions", lambda *_: woken.set())
            while True:
                woken.clear()
                while await self.publish():
                    pass
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await woken.wait()
                except TimeoutError:
                    continue

    async def publish(self) -> int:
        """Publish the next batch after the checkpoint; returns how many events it had.

        Raises:
            LogUnavailable: nothing is lost; the checkpoint has not moved.
        """
        position = await self._pool.fetchval("SELECT next_position FROM decisions.relayed")
        events = await self._store.read(position, limit=_BATCH)
        if not events:
            return 0
        await self._log.append(
            DECISIONS_TOPIC, {0: [message_of(event) for event in events]}, timeout=_APPEND_TIMEOUT
        )
        await self._pool.execute(_CHECKPOINT, events[-1].position + 1)
        return len(events)


def message_of(event: StoredEvent) -> Message:
    """A decision as a message: its position travels with it."""
    envelope = msgspec.structs.replace(event.envelope, position=event.position)
    return Message(event.stream.encode(), event.data, to_headers(envelope))
