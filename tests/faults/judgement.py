"""Waiting for the read models after a storm, and asking the oracle."""

from collections.abc import Sequence

import asyncpg

from tests.faults import oracle
from tests.faults.load import Load
from tests.faults.oracle import Entry, Folded
from tests.faults.processes import until
from tests.faults.system import PROVINCES, System

_CATCH_UP_SECONDS = 150


async def judge(load: Load) -> str:
    """Everything came back by itself, and the oracle holds; says what it counted."""
    system = load.system
    await until(system.is_ready, what="every process is ready again", seconds=_CATCH_UP_SECONDS)
    connection = await asyncpg.connect(system.dsn)
    try:
        await until(lambda: _is_applied(system, connection), what="all of the log is applied")
        status = await _read(system, connection, "status")
        decisions = await _read(system, connection, "decisions")
        oracle.positions_are_gapless(status)
        oracle.nothing_acknowledged_is_lost(load.acknowledged.events, status)
        folded = Folded.of(status)
        await oracle.tables_equal(connection, folded)
        await oracle.decisions_are_whole(connection, decisions, load.acknowledged.decisions)
        silences = await oracle.silences_alternate(connection)
    finally:
        await connection.close()
    await _compare_answers(system, folded)
    return (
        f"{len(load.acknowledged.events)} acknowledged, {len(status)} in the log, "
        f"{len(folded.firsts)} with effect, {len(folded.conflicts)} conflicts, "
        f"{load.refusals} refusals, {len(load.acknowledged.decisions)} decisions, "
        f"{silences} silences, {load.reads} reads"
    )


async def _read(system: System, connection: asyncpg.Connection, topic: str) -> list[Entry]:
    if system.cluster is not None:
        return await oracle.read_kafka(system.cluster.bootstrap, topic)
    return await oracle.read_postgres(connection, topic)


async def _is_applied(system: System, connection: asyncpg.Connection) -> bool:
    """The read models' progress is the raw log's end, in every slot, and the store's."""
    ends = [0] * 64
    for entry in await _read(system, connection, "status"):
        ends[entry.slot] = max(ends[entry.slot], entry.position + 1)
    ends.append(await connection.fetchval("SELECT count(*) FROM decisions.events"))
    rows = await connection.fetch("SELECT next_position FROM projections.progress ORDER BY slot")
    return [row[0] for row in rows] == ends


async def _compare_answers(system: System, folded: Folded) -> None:
    headers = {"Authorization": f"Bearer {system.token('pm')}"}
    for province in PROVINCES:
        address = f"{system.gateway}/v1/provinces/{province}/situation"
        answer = await system.client.get(address, headers=headers)
        assert answer.status_code == 200, answer.text
        oracle.answer_equals(province, answer.json(), folded)


def complaints(system: System) -> Sequence[str]:
    """The processes that ended by themselves, with their exit codes."""
    return [f"{process.name}: {process.exits}" for process in system.processes if process.exits]
