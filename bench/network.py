"""A network to measure: one database and one log on the run's servers, and its processes."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from cryptography.fernet import Fernet
from pydantic import SecretStr

from bench import country
from bench.measuring import until
from deploy.kafka.broker import Cluster
from deploy.migrations.run import migrate
from schemas.envelope import DECISIONS_TOPIC, STATUS_TOPIC, to_headers
from schemas.slots import slot_of
from services.embedded import postgres
from services.embedded.postgres import OWNER, EmbeddedPostgres
from services.eventlog.connection import PLANNED_ONCE
from services.eventlog.homes import EMBEDDED, open_log
from services.eventlog.log import Log, Message
from services.eventlog.relay import Relay
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.connections import TOPICS
from services.operation.settings import Settings
from services.projections.runner import Worker, prepare

START_SECONDS = 120
_numbers = itertools.count(1)


@dataclass
class Servers:
    """The Postgres and the broker that every row of a run stands on."""

    directory: Path
    postgres: EmbeddedPostgres
    opened: ExitStack
    _kafka: Cluster | None = None

    @property
    def kafka(self) -> Cluster:
        """One broker, started on first use."""
        if self._kafka is None:
            self._kafka = Cluster.start(self.directory / "kafka")
            self.opened.callback(self._kafka.close)
        return self._kafka

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """A migrated, empty database of its own, gone afterwards."""
        name = f"bench_{next(_numbers)}"
        await self._execute(f"CREATE DATABASE {name}")
        await migrate(self.postgres.dsn(OWNER, database=name))
        yield name
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.dsn(OWNER, database="postgres"))
        await connection.execute(statement)
        await connection.close()


def start_servers(opened: ExitStack) -> Servers:
    """PostgreSQL as `kamkap up` starts it, fsync on; it ends with `opened`."""
    directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="kamkap-bench-")))
    directory.chmod(0o711)
    server = postgres.start(directory / "postgres")
    opened.callback(server.stop)
    return Servers(directory, server, opened)


@dataclass(frozen=True)
class Process:
    """A process of the network, serving."""

    name: str
    pid: int
    port: int


@dataclass
class Network:
    """One registered country: its log, its database, its processes."""

    settings: Settings
    pool: asyncpg.Pool
    log: Log
    issuer: Issuer
    processes: AsyncExitStack
    running: list[Process] = field(default_factory=list)

    def token(self, identity: str) -> str:
        """A bearer token for the length of the bench."""
        now = datetime.now(UTC) - timedelta(seconds=1)
        return self.issuer.issue(Identity.parse(identity), now=now, lifetime=timedelta(hours=6))

    def environment(self) -> dict[str, str]:
        """What its processes are told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KAMKAP")}
        secret = self.settings.secret
        return kept | {
            "KAMKAP_HOME": str(self.settings.home),
            "KAMKAP_LOG_URL": self.settings.log_url,
            "KAMKAP_DATABASE_URL": self.settings.database_url or "",
            "KAMKAP_JWKS_URL": self.settings.jwks_url or "",
            "KAMKAP_SECRET": secret.get_secret_value() if secret else "",
            "KAMKAP_LOG_LEVEL": "error",
            # The receivers of webhooks are on this machine.
            "KAMKAP_WEBHOOKS_LOOPBACK": "true",
            # Rates are kept, as in production, and high enough to stop nobody.
            "KAMKAP_READS_PER_MINUTE": "1000000000",
            "KAMKAP_EVENTS_PER_MINUTE": "1000000000",
        }

    async def start(self, module: str) -> Process:
        """`python -m services.<module>`, once it can serve; it ends with the network."""
        port = _free_port()
        environment = self.environment() | {"KAMKAP_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=environment
        )
        self.processes.push_async_callback(_stop, process)
        await _await_ready(process, port)
        started = Process(module, process.pid, port)
        self.running.append(started)
        return started

    async def append(self, events: Sequence[country.Event]) -> None:
        """Put events into the log as the door would."""
        batches: dict[int, list[Message]] = {}
        for envelope, data in events:
            message = Message(envelope.source.encode(), data, to_headers(envelope))
            batches.setdefault(slot_of(envelope.source), []).append(message)
        await self.log.append(STATUS_TOPIC, batches, timeout=30)

    async def decide(self, stream: str, events: Sequence[country.Event]) -> None:
        """Decisions are in the store; the relay's process publishes them."""
        store = DecisionStore(self.pool)
        new = [NewEvent(envelope, data) for envelope, data in events]
        await store.append(Decision(stream, await store.version(stream), new))
        await store.close()

    async def publish(self) -> None:
        """What was decided is in the log and in the read models, by work of this process."""
        store = DecisionStore(self.pool)
        relay = Relay(self.pool, self.log, store)
        # A log in Kafka outlives the row's database: its topics are shared by rows of one run.
        while await relay.publish():
            pass
        await self.project(DECISIONS_TOPIC)
        await store.close()

    async def progress(self) -> int:
        """How many events of `status` are in the read models."""
        return int(
            await self.pool.fetchval(
                "SELECT sum(next_position) FROM projections.progress WHERE slot < 64"
            )
        )

    async def project(self, topic: str) -> None:
        """Bring the read models up to the end of a topic, in this process."""
        worker = Worker(self.pool, self.log, name="bench", topic=topic)
        end = sum(await self.log.ends(topic))
        read = "SELECT sum(next_offset) FROM projections.progress WHERE (slot = 64) = $1"
        while await self.pool.fetchval(read, topic == DECISIONS_TOPIC) < end:
            await worker.step(wait=0.5)
        await worker.close()

    async def project_live(self) -> None:
        """Projections and the relay are at work, and have what there is already."""
        for module in ("services.projections", "services.relay"):
            await self.start(module)
        await self.caught_up(seconds=60)

    async def caught_up(self, *, seconds: float) -> None:
        """Every event is in the read models."""
        total = sum(await self.log.ends(STATUS_TOPIC))

        async def there() -> bool:
            return await self.progress() >= total

        await until(there, seconds=seconds)


@asynccontextmanager
async def network_of(servers: Servers, *, home: str = EMBEDDED) -> AsyncIterator[Network]:
    """A network whose registry is in its read models and whose flood is open."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(servers.database())
        settings = _settings(servers, database, home)
        pool = await asyncpg.create_pool(
            settings.dsn(OWNER), min_size=0, max_size=40, server_settings={**PLANNED_ONCE}
        )
        # Cut, not closed: the database goes with the network, and nobody waits for sessions.
        stack.callback(pool.terminate)
        log = open_log(settings.log_url, pool)
        stack.push_async_callback(log.close)
        await log.ensure(TOPICS)
        # Made by the role that the projections process has, which then owns them.
        async with asyncpg.create_pool(settings.dsn("kamkap_projections"), min_size=0) as maker:
            await prepare(maker)
        issuer = Issuer.open(settings.model_copy(update={"log_url": EMBEDDED, "jwks_url": None}))
        keys = settings.home / "jwks.json"
        keys.write_text(json.dumps(issuer.jwks()))
        processes = await stack.enter_async_context(AsyncExitStack())
        network = Network(settings, pool, log, issuer, processes)
        await _register(network)
        yield network


def _settings(servers: Servers, database: str, home: str) -> Settings:
    directory = servers.directory / database
    directory.mkdir()
    log_url = EMBEDDED if home == EMBEDDED else f"kafka://{servers.kafka.bootstrap}"
    return Settings(
        home=directory,
        log_url=log_url,
        database_url=f"postgresql:///{database}?host={servers.postgres.socket_directory}",
        jwks_url=f"file://{directory / 'jwks.json'}",
        secret=SecretStr(Fernet.generate_key().decode()),
    )


async def _register(network: Network) -> None:
    events = country.registry()
    chain = [one for one in events if one[0].type in country.OF_THE_CHAIN]
    await network.decide("registry", [one for one in events if one not in chain])
    await network.decide("orders/pm", chain)
    await network.publish()
    await network.append([country.opening()])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _await_ready(process: asyncio.subprocess.Process, port: int) -> None:
    async def ready() -> bool:
        if process.returncode is not None:
            raise RuntimeError(f"the process ended with {process.returncode}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = await reader.readline()
            writer.close()
        except OSError:
            return False
        return b" 200 " in answer

    await until(ready, seconds=START_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
