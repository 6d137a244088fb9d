"""Which home the log has: the one place that knows both."""

import asyncpg

from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import OPEN, Security, brokers_at
from services.eventlog.log import Log
from services.eventlog.postgres import PostgresLog

EMBEDDED = "postgres"
_KAFKA = "kafka://"


class UnknownHome(Exception):
    """The setting names no home of the log."""


def open_log(url: str, pool: asyncpg.Pool, *, security: Security = OPEN) -> Log:
    """The log at `kafka://host:port,host:port`, or in the pool's database for `postgres`.

    Call it inside the event loop that uses it. Nothing is connected before it is used; certificates
    are read at once.

    Raises:
        UnknownHome: the url is neither.
        LogMisconfigured: a certificate or key for Kafka cannot be read.
    """
    if url == EMBEDDED:
        return PostgresLog(pool)
    if url.startswith(_KAFKA):
        return KafkaLog(brokers_at(url.removeprefix(_KAFKA), security))
    raise UnknownHome(f"{url!r}: neither {EMBEDDED} nor {_KAFKA}host:port,…")
