"""What came of trying again one thing that was set aside."""

from dataclasses import dataclass
from typing import Literal

import asyncpg

from schemas.envelope import DECISIONS_SLOT, STATUS_TOPIC, to_headers
from services.eventlog.connection import LOST
from services.eventlog.log import Log, LogUnavailable
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.projections.arrival import Arrival, read_arrival

AWAY = (
    *LOST,
    LogUnavailable,
    StoreUnavailable,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
"""No fault of what is tried: it is tried again."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One message, or one fact of a read model, that was tried again."""

    kind: Literal["unreadable", "parked"]
    of: str
    """The topic, or the read model."""
    partition: int
    place: int
    key: str | None
    resolved: bool
    """Whether it is no longer set aside."""
    note: str
    """What came of it."""


async def arrival_at(log: Log, store: DecisionStore, slot: int, position: int) -> Arrival:
    """The event at this place, from its own home rather than from what was kept of it.

    Raises:
        LookupError: there is none.
        ValueError: it cannot be read; says why.
    """
    if slot == DECISIONS_SLOT:
        found = await store.read(position, limit=1)
        if not found or found[0].position != position:
            raise LookupError(f"the store has no decision {position}")
        return read_arrival(slot, position, to_headers(found[0].envelope), found[0].data)
    record = await log.at(STATUS_TOPIC, slot, position)
    if record is None:
        raise LookupError(f"slot {slot} of the log has nothing at {position}")
    return read_arrival(slot, position, record.headers, record.value)
