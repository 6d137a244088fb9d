"""A backup restored is the same network, one epoch later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from rich.progress import Progress

from deploy.kafka.broker import Cluster
from schemas.envelope import DECISIONS_TOPIC, STATUS_TOPIC, Envelope, to_headers
from schemas.slots import slot_of
from services.cli.archive_files import Folder, Manifest
from services.cli.backup import run_backup, save
from services.cli.preparation import make_database, prepare
from services.cli.refusal import Refusal
from services.cli.restore import fill, refuse_used, run_restore
from services.embedded import postgres
from services.embedded.home import Home
from services.eventlog.homes import EMBEDDED, open_log
from services.eventlog.log import Log, Message, Record
from services.eventlog.position import BadToken, Position, PositionTokens
from services.eventlog.postgres import PostgresLog
from services.eventlog.relay import Relay
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.eventlog.ticks import Ticker
from services.operation.connections import TOPICS, pool_of
from services.operation.settings import Settings
from tests.database import Database, fresh_database
from tests.projections.network import event, report

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SILENT = Progress(disable=True)
_LOG = 'SELECT topic, partition, "offset", key, headers, value FROM log.messages ORDER BY 1, 2, 3'
_DECISIONS = "SELECT * FROM decisions.events ORDER BY position"
_TICKS = "SELECT * FROM eventlog.ticks ORDER BY number"
_KEPT = (_DECISIONS, _TICKS)
_OUTWARD = ("subscriptions", "secrets", "deliveries", "attempts")
_SUBSCRIBED = """
WITH s AS (
    INSERT INTO outward.subscriptions
        (id, owner, realm, url, signing, filter, digest, created_at, cursor)
    VALUES (gen_random_uuid(), 'poc:TH-83', 'actual', 'https://hooks.example/', 'hmac', '{}', 'd',
            $1, 7)
    RETURNING id
), k AS (
    INSERT INTO outward.secrets (subscription, number, sealed, made_at)
    SELECT id, 1, '\\x00ff', $1 FROM s
), d AS (
    INSERT INTO outward.deliveries
        (subscription, position, event, directive, change, body, queued_at, next_at, tries)
    SELECT id, 5, 'e5', 'coast', 'issued', '\\x7b7d', $1, $1, 1 FROM s RETURNING *
)
INSERT INTO outward.attempts (subscription, position, number, at, status, said)
SELECT subscription, position, 1, $1, 503, 'ล่ม' FROM d
"""
_SAID = "SELECT slot, position, figures[1] FROM situations.reports"


@dataclass
class Network:
    """The writing side of one network."""

    pool: asyncpg.Pool
    log: Log
    store: DecisionStore

    async def state(self, number: int) -> None:
        source = f"/centres/poc/TH-{10 + number % 80}"
        envelope = Envelope(id=f"e{number}", source=source, type="centre.heartbeat.v1", time=NOW)
        await self.post(envelope, b'{"n":  1}')

    async def post(self, envelope: Envelope, data: bytes) -> None:
        message = Message(envelope.source.encode(), data, to_headers(envelope))
        await self.log.append(STATUS_TOPIC, {slot_of(envelope.source): [message]}, timeout=30)

    async def decide(self, number: int) -> None:
        envelope = Envelope(id=f"d{number}", source="/network", type="x.decided.v1", time=NOW)
        decision = Decision(f"stream-{number}", 0, [NewEvent(envelope, b"{}")])
        assert (await self.store.append(decision)).verdict == "appended"

    async def publish(self) -> None:
        await Relay(self.pool, self.log, self.store).publish()

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.pool.fetch(query)]


@asynccontextmanager
async def network(database: Database, log_url: str = EMBEDDED) -> AsyncIterator[Network]:
    async with database.pool(size=8) as pool:
        opened = Network(pool, open_log(log_url, pool), DecisionStore(pool))
        await opened.log.ensure(TOPICS)
        yield opened
        await opened.store.close()
        await opened.log.close()


@asynccontextmanager
async def two_networks(first: Database) -> AsyncIterator[tuple[Network, Network]]:
    async with AsyncExitStack() as resources:
        enter = resources.enter_async_context
        second = await enter(fresh_database(first.server))
        yield await enter(network(first)), await enter(network(second))


async def saved(of: Network, directory: Path) -> tuple[Folder, Manifest]:
    folder = Folder(directory)
    folder.begin()
    return folder, await save(folder, of.pool, of.log, home=directory / "no-home", bar=SILENT)


async def test_log_decisions_and_ticks_come_back_as_they_were(
    database: Database, tmp_path: Path
) -> None:
    async with two_networks(database) as (old, new):
        for number in range(30):
            await old.state(number)
            await old.decide(number)
        await old.publish()
        await Ticker(old.pool, old.log).tick()
        folder, _ = await saved(old, tmp_path / "backup")
        manifest = folder.manifest()
        await fill(folder, manifest, pool=new.pool, log=new.log, bar=SILENT)
        for query in (_LOG, _DECISIONS, _TICKS):
            assert await new.rows(query) == await old.rows(query)
        assert await Ticker(new.pool, new.log).tick() is None
        await new.decide(30)
        assert await new.store.next_position() == 31


async def test_a_restore_forgets_no_subscriber_and_nothing_that_waits(
    database: Database, tmp_path: Path
) -> None:
    async with two_networks(database) as (old, new):
        await old.pool.execute(_SUBSCRIBED, NOW)
        kept = [await old.rows(f"SELECT * FROM outward.{table}") for table in _OUTWARD]
        folder, manifest = await saved(old, tmp_path / "backup")
        await fill(folder, manifest, pool=new.pool, log=new.log, bar=SILENT)
        assert [await new.rows(f"SELECT * FROM outward.{table}") for table in _OUTWARD] == kept
        assert all(kept)


async def test_a_token_of_before_the_restore_is_refused(database: Database, tmp_path: Path) -> None:
    async with two_networks(database) as (old, new):
        folder, manifest = await saved(old, tmp_path / "backup")
        await fill(folder, manifest, pool=new.pool, log=new.log, bar=SILENT)
        epoch = await new.pool.fetchval("SELECT epoch FROM eventlog.epoch")
        assert epoch == manifest.epoch + 1
        secret = b"A" * 43 + b"="
        token = PositionTokens(secret, epoch=manifest.epoch).seal(Position({0: 1}))
        with pytest.raises(BadToken, match="epoch"):
            PositionTokens(secret, epoch=epoch).open(token)


async def test_what_is_decided_meanwhile_is_in_the_backup_whole_or_not_at_all(
    database: Database, tmp_path: Path
) -> None:
    async with two_networks(database) as (old, new):
        await old.decide(1)
        await old.publish()
        await old.decide(2)
        folder = Folder(tmp_path / "backup")
        folder.begin()
        async with aclosing(_DecidesMeanwhile(old)) as log:
            manifest = await save(folder, old.pool, log, home=tmp_path / "none", bar=SILENT)
        await fill(folder, manifest, pool=new.pool, log=new.log, bar=SILENT)
        assert len(await new.rows(_DECISIONS)) == 2
        # The topic held three by then; the third is not the store's, so it is left out, and the
        # relay goes on where the saved topic ends.
        assert manifest.relayed == 2
        assert await new.log.ends(DECISIONS_TOPIC) == [2]
        await new.decide(3)
        await new.publish()
        assert await new.log.ends(DECISIONS_TOPIC) == [3]


class _DecidesMeanwhile(PostgresLog):
    """The log, in which a decision is published between the snapshot and the log's turn."""

    def __init__(self, network: Network) -> None:
        super().__init__(network.pool)
        self._network: Network | None = network

    async def aclose(self) -> None:
        await self.close()

    async def ends(self, topic: str) -> list[int]:
        network, self._network = self._network, None
        if network is not None:
            await network.decide(3)
            await network.publish()
        return await super().ends(topic)


@pytest.mark.parametrize("harm", ["change", "remove", "add", "unfinished"])
async def test_a_backup_that_is_not_whole_is_refused(
    database: Database, tmp_path: Path, harm: str
) -> None:
    async with network(database) as old:
        await old.state(1)
        folder, _ = await saved(old, tmp_path / "backup")
    file = folder.path("log/status.zst")
    match harm:
        case "change":
            file.write_bytes(file.read_bytes()[:-1] + b"?")
        case "remove":
            file.unlink()
        case "add":
            folder.path("log/other.zst").touch()
        case _:
            folder.path("manifest.json").unlink()
    with pytest.raises(Refusal):
        folder.manifest()


async def test_a_target_that_was_used_is_refused(database: Database) -> None:
    async with network(database) as used:
        await refuse_used(used.pool, used.log)
        await used.state(1)
        with pytest.raises(Refusal, match="not empty"):
            await refuse_used(used.pool, used.log)


async def test_a_folder_with_something_in_it_takes_no_backup(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(Refusal, match="not empty"):
        Folder(tmp_path).begin()


async def test_a_home_is_saved_and_restored_by_the_commands(tmp_path: Path) -> None:
    old, new = Settings(home=tmp_path / "old"), Settings(home=tmp_path / "new")
    home = Home.open(old.home)
    secret = home.secret()
    server = postgres.start(home.postgres)
    try:
        await make_database(server)
        running = home.settings(old)
        await prepare(running)
        async with pool_of(running, "kamkap_operator", size=8) as pool:
            opened = Network(pool, PostgresLog(pool), DecisionStore(pool))
            await opened.state(1)
            await opened.store.close()
            await opened.log.close()
    finally:
        server.stop()
    assert await run_backup(old, tmp_path / "backup") == 0
    assert await run_restore(new, tmp_path / "backup") == 0
    assert Home.open(new.home).secret() == secret
    with pytest.raises(Refusal, match="holds a network"):
        await run_restore(new, tmp_path / "backup")


async def test_a_log_in_kafka_comes_back_at_its_positions_in_an_empty_broker(
    database: Database, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    said, data = event("situation.reported.v1", report(dead=3), id="said")
    with closing(Cluster.start(tmp_path / "old")) as brokers:
        settings = _settings(database, brokers, tmp_path)
        async with network(database, settings.log_url) as old:
            for number in range(8):
                await old.state(number % 3)
                await old.decide(number)
            await old.post(said, data)
            await old.publish()
            await Ticker(old.pool, old.log).tick()
            # One more that no relay has published: the restored network's does.
            await old.decide(8)
            log, kept = await _records(old.log), [await old.rows(query) for query in _KEPT]
        assert await run_backup(settings, backup) == 0
    async with fresh_database(database.server) as empty:
        with closing(Cluster.start(tmp_path / "new")) as brokers:
            settings = _settings(empty, brokers, tmp_path)
            assert await run_restore(settings, backup) == 0
            async with network(empty, settings.log_url) as new:
                found = await _records(new.log)
                # The decision that no relay had published is the ninth of its topic by now.
                assert found.pop(8).topic == DECISIONS_TOPIC
                assert found == log
                assert [await new.rows(query) for query in _KEPT] == kept
                assert await new.rows("SELECT epoch FROM eventlog.epoch") == [(2,)]
                assert await new.rows(_SAID) == [(slot_of(said.source), 0, 3)]
                with pytest.raises(Refusal, match="not empty"):
                    await refuse_used(new.pool, new.log)


def _settings(database: Database, brokers: Cluster, home: Path) -> Settings:
    return Settings(
        home=home / "home",
        database_url=database.dsn("nobody").replace("nobody@", "", 1),
        log_url=f"kafka://{brokers.bootstrap}",
    )


async def _records(log: Log) -> list[Record]:
    """Every record of the network's topics, by topic, partition and offset."""
    found: list[Record] = []
    for topic in (DECISIONS_TOPIC, STATUS_TOPIC):
        ends = await log.ends(topic)
        reader = log.reader(topic, {part: 0 for part, end in enumerate(ends) if end})
        async with asyncio.timeout(30):
            held: list[Record] = []
            while len(held) < sum(ends):
                held += await reader.batch(limit=100, timeout=5)
        await reader.close()
        found += sorted(held, key=lambda record: (record.partition, record.offset))
    return found
