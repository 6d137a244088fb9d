"""`kamkap lag`: how far the read models are behind the log, and what waits for a person."""

from dataclasses import dataclass

import asyncpg
from rich.console import Console
from rich.table import Table

from schemas.envelope import DECISIONS_SLOT, STATUS_TOPIC
from services.eventlog.log import Log
from services.operation.connections import log_of, pool_of
from services.operation.settings import Settings
from services.projections.schemas import ALL

_PROGRESS = "SELECT slot, next_position FROM projections.progress"
_DECIDED = "SELECT next_position FROM decisions.head"
_RELAYED = "SELECT next_position FROM decisions.relayed"
_PARKED = "SELECT model, count(*) AS facts FROM projections.parked GROUP BY model"
_QUARANTINED = "SELECT count(*) FROM projections.quarantine WHERE resolved_at IS NULL"
_TICK_AGE = "SELECT extract(epoch FROM clock_timestamp() - max(time)) FROM eventlog.ticks"


@dataclass(frozen=True)
class Lag:
    """How far the one runner is that feeds every read model."""

    status: int
    """Events in the log and not in the read models."""
    decisions: int
    """Decisions made and not in the read models."""
    unpublished: int
    """Decisions made that the relay has not published."""
    parked: dict[str, int]
    """Facts that wait in each read model."""
    quarantined: int
    tick_age_seconds: float | None


async def run_lag(settings: Settings) -> int:
    """A table on stdout; exit code 1 when something waits for a person."""
    async with (
        pool_of(settings, "kamkap_operator", size=4) as pool,
        log_of(settings, pool) as log,
    ):
        lag = await measure(pool, log)
    console = Console()
    table = Table("read model", "status", "decisions", "parked")
    for model in ALL:
        table.add_row(model, str(lag.status), str(lag.decisions), str(lag.parked.get(model, 0)))
    console.print(table)
    age = "never" if lag.tick_age_seconds is None else f"{lag.tick_age_seconds:.1f} s ago"
    console.print(f"last tick: {age}")
    console.print(f"decisions not yet published: {lag.unpublished}")
    console.print(f"in quarantine: {lag.quarantined}")
    return 1 if lag.parked or lag.quarantined else 0


async def measure(pool: asyncpg.Pool, log: Log) -> Lag:
    """How far it is at this moment."""
    applied = {row["slot"]: row["next_position"] for row in await pool.fetch(_PROGRESS)}
    ends = await log.ends(STATUS_TOPIC)
    decided = await pool.fetchval(_DECIDED)
    age = await pool.fetchval(_TICK_AGE)
    return Lag(
        status=sum(max(0, end - applied[slot]) for slot, end in enumerate(ends)),
        decisions=max(0, decided - applied[DECISIONS_SLOT]),
        unpublished=decided - await pool.fetchval(_RELAYED),
        parked={row["model"]: row["facts"] for row in await pool.fetch(_PARKED)},
        quarantined=await pool.fetchval(_QUARANTINED),
        tick_age_seconds=None if age is None else float(age),
    )
