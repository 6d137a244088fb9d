"""`kamkap restore`: a backup in an empty place, as a new epoch, its read models built anew."""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import asyncpg
from rich.progress import Progress

from services.cli.archive_files import (
    KEYS,
    TABLES,
    Folder,
    Manifest,
    SavedRecord,
    SavedTopic,
    records_in,
)
from services.cli.bar import progress_bar
from services.cli.preparation import make_database, prepare
from services.cli.refusal import Refusal
from services.embedded import postgres
from services.embedded.home import Home
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.log import Log, Message, TopicSpec
from services.operation.connections import TOPICS, log_of, pool_of
from services.operation.metrics import Metrics
from services.operation.settings import Settings
from services.projections import runner
from services.projections.figures import measure
from services.relay import process as relay

_APPEND_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_EMPTY = """
SELECT (SELECT next_position FROM decisions.head) = 0
   AND NOT EXISTS (SELECT FROM eventlog.ticks)
   AND NOT EXISTS (SELECT FROM projections.progress WHERE next_position > 0)
"""


async def run_restore(stated: Settings, directory: Path) -> int:
    """What the backup holds is the network's log and decision store, one epoch later."""
    folder = Folder(directory)
    manifest = folder.manifest()
    if stated.database_url is not None:
        await _restore(stated, folder, manifest)
        return 0
    home = Home.open(stated.home)
    with home.alone(), _new_server(home) as server:
        await make_database(server)
        for key in KEYS:
            if (saved := folder.path(f"keys/{key}")).exists():
                shutil.copy(saved, home.directory / key)
        await _restore(home.settings(stated), folder, manifest)
    return 0


@contextmanager
def _new_server(home: Home) -> Iterator[EmbeddedPostgres]:
    """A server on a directory that was not there; it is gone again when the restore fails."""
    if home.postgres.exists():
        raise Refusal(f"{home.directory} holds a network already: restore into an empty home")
    server = postgres.start(home.postgres)
    try:
        yield server
    except BaseException:
        server.stop()
        shutil.rmtree(home.postgres)
        raise
    server.stop()


async def _restore(settings: Settings, folder: Folder, manifest: Manifest) -> None:
    await prepare(settings)
    async with AsyncExitStack() as resources:
        owner = await resources.enter_async_context(
            asyncpg.create_pool(settings.dsn(settings.database_owner), min_size=0, max_size=6)
        )
        log = await resources.enter_async_context(log_of(settings, owner))
        await refuse_used(owner, log)
        bar = resources.enter_context(progress_bar())
        await fill(folder, manifest, pool=owner, log=log, bar=bar)
        await _rebuild(settings, log, bar)


async def refuse_used(pool: asyncpg.Pool, log: Log) -> None:
    """Nothing was ever written here.

    Raises:
        Refusal: something was; a restore never mixes two histories.
    """
    used = not await pool.fetchval(_EMPTY)
    for topic in TOPICS:
        used = used or any(await log.ends(topic.name))
    if used:
        raise Refusal("the target is not empty: a restore needs a new database and new topics")


async def fill(
    folder: Folder, manifest: Manifest, *, pool: asyncpg.Pool, log: Log, bar: Progress
) -> None:
    """The log first, then in one transaction everything that points into it."""
    for topic in manifest.topics:
        await log.ensure([TopicSpec(topic.name, len(topic.counts))])
        await _fill_topic(folder, topic, log, bar)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM decisions.head")
        for table in TABLES:
            await connection.copy_to_table(
                table.name,
                schema_name=table.schema,
                source=folder.path(table.file),
                columns=manifest.columns[table.file],
            )
        await connection.execute(
            "UPDATE decisions.relayed SET next_position = $1", manifest.relayed
        )
        # Tokens and cursors given out before name places that may now hold something else.
        await connection.execute("UPDATE eventlog.epoch SET epoch = $1", manifest.epoch + 1)


async def _fill_topic(folder: Folder, topic: SavedTopic, log: Log, bar: Progress) -> None:
    task = bar.add_task(topic.name, total=sum(topic.counts))
    ends = [0] * len(topic.counts)
    for batch in records_in(folder.path(topic.file)):
        by_partition: dict[int, list[SavedRecord]] = defaultdict(list)
        for record in batch:
            by_partition[record.partition].append(record)
        messages = {
            partition: [Message(record.key, record.value, record.headers) for record in records]
            for partition, records in by_partition.items()
        }
        if messages:
            firsts = await log.append(topic.name, messages, timeout=_APPEND_SECONDS)
            if wrong := [p for p, first in firsts.items() if first != ends[p]]:
                raise Refusal(f"somebody else writes to {topic.name}, partitions {wrong}")
        for partition, records in by_partition.items():
            ends[partition] += len(records)
        bar.advance(task, len(batch))
    if ends != topic.counts:
        raise Refusal(f"{topic.file} does not hold what the manifest says")


async def _rebuild(settings: Settings, log: Log, bar: Progress) -> None:
    """Publish what the saved topic lacked, and build every read model from zero."""
    async with AsyncExitStack() as resources:
        enter = resources.enter_async_context
        operator = await enter(pool_of(settings, "kamkap_operator", size=2))
        projecting = await enter(pool_of(settings, "kamkap_projections", size=6))
        relaying = await enter(pool_of(settings, "kamkap_relay", size=relay.POOL_SIZE))
        async with asyncio.TaskGroup() as group:
            works = [
                group.create_task(relay.works(relaying, log, Metrics.new())["relay"]()),
                group.create_task(runner.run(projecting, log, name="restore")),
            ]
            await _caught_up(operator, log, bar)
            for work in works:
                work.cancel()


async def _caught_up(pool: asyncpg.Pool, log: Log, bar: Progress) -> None:
    task = bar.add_task("read models", total=None)
    first: int | None = None
    while True:
        lag = await measure(pool, log)
        behind = lag.status + lag.decisions
        first = behind if first is None else first
        bar.update(task, completed=first - behind, total=first)
        if not behind:
            return
        await asyncio.sleep(_LOOK_SECONDS)
