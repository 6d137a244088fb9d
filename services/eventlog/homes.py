"""Which home the log has: the one place that knows both."""

import asyncpg

from services.eventlog.kafka import KafkaLog
from services.eventlog.log import Log
from services.eventlog.postgres import PostgresLog

EMBEDDED = "postgres"
_KAFKA = "kafka://"


class UnknownHome(Exception):
    """The setting names no home of the log."""


def open_log(url: str, pool: asyncpg.Pool) -> Log:
    """The log at `kafka://host:port,host:port`, or in the pool's database for `postgres`.

    Call it inside the event loop that uses it. Nothing is connected before it is used.

    Raises:
        UnknownHome: the url is neither.
    """
    if url == EMBEDDED:
        return PostgresLog(pool)
    if url.startswith(_KAFKA):
        return KafkaLog(url.removeprefix(_KAFKA))
    raise UnknownHome(f"{url!r}: neither {EMBEDDED} nor {_KAFKA}host:port,…")
