"""Waiting for the read models after a storm, and asking the oracle."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.faults import oracle
from tests.faults.load import Answer, Load
from tests.faults.oracle import Entry, Folded
from tests.faults.processes import until
from tests.faults.system import PROVINCES, RARELY_HEARD, System

_CATCH_UP_SECONDS = 150
_JUDGED_ANSWERS = 30


@dataclass(frozen=True)
class Counted:
    """What happened while a load went on; a storm that did nothing would prove nothing."""

    requests: int
    """Requests answered with 202."""
    acknowledged: int
    in_log: int
    with_effect: int
    duplicates: int
    contradictions: int
    """Events sent again, the same or with other content, as clients were told."""
    refusals: int
    decisions: int
    silences: int
    reads: int
    judged_reads: int
    unanswered_reads: dict[str, int]


async def judge(load: Load) -> Counted:
    """Everything came back by itself, and the oracle holds; says what it counted."""
    system = load.system
    await until(system.is_ready, what="every process is ready again", seconds=_CATCH_UP_SECONDS)
    connection = await asyncpg.connect(system.dsn)
    try:
        # The last that anybody decides, now that they do not speak: from here on all is at rest.
        await until(lambda: _are_silent(load, connection), what=f"{RARELY_HEARD} are stated silent")
        await until(lambda: is_applied(system, connection), what="all of the log is applied")
        end = await connection.fetchval("SELECT count(*) FROM decisions.events")
        await until(lambda: is_applied(system, connection), what="all of the store is applied")
        status = await _read(system, connection, "status")
        decisions = await _read(system, connection, "decisions")
        oracle.positions_are_gapless(status)
        oracle.nothing_acknowledged_is_lost(load.acknowledged.events, status)
        folded = Folded.of(status)
        await oracle.tables_equal(connection, folded)
        spoken = load.acknowledged.decisions
        await oracle.decisions_are_whole(connection, decisions, spoken, end=end)
        silences = await oracle.silences_alternate(connection)
        judged = await _judge_answers(connection, load.answers, status)
    finally:
        await connection.close()
    await _compare_answers(system, folded)
    return Counted(
        requests=load.taken,
        acknowledged=len(load.acknowledged.events),
        in_log=len(status),
        with_effect=len(folded.firsts),
        duplicates=load.duplicates,
        contradictions=load.contradictions,
        refusals=load.refusals,
        decisions=len(load.acknowledged.decisions),
        silences=silences,
        reads=len(load.answers),
        judged_reads=judged,
        unanswered_reads=dict(load.unanswered),
    )


async def _judge_answers(
    connection: asyncpg.Connection, answers: Sequence[Answer], log: Sequence[Entry]
) -> int:
    """Answers given while things broke say what the log of their moment comes to."""
    ticks = await connection.fetch("SELECT time, ends FROM eventlog.ticks ORDER BY time")
    times = [tick["time"] for tick in ticks]
    # Evenly over the storm: to fold the log for each of some hundred takes a minute.
    chosen = answers[:: len(answers) // _JUDGED_ANSWERS + 1]
    for answer in chosen:
        ends = ticks[bisect_right(times, answer.known_at) - 1]["ends"]
        folded = Folded.of(oracle.known_by(log, ends, answer.as_of))
        oracle.answer_equals(answer.province, answer.body, folded)
    return len(chosen)


async def _read(system: System, connection: asyncpg.Connection, topic: str) -> list[Entry]:
    if system.cluster is not None:
        return await oracle.read_kafka(system.cluster.bootstrap, topic)
    return await oracle.read_postgres(connection, topic)


async def _are_silent(load: Load, connection: asyncpg.Connection) -> bool:
    """Every centre that owes a sign of life was stated silent last."""
    await load.give_sign_of_life()
    last = dict(await oracle.silences_stated(connection))
    return all(last.get(f"poc:{province}", False) for province in RARELY_HEARD)


async def is_applied(system: System, connection: asyncpg.Connection) -> bool:
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
