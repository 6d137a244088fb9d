"""The homes of the log as the contract suite sees them: opened, killed, started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from deploy.kafka.broker import Cluster
from services.embedded import postgres
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.homes import EMBEDDED, open_log
from services.eventlog.log import Log
from tests.database import Database


class Home(Protocol):
    """A place where a log lives."""

    def open(self) -> AbstractAsyncContextManager[Log]:
        """A client of its own, as one process has it."""
        ...

    async def kill(self) -> None:
        """Gone without a word, as by kill -9."""
        ...

    async def start(self) -> None:
        """Serving again, with what it had."""
        ...


class PostgresHome:
    """One Postgres server with one migrated database."""

    def __init__(self, server: EmbeddedPostgres, database: str) -> None:
        self.server = server
        self._database = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Log]:
        async with Database(self.server, self._database).pool("kamkap_operator", size=10) as pool:
            log = open_log(EMBEDDED, pool)
            try:
                yield log
            finally:
                await log.close()

    async def kill(self) -> None:
        self.server.kill()

    async def start(self) -> None:
        # In this very thread: the server dies with the thread that started it.
        self.server = postgres.start(self.server.directory)


class KafkaHome:
    """A cluster of one or three brokers."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._numbers = tuple(cluster.pids)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Log]:
        # No pool: a log in Kafka that touched Postgres would fail here.
        log = open_log(f"kafka://{self.cluster.bootstrap}", None)  # type: ignore[arg-type]
        try:
            yield log
        finally:
            await log.close()

    async def kill(self) -> None:
        await asyncio.to_thread(self.cluster.kill, *self._numbers)

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start_node, *self._numbers)
