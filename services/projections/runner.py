"""The runner: reads the log once for all read models and commits rows and progress together.

Any number of workers may run. One that woke up late affects nothing; one that dies is taken over
when its leases end.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg
import structlog

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, SLOTS, STATUS_TOPIC
from services.eventlog.connection import LOST, heed_cancellation
from services.eventlog.decisions import fresh
from services.eventlog.log import Log, LogUnavailable, Reader, Record
from services.projections import schemas
from services.projections.apply import Read, apply, read
from services.projections.identities import Admit
from services.projections.leases import RENEW_SECONDS, Fenced, Lease, Leases
from services.projections.models import MODELS
from services.projections.schemas import EVENTS, Target

BATCH = 2_000
_WAIT_SECONDS = 0.5
_RETRY_SECONDS = 0.5
_NOTIFY = "SELECT pg_notify('progress', '')"
_TRANSIENT = (*LOST, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
LIVE = Target(MODELS)

logger = structlog.get_logger()


class Worker:
    """Works on the slots of one topic: `status`, or the one slot of `decisions`."""

    def __init__(self, pool: asyncpg.Pool, log: Log, *, name: str, topic: str) -> None:
        self._pool = pool
        self._log = log
        self._topic = topic
        slots = range(SLOTS) if topic == STATUS_TOPIC else [DECISIONS_SLOT]
        self._leases = Leases(pool, list(slots), group=topic, name=name)
        self._held: dict[int, Lease] = {}
        self._reader: Reader | None = None
        self._refreshed_at = float("-inf")

    async def run(self) -> None:
        """Work for ever; whatever is away comes back, and the work goes on."""
        try:
            while True:
                try:
                    await self.step(wait=_WAIT_SECONDS)
                except (*_TRANSIENT, LogUnavailable, Fenced) as problem:
                    heed_cancellation()
                    logger.warning("projection_retry", topic=self._topic, problem=repr(problem))
                    if isinstance(problem, Fenced):
                        # A rebuild may have put other tables in place: what is prepared is stale.
                        await self._pool.expire_connections()
                    self._held = {}
                    self._refreshed_at = float("-inf")
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await self.close()

    async def step(self, *, wait: float) -> int:
        """Apply one batch, if there is one within `wait` seconds; returns how many records."""
        await self._hold()
        if not self._held or self._reader is None:
            await asyncio.sleep(wait)
            return 0
        records = await self._reader.batch(limit=BATCH, timeout=wait)
        if records:
            await self._commit(records)
        return len(records)

    async def close(self) -> None:
        """Give the leases back and stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None
        self._held = {}
        try:
            await self._leases.release()
        except _TRANSIENT as problem:
            logger.warning("leases_not_released", problem=repr(problem))

    async def _hold(self) -> None:
        """Renew the leases in time; read what is held, from where it was left."""
        now = asyncio.get_running_loop().time()
        if now - self._refreshed_at < RENEW_SECONDS:
            return
        held = await self._leases.refresh()
        self._refreshed_at = now
        if {s: lease.epoch for s, lease in held.items()} != {
            s: lease.epoch for s, lease in self._held.items()
        }:
            self._assign(held)
        self._held = held

    def _assign(self, held: Mapping[int, Lease]) -> None:
        offsets = {
            0 if slot == DECISIONS_SLOT else slot: lease.next_offset for slot, lease in held.items()
        }
        if self._reader is None:
            self._reader = self._log.reader(self._topic, offsets)
        else:
            self._reader.assign(offsets)

    async def _commit(self, records: Sequence[Record]) -> None:
        moved, batch = self._fresh(records)
        async with self._pool.acquire() as connection, connection.transaction():
            # The fence first: its rows stay locked until the commit, so nobody moves in between.
            await self._leases.advance(connection, self._held, moved)
            await apply(connection, LIVE, Admit(EVENTS), batch)
            await connection.execute(_NOTIFY)
        for slot, (position, offset) in moved.items():
            self._held[slot] = replace(self._held[slot], next_position=position, next_offset=offset)

    def _fresh(self, records: Sequence[Record]) -> tuple[dict[int, tuple[int, int]], Read]:
        """Where the batch leads to, and what of it was not applied before."""
        if self._topic == STATUS_TOPIC:
            return {r.partition: (r.offset + 1, r.offset + 1) for r in records}, read(records)
        expected = self._held[DECISIONS_SLOT].next_position
        new = fresh(records, expected)
        return {DECISIONS_SLOT: (expected + len(new), records[-1].offset + 1)}, read(new)


async def prepare(pool: asyncpg.Pool) -> None:
    """Make the read models' schemas, or refuse those of another shape.

    Raises:
        OutdatedReadModel: names what must be rebuilt.
    """
    async with pool.acquire() as connection, connection.transaction():
        await schemas.ensure(connection)


async def run(pool: asyncpg.Pool, log: Log, *, name: str) -> None:
    """Keep every read model up to date, until cancelled."""
    await prepare(pool)
    async with asyncio.TaskGroup() as group:
        for topic in (STATUS_TOPIC, DECISIONS_TOPIC):
            group.create_task(Worker(pool, log, name=name, topic=topic).run())
