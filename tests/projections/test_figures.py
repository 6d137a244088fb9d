"""How far behind the read models are, in numbers."""

from contextlib import aclosing

from schemas.envelope import DECISIONS_TOPIC, STATUS_TOPIC
from services.eventlog.log import Message
from services.eventlog.postgres import PostgresLog
from services.eventlog.ticks import Ticker
from services.operation.connections import TOPICS
from services.operation.metrics import Metrics
from services.projections.figures import measure, show
from tests.database import Database


class ClosingLog(PostgresLog):
    """A log that a test closes at the end of its block."""

    aclose = PostgresLog.close


async def test_what_is_in_the_log_and_not_in_the_read_models_is_counted(database: Database) -> None:
    async with (
        database.pool() as owner,
        database.pool("kamkap_projections") as pool,
        aclosing(ClosingLog(owner)) as log,
    ):
        await log.ensure(TOPICS)
        empty = await measure(pool, log)
        assert (empty.status, empty.decisions, empty.waited_seconds) == (0, 0, 0.0)
        assert empty.tick_age_seconds is None
        message = Message(b"k", b"{}", [])
        await log.append(STATUS_TOPIC, {3: [message, message], 60: [message]}, timeout=10)
        await Ticker(owner, log).tick()
        await owner.execute("UPDATE projections.progress SET next_position = 1 WHERE slot = 3")
        behind = await measure(pool, log)
        assert behind.status == 2
        assert behind.waited_seconds > 0
        metrics = Metrics.new()
        show(behind, metrics)
        assert b'kamkap_projection_lag_events{projection="status"} 2.0' in metrics.text()
        assert f'lag_events{{projection="{DECISIONS_TOPIC}"}} 0.0'.encode() in metrics.text()
