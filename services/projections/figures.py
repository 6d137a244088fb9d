"""How far the read models are behind the log, and what waits for a person."""

from dataclasses import dataclass

import asyncpg

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, STATUS_TOPIC
from services.eventlog.log import Log
from services.operation.metrics import Metrics
from services.projections.models import MODELS

_PROGRESS = "SELECT array_agg(next_position ORDER BY slot) FROM projections.progress"
_DECIDED = "SELECT next_position FROM decisions.head"
_RELAYED = "SELECT next_position FROM decisions.relayed"
_PARKED = "SELECT model, count(*) AS facts FROM projections.parked GROUP BY model"
_QUARANTINED = "SELECT count(*) FROM projections.quarantine WHERE resolved_at IS NULL"
_TICK_AGE = "SELECT extract(epoch FROM clock_timestamp() - max(time)) FROM eventlog.ticks"
_WAITED = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(tick.time)), 0)
FROM unnest($1::int[], $2::bigint[]) AS waiting (slot, position)
JOIN eventlog.ticks tick ON tick.number = eventlog.tick_of(waiting.slot, waiting.position)
"""


@dataclass(frozen=True)
class Lag:
    """How far the one runner is that feeds every read model."""

    status: int
    """Events in the log and not in the read models."""
    decisions: int
    """Decisions made and not in the read models."""
    unpublished: int
    """Decisions made that the relay has not published."""
    waited_seconds: float
    """For how long the oldest of all these has been known to the network."""
    parked: dict[str, int]
    """Facts that wait in each read model; every model has its entry."""
    quarantined: int
    """Messages nobody could read, not resolved."""
    tick_age_seconds: float | None
    """Since the last tick; None when there never was one."""


async def measure(pool: asyncpg.Pool, log: Log) -> Lag:
    """How far it is at this moment. The pool's role reads everything that is no read model.

    Raises:
        LogUnavailable: the log does not say how far it reaches.
    """
    applied: list[int] = await pool.fetchval(_PROGRESS)
    ends = [*await log.ends(STATUS_TOPIC), await pool.fetchval(_DECIDED)]
    missing = [max(0, end - applied[slot]) for slot, end in enumerate(ends)]
    behind = [slot for slot, count in enumerate(missing) if count]
    age = await pool.fetchval(_TICK_AGE)
    parked = {row["model"]: row["facts"] for row in await pool.fetch(_PARKED)}
    waited = await pool.fetchval(_WAITED, behind, [applied[slot] for slot in behind])
    return Lag(
        status=sum(missing[:DECISIONS_SLOT]),
        decisions=missing[DECISIONS_SLOT],
        unpublished=ends[DECISIONS_SLOT] - await pool.fetchval(_RELAYED),
        waited_seconds=float(waited),
        parked={model.name: parked.get(model.name, 0) for model in MODELS},
        quarantined=await pool.fetchval(_QUARANTINED),
        tick_age_seconds=None if age is None else float(age),
    )


def show(lag: Lag, metrics: Metrics) -> None:
    """The process's figures say it."""
    metrics.lag.labels(STATUS_TOPIC).set(lag.status)
    metrics.lag.labels(DECISIONS_TOPIC).set(lag.decisions)
    metrics.freshness_seconds.set(lag.waited_seconds)
    metrics.unpublished.set(lag.unpublished)
    metrics.quarantined.set(lag.quarantined)
    for model, facts in lag.parked.items():
        metrics.parked.labels(model).set(facts)
