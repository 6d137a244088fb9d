"""`kamkap load --import`: an archive taken over by the operator."""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from services.agent.importing import Archive, Done, Remark, Report, import_archive
from services.agent.network import Network
from services.cli.bar import progress_bar
from services.eventlog.store import DecisionStore
from services.operation.connections import log_of, pool_of
from services.operation.settings import Settings

_CONNECTIONS = 6
_SHOWN = 20
_NAME_LENGTH = 200


async def run_import(settings: Settings, files: Sequence[Path]) -> int:
    """The archive is one revision of the network; exit code 1 when a record was refused."""
    name = ", ".join(file.name for file in files)[:_NAME_LENGTH]
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_operator", size=_CONNECTIONS)
        )
        log = await resources.enter_async_context(log_of(settings, pool))
        store = DecisionStore(pool)
        resources.push_async_callback(store.close)
        report = await take_over(Network(pool, log, store), Archive.of_files(name, files))
    _print(report)
    return 1 if report.refused or report.conflicts else 0


async def take_over(network: Network, archive: Archive) -> Report:
    """The archive is taken over under a progress bar."""
    with progress_bar() as bar:
        task = bar.add_task(archive.name, total=None)

        def report(done: Done) -> None:
            bar.update(task, completed=done.settled, total=done.total)

        return await import_archive(
            network, archive, clock=lambda: datetime.now(UTC), report=report
        )


def _print(report: Report) -> None:
    """Counts on stdout, remarks on stderr: as many of each kind as a person reads."""
    revision = "-" if report.revision is None else report.revision
    sys.stdout.write(
        f"ข้อเท็จจริง · facts {report.facts}, การตัดสินใจ · decisions {report.decisions}, "
        f"ซ้ำ · duplicates {report.duplicates}, ไม่รับ · refused {len(report.refused)}, "
        f"ขัดกัน · conflicts {len(report.conflicts)}, รุ่น · revision {revision}\n"
    )
    _print_remarks("refused", report.refused)
    _print_remarks("conflict", report.conflicts)
    _print_remarks("flagged", report.flagged)


def _print_remarks(kind: str, remarks: Sequence[Remark]) -> None:
    for remark in remarks[:_SHOWN]:
        sys.stderr.write(f"{kind}: {remark.place} ({remark.id}): {remark.reason}\n")
    if len(remarks) > _SHOWN:
        sys.stderr.write(f"{kind}: … {len(remarks) - _SHOWN} more\n")
