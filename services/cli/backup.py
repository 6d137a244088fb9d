"""`kamkap backup`: the log, the decision store and the keys, while everything goes on working.

The order makes it consistent. Ticks and decisions are taken first, in one snapshot of the database;
then the log, up to where it ends by then. So nothing that was decided or ticked points beyond the
saved log. Of the topic `decisions` only what the saved store holds is kept.
"""

import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from rich.progress import Progress

from schemas.envelope import DECISIONS_TOPIC, from_headers
from services.cli.archive_files import (
    FORMAT,
    KEYS,
    TABLES,
    Folder,
    Manifest,
    RecordFile,
    SavedTopic,
)
from services.cli.bar import progress_bar
from services.cli.database import database_of
from services.eventlog.log import Log, Record
from services.operation.connections import TOPICS, log_of, pool_of
from services.operation.settings import Settings

_BATCH = 2_000
_PATIENCE_SECONDS = 30.0
_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER' ORDER BY ordinal_position
"""


class LogStoppedAnswering(Exception):
    """The log did not give what it says it has."""


@dataclass(frozen=True)
class _Snapshot:
    """What the database said at one moment."""

    epoch: int
    decided: int
    inboxes: list[str]
    columns: dict[str, list[str]]


async def run_backup(stated: Settings, directory: Path) -> int:
    """The folder holds a backup that `kamkap restore` takes."""
    folder = Folder(directory)
    folder.begin()
    with database_of(stated) as settings, progress_bar() as bar:
        async with AsyncExitStack() as resources:
            pool = await resources.enter_async_context(pool_of(settings, "kamkap_operator", size=6))
            log = await resources.enter_async_context(log_of(settings, pool))
            await save(folder, pool, log, home=settings.home, bar=bar)
    return 0


async def save(
    folder: Folder, pool: asyncpg.Pool, log: Log, *, home: Path, bar: Progress
) -> Manifest:
    """Write everything, then the manifest; returns it."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        snapshot = await _save_tables(folder, connection)
    topics = []
    relayed = 0
    for name in (*(topic.name for topic in TOPICS), *snapshot.inboxes):
        saving = _SavingTopic(log, name, decided=snapshot.decided)
        topics.append(await saving.save(folder, bar))
        relayed = max(relayed, saving.relayed)
    for key in KEYS:
        if (home / key).exists():
            shutil.copy(home / key, folder.path(f"keys/{key}"))
    manifest = Manifest(
        format=FORMAT,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        epoch=snapshot.epoch,
        relayed=relayed,
        topics=topics,
        columns=snapshot.columns,
        digests=folder.digests(),
    )
    folder.finish(manifest)
    return manifest


async def _save_tables(folder: Folder, connection: PoolConnectionProxy) -> _Snapshot:
    columns = {}
    for table in TABLES:
        found = await connection.fetch(_COLUMNS, table.schema, table.name)
        names = [row["column_name"] for row in found]
        listed = ", ".join(f'"{name}"' for name in names)
        await connection.copy_from_query(
            f"SELECT {listed} FROM {table.schema}.{table.name} WHERE {table.rows}",
            output=folder.path(table.file),
        )
        columns[table.file] = names
    return _Snapshot(
        epoch=await connection.fetchval("SELECT epoch FROM eventlog.epoch"),
        decided=await connection.fetchval("SELECT next_position FROM decisions.head"),
        inboxes=[
            row["topic"] for row in await connection.fetch("SELECT topic FROM inbox.progress")
        ],
        columns=columns,
    )


class _SavingTopic:
    """One topic on its way into its file."""

    def __init__(self, log: Log, name: str, *, decided: int) -> None:
        self._log = log
        self._name = name
        self._decided = decided
        self.relayed = 0

    async def save(self, folder: Folder, bar: Progress) -> SavedTopic:
        """Everything up to where the topic ends now."""
        ends = await self._log.ends(self._name)
        counts = [0] * len(ends)
        task = bar.add_task(self._name, total=sum(ends))
        file = RecordFile(folder.path(f"log/{self._name}.zst"))
        reader = self._log.reader(self._name, {p: 0 for p, end in enumerate(ends) if end})
        reached = [0] * len(ends)
        try:
            while reached != ends:
                records = await reader.batch(limit=_BATCH, timeout=_PATIENCE_SECONDS)
                if not records:
                    raise LogStoppedAnswering(f"{self._name}: {reached} of {ends}")
                wanted = [r for r in records if r.offset < ends[r.partition]]
                for record in wanted:
                    reached[record.partition] = record.offset + 1
                kept = self._kept(wanted)
                for record in kept:
                    counts[record.partition] += 1
                file.add(kept)
                bar.update(task, completed=sum(reached))
        finally:
            await reader.close()
            file.close()
        return SavedTopic(self._name, f"log/{self._name}.zst", counts)

    def _kept(self, records: Sequence[Record]) -> Sequence[Record]:
        if self._name != DECISIONS_TOPIC:
            return records
        kept = []
        for record in records:
            position = from_headers(record.headers).position
            # Decided after the snapshot: the saved store does not know it, and would give its
            # position to another decision.
            if position is not None and position < self._decided:
                kept.append(record)
                self.relayed = max(self.relayed, position + 1)
        return kept
