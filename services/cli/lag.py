"""`kamkap lag`: how far the read models are behind the log, and what waits for a person."""

from rich.console import Console
from rich.table import Table

from services.operation.connections import log_of, pool_of
from services.operation.settings import Settings
from services.projections.figures import measure


async def run_lag(settings: Settings) -> int:
    """A table on stdout; exit code 1 when something waits for a person."""
    async with (
        pool_of(settings, "kamkap_operator", size=4) as pool,
        log_of(settings, pool) as log,
    ):
        lag = await measure(pool, log)
    console = Console()
    table = Table("read model", "status", "decisions", "parked")
    for model, parked in lag.parked.items():
        table.add_row(model, str(lag.status), str(lag.decisions), str(parked))
    console.print(table)
    age = "never" if lag.tick_age_seconds is None else f"{lag.tick_age_seconds:.1f} s ago"
    console.print(f"the oldest that is missing is known since {lag.waited_seconds:.1f} s")
    console.print(f"last tick: {age}")
    console.print(f"decisions not yet published: {lag.unpublished}")
    console.print(f"in quarantine: {lag.quarantined}")
    return 1 if any(lag.parked.values()) or lag.quarantined else 0
