"""A whole network as separate processes on one home of the log, each restarted when it ends."""

import asyncio
import itertools
import json
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import asyncpg
import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from deploy.kafka.broker import Cluster
from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.record import NetworkOpened
from schemas.events.registry import CentreRegistered, ProvinceRegistered
from services.cli.preparation import make_database, prepare
from services.embedded import postgres
from services.embedded.postgres import OWNER, EmbeddedPostgres, PostgresDidNotStart
from services.eventlog.connection import LOST
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.settings import Settings
from tests.faults.forked import Forks, open_forks
from tests.faults.processes import Supervised, until

type LogHome = Literal["postgres", "kafka-1", "kafka-3"]

PROVINCES = ("TH-81", "TH-82", "TH-83", "TH-84", "TH-85", "TH-90")
RARELY_HEARD = ("TH-85", "TH-90")
"""Centres that fall silent again and again: the timers have something to say."""

NATIONAL = "moc:moi"
ANSWER_SECONDS = 30
PROCESSES = ("ingest", "projections", "projections", "timers", "relay", "api")

# The embedded server gives up its place only when the last backend of the killed one has ended.
_POSTGRES_TRIES = 40
# What it committed when is its own word: no process of ours has a hand in it.
_POSTGRES = {"shared_buffers": "64MB", "track_commit_timestamp": "on"}
_INTERVAL_SECONDS = 2
_numbers = itertools.count(1)


@dataclass
class System:
    """The processes, their servers, and how to speak with them."""

    home: LogHome
    settings: Settings
    issuer: Issuer
    database: EmbeddedPostgres
    cluster: Cluster | None
    directory: Path
    server_thread: ThreadPoolExecutor
    client: httpx.AsyncClient
    """One for everybody: making one costs more than all the requests of a second."""
    forks: Forks
    processes: list[Supervised] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """The database as its owner."""
        return self.settings.dsn(OWNER)

    @property
    def door(self) -> str:
        """Where events are taken in."""
        return self.named("ingest")[0].address

    @property
    def gateway(self) -> str:
        """Where reads are answered."""
        return self.named("api")[0].address

    def named(self, kind: str) -> list[Supervised]:
        """The processes of this kind."""
        return [process for process in self.processes if process.name.split("-")[0] == kind]

    def token(self, identity: str) -> str:
        """A token of this identity for the next hours."""
        now = datetime.now(UTC)
        return self.issuer.issue(Identity.parse(identity), now=now, lifetime=timedelta(hours=6))

    def run(self, kind: str, *, database_url: str | None = None) -> Supervised:
        """One more process of this kind, restarted whenever it ends."""
        port, number = _free_port(), next(_numbers)
        process = Supervised(
            name=f"{kind}-{number}",
            module=f"services.{kind}",
            port=port,
            environment=self._environment(port, database_url),
            output=self.directory / f"{kind}-{number}.log",
            client=self.client,
            forks=self.forks,
        )
        self.processes.append(process)
        process.start()
        return process

    def _environment(self, port: int, database_url: str | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name[:7] != "KAMKAP_"}
        return {
            **kept,
            "KAMKAP_HOME": str(self.settings.home),
            "KAMKAP_PORT": str(port),
            "KAMKAP_LOG_URL": self.settings.log_url,
            "KAMKAP_DATABASE_URL": database_url or self.settings.database_url or "",
            "KAMKAP_SECRET": self.settings.sealing_key.decode(),
            "KAMKAP_JWKS_URL": self.settings.jwks_url or "",
            # Receivers are on this machine.
            "KAMKAP_WEBHOOKS_LOOPBACK": "true",
        }

    async def on_servers[T](self, work: Callable[[], T]) -> T:
        """Work with the servers, in the one thread that starts them: they die with it."""
        return await asyncio.get_running_loop().run_in_executor(self.server_thread, work)

    async def kill_postgres(self) -> None:
        """The database is killed, and starts again on the same data and address."""
        await self.on_servers(self.database.kill)
        self.database = await self.on_servers(lambda: _postgres(self.database.directory))

    async def kill_broker(self, number: int) -> None:
        """The broker is killed, and starts again on the same data and address."""
        cluster = self.cluster
        assert cluster is not None
        await self.on_servers(lambda: cluster.kill(number))
        await self.on_servers(lambda: cluster.start_node(number))

    async def decide(self, stream: str, *events: EventModel) -> None:
        """Append these decisions to the store."""
        async with asyncpg.create_pool(self.dsn, min_size=0, max_size=2) as pool:
            store = DecisionStore(pool)
            try:
                new = [new_event(event, id_=f"d{next(_numbers)}") for event in events]
                done = await store.append(Decision(stream, await store.version(stream), new))
                assert done.verdict == "appended"
            finally:
                await store.close()

    async def is_ready(self) -> bool:
        """Every process says that it can do its work."""
        for process in self.processes:
            # One after the other: who is asked while it starts only starts later.
            if not await process.answers("/readyz"):
                return False
        return True


@asynccontextmanager
async def open_system(
    home: LogHome, directory: Path, *, kinds: Sequence[str] = PROCESSES
) -> AsyncIterator[System]:
    """The system runs, a small country is registered, and the door is open; nothing is left."""
    async with AsyncExitStack() as stack:
        thread = ThreadPoolExecutor(max_workers=1)
        stack.callback(thread.shutdown)
        system = await _servers(home, directory, thread, stack)
        await prepare(system.settings)
        await system.decide("registry", *country())
        for kind in kinds:
            system.run(kind)
        stack.push_async_callback(_stop, system)
        await until(system.is_ready, what="every process is ready")
        yield system


async def _servers(
    home: LogHome, directory: Path, thread: ThreadPoolExecutor, stack: AsyncExitStack
) -> System:
    loop = asyncio.get_running_loop()
    # It imports while the servers start.
    forks = await stack.enter_async_context(open_forks())
    database = await loop.run_in_executor(thread, _postgres, directory / "db")
    system_of: list[System] = []
    stack.push_async_callback(lambda: _stop_postgres(system_of, database, thread))
    await make_database(database)
    cluster = None
    if home != "postgres":
        brokers: Literal[1, 3] = 3 if home == "kafka-3" else 1
        cluster = await loop.run_in_executor(thread, Cluster.start, directory / "kafka", brokers)
        stack.push_async_callback(_in_thread, thread, cluster.close)
    own = Settings(home=directory / "home")
    issuer = Issuer.open(own)
    keys = directory / "jwks.json"
    keys.write_text(json.dumps(issuer.jwks()))
    settings = own.model_copy(
        update={
            "log_url": f"kafka://{cluster.bootstrap}" if cluster else "postgres",
            "database_url": f"postgresql:///kamkap?host={database.socket_directory}",
            "secret": SecretStr(Fernet.generate_key().decode()),
            "jwks_url": keys.as_uri(),
        }
    )
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=ANSWER_SECONDS))
    system = System(home, settings, issuer, database, cluster, directory, thread, client, forks)
    system_of.append(system)
    return system


async def _stop(system: System) -> None:
    await asyncio.gather(*(process.stop() for process in system.processes))


async def _stop_postgres(
    system: list[System], first: EmbeddedPostgres, thread: ThreadPoolExecutor
) -> None:
    await _in_thread(thread, (system[0].database if system else first).stop)


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    await asyncio.get_running_loop().run_in_executor(thread, work)


def _postgres(directory: Path) -> EmbeddedPostgres:
    for left in reversed(range(_POSTGRES_TRIES)):
        try:
            return postgres.start(directory, settings=_POSTGRES)
        except PostgresDidNotStart:
            if not left:
                raise
    raise AssertionError("unreachable")


async def silences(system: System) -> int:
    """How often a centre fell silent or was heard again, as far as it is applied."""
    try:
        connection = await asyncpg.connect(system.dsn)
    except LOST:
        return 0
    try:
        found: int = await connection.fetchval("SELECT count(*) FROM centres.silences")
    finally:
        await connection.close()
    return found


def country() -> list[EventModel]:
    """A network that is open, six provinces with their centres, and a ministry."""
    now = datetime.now(UTC)
    intervals = dict.fromkeys(RARELY_HEARD, _INTERVAL_SECONDS)
    poc = [
        CentreRegistered(
            centre=f"poc:{code}",
            level="POC",
            parent=NATIONAL,
            province=code,
            name_th=code,
            source="test",
            reporting_interval_seconds=intervals.get(code),
        )
        for code in PROVINCES
    ]
    above: list[EventModel] = [
        NetworkOpened(opened_at=now),
        CentreRegistered(centre="pmoc", level="PMOC", name_th="ศปก.", source="test"),
        CentreRegistered(
            centre=NATIONAL,
            level="MOC",
            parent="pmoc",
            ministry="moi",
            name_th="มท.",
            source="test",
        ),
    ]
    return [
        *above,
        *(ProvinceRegistered(province=code, name_th=code, source="test") for code in PROVINCES),
        *poc,
    ]


def new_event(event: EventModel, *, id_: str) -> NewEvent:
    """A decision's event, stated by the office of the network."""
    envelope = Envelope(id=id_, source="/centres/pmoc", type=event.type, time=datetime.now(UTC))
    return NewEvent(envelope, event.model_dump_json().encode())


def _free_port() -> int:
    """Below the range of outgoing connections: nobody else is given it while its owner is dead."""
    while True:
        port = random.SystemRandom().randrange(12_000, 20_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
