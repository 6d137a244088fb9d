"""A read model built anew beside the live one, and put in its place in one transaction.

Readers never see a model that is half built. The switch holds the progress of every slot, so the
new model stands exactly where the live ones stand, and it fences every worker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, STATUS_TOPIC
from services.eventlog.decisions import position_of
from services.eventlog.log import Log, Record
from services.projections import schemas
from services.projections.apply import apply, read
from services.projections.identities import Admission, Admit, Recall
from services.projections.models import MODELS
from services.projections.schemas import ALL, EVENTS, Target
from services.projections.turn import turn

BATCH = 5_000
CLOSE_ENOUGH = 10_000
"""So few records behind, the switch may hold everybody up while it applies them."""

_PROGRESS = "SELECT slot, next_position, next_offset FROM projections.progress ORDER BY slot"
_FENCE = """
UPDATE projections.progress SET epoch = epoch + 1, owner = NULL, leased_until = '-infinity'
"""


class UnknownReadModel(Exception):
    """No read model has this name; says which there are."""


@dataclass(frozen=True, slots=True)
class Done:
    """How far a rebuild is: records applied, of how many there are now."""

    applied: int
    total: int


class Rebuild:
    """One rebuild of these read models (`events` is one of them)."""

    def __init__(self, pool: asyncpg.Pool, log: Log, names: Sequence[str]) -> None:
        if unknown := sorted(set(names) - set(ALL)):
            raise UnknownReadModel(f"{', '.join(unknown)}; there are {', '.join(ALL)}")
        self._pool = pool
        self._log = log
        self._names = [name for name in ALL if name in names]
        self._target = Target(
            tuple(model for model in MODELS if model.name in names), frozenset(names)
        )
        self._admission: Admission = (
            Admit(self._target.events) if EVENTS in names else Recall(EVENTS)
        )
        self._positions = dict.fromkeys(range(DECISIONS_SLOT + 1), 0)
        self._decisions_offset = 0

    async def run(self, report: Callable[[Done], None]) -> None:
        """Build and switch; `report` hears of the progress. The live models work on meanwhile."""
        async with turn(self._pool):
            await self._build(report)

    async def _build(self, report: Callable[[Done], None]) -> None:
        await self._begin()
        while True:
            live = await self._live(self._pool)
            behind = self._behind(live)
            report(Done(sum(self._positions.values()), sum(live.values())))
            if behind <= CLOSE_ENOUGH:
                break
            await self._catch_up(live)
        await self._switch()
        report(Done(sum(self._positions.values()), sum(self._positions.values())))

    async def _begin(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await schemas.drop(connection, [f"{name}_next" for name in self._names])
            for name in self._names:
                await schemas.make(connection, f"{name}_next", ALL[name])
        # Statements prepared for tables of the same name mean the old ones.
        await self._pool.expire_connections()

    async def _live(
        self, connection: "asyncpg.Pool | asyncpg.pool.PoolConnectionProxy", *, locked: str = ""
    ) -> dict[int, int]:
        rows = await connection.fetch(_PROGRESS + locked)
        return {row["slot"]: row["next_position"] for row in rows}

    def _behind(self, live: Mapping[int, int]) -> int:
        return sum(live[slot] - self._positions[slot] for slot in live)

    async def _catch_up(self, live: Mapping[int, int]) -> None:
        """Apply what the live models have applied: never more, for they settle what has effect."""
        async with self._pool.acquire() as connection:
            await self._read_up_to(live, connection)

    async def _read_up_to(
        self, live: Mapping[int, int], connection: asyncpg.pool.PoolConnectionProxy
    ) -> None:
        for topic in (DECISIONS_TOPIC, STATUS_TOPIC):
            reader = self._log.reader(topic, self._offsets(topic))
            try:
                while self._lags(topic, live):
                    records = await reader.batch(limit=BATCH, timeout=1.0)
                    await self._apply(connection, topic, records, live)
            finally:
                await reader.close()

    def _offsets(self, topic: str) -> dict[int, int]:
        if topic == DECISIONS_TOPIC:
            return {0: self._decisions_offset}
        return {slot: at for slot, at in self._positions.items() if slot != DECISIONS_SLOT}

    def _lags(self, topic: str, live: Mapping[int, int]) -> bool:
        return any(
            self._positions[slot] < at
            for slot, at in live.items()
            if (slot == DECISIONS_SLOT) == (topic == DECISIONS_TOPIC)
        )

    async def _apply(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        topic: str,
        records: Sequence[Record],
        live: Mapping[int, int],
    ) -> None:
        fresh: list[Record] = []
        for record in records:
            slot, position = self._place(record)
            # A decision published twice comes with a position that was applied before.
            if self._positions[slot] == position and position < live[slot]:
                fresh.append(record)
                self._positions[slot] = position + 1
                if topic == DECISIONS_TOPIC:
                    self._decisions_offset = record.offset + 1
        async with connection.transaction():
            await apply(connection, self._target, self._admission, read(fresh))

    def _place(self, record: Record) -> tuple[int, int]:
        if record.topic == DECISIONS_TOPIC:
            return DECISIONS_SLOT, position_of(record)
        return record.partition, record.offset

    async def _switch(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            live = await self._live(connection, locked=" FOR UPDATE")
            await self._read_up_to(live, connection)
            await schemas.switch(connection, self._names)
            await connection.execute(_FENCE)
        await self._pool.expire_connections()
        async with self._pool.acquire() as connection, connection.transaction():
            await schemas.drop(connection, [f"{name}_old" for name in self._names])
