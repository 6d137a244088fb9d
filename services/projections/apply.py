"""One batch of the log into rows: admission, then each read model, parking what cannot be applied.

Runs inside the caller's transaction, which also moves the progress: rows and progress are one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import msgspec
from sqlalchemy import Table

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, STATUS_TOPIC
from services.eventlog.decisions import position_of
from services.eventlog.log import Record
from services.projections.admission import Unreadable, admit
from services.projections.arrival import Arrival, read_arrival
from services.projections.fact import KEEP_ONCE, Fact, ReadModel
from services.projections.identities import Admission
from services.projections.reason import reason_of
from services.projections.schemas import Target

MAX_PARKED_KEYS = 1_000
"""More than this is no longer a bad fact but a bad read model: the line stops."""

_QUARANTINE = """
INSERT INTO projections.quarantine (topic, partition, "offset", reason, key, headers, value)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (topic, partition, "offset") DO UPDATE SET reason = excluded.reason
"""
_PARK = """
INSERT INTO projections.parked (model, key, slot, position, reason) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_NO_ROW = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)


class TooManyParked(Exception):
    """So many keys are parked that the read model itself must be wrong. Fix it and start again."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a batch of records holds: what could be read, and what could not, with the reason."""

    arrivals: Sequence[Arrival]
    unreadable: Sequence[tuple[Record, str]]


def read(records: Iterable[Record]) -> Read:
    """Decode records of `status` or of `decisions`, in order."""
    arrivals: list[Arrival] = []
    unreadable: list[tuple[Record, str]] = []
    for record in records:
        try:
            arrivals.append(_arrival(record))
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the bytes are kept with it
            unreadable.append((record, reason_of(problem)))
    return Read(arrivals, unreadable)


def _arrival(record: Record) -> Arrival:
    if record.topic == STATUS_TOPIC:
        return read_arrival(record.partition, record.offset, record.headers, record.value)
    return read_arrival(DECISIONS_SLOT, position_of(record), record.headers, record.value)


async def apply(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    admission: Admission,
    batch: Read,
) -> Sequence[Unreadable]:
    """Write what a batch comes to; returns what of it is in quarantine though it could be decoded.

    Raises:
        TooManyParked: the cap on parked keys is passed; nothing of the batch is kept.
    """
    await _quarantine(connection, batch.unreadable)
    if not batch.arrivals:
        return ()
    admitted = await admit(connection, admission, target.events, batch.arrivals)
    await _quarantine(
        connection,
        [(_record(failed.arrival), failed.reason) for failed in admitted.unreadable],
    )
    parked = await _parked_keys(connection)
    changed = [*admitted.roots, *admitted.seals]
    for model in target.models:
        await _apply_model(connection, target, model, admitted.facts, parked[model.name])
        if changed:
            await _run(connection, target, model, model.on_versions, changed)
    if admitted.seals:
        await _erase(connection, target, admitted.seals)
    return admitted.unreadable


async def _apply_model(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    model: ReadModel,
    facts: Sequence[Fact],
    parked: set[str],
) -> None:
    """Write a model's rows; facts of a parked key, and those that fail, are parked."""
    free = [fact for fact in facts if fact.key not in parked] if parked else facts
    for fact in facts if parked else ():
        if fact.key in parked:
            await _park(connection, model, fact, "an earlier fact of the same key is parked")
    try:
        # Most models make no row of most batches: those are spared the round trips of a savepoint.
        if rows := _rows(model, free):
            async with connection.transaction():
                await _write_rows(connection, target, model, rows)
    except Exception as problem:
        if not _is_of_the_fact(problem):
            raise
        await _apply_halves(connection, target, model, free, problem)


async def _apply_halves(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    model: ReadModel,
    facts: Sequence[Fact],
    problem: Exception,
) -> None:
    """Find the fact that cannot be applied, keeping order within every key."""
    if len(facts) == 1:
        await _park(connection, model, facts[0], reason_of(problem))
        return
    half = len(facts) // 2
    await _apply_model(connection, target, model, facts[:half], set())
    parked = await _parked_keys(connection)
    await _apply_model(connection, target, model, facts[half:], parked[model.name])


def _is_of_the_fact(problem: Exception) -> bool:
    """Whether the fact itself is the trouble; a lost connection or a deadlock is not."""
    if isinstance(problem, asyncpg.PostgresError):
        return isinstance(problem, _NO_ROW)
    if isinstance(problem, asyncpg.InterfaceError):
        # The driver calls a value it cannot send an interface error too, and a ValueError.
        return isinstance(problem, ValueError)
    return not isinstance(problem, OSError)


def _rows(model: ReadModel, facts: Sequence[Fact]) -> dict[Table, list[tuple[object, ...]]]:
    rows: dict[Table, list[tuple[object, ...]]] = {}
    for fact in facts:
        for table, row in model.project(fact):
            rows.setdefault(table, []).append(row)
    return rows


async def write(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    model: ReadModel,
    facts: Sequence[Fact],
) -> None:
    """Write the rows that a model makes of these facts. Written twice, they are there once."""
    await _write_rows(connection, target, model, _rows(model, facts))


async def _write_rows(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    model: ReadModel,
    rows: Mapping[Table, Sequence[tuple[object, ...]]],
) -> None:
    # Facts first: what is computed from them, in the model's other tables, must find them.
    for table in sorted(rows, key=lambda table: ("root_slot" not in table.c, table.name)):
        for statement in model.inserts.get(table.name, (KEEP_ONCE,)):
            await connection.execute(target.sql(statement, model, table.name), rows[table])


async def _run(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    model: ReadModel,
    statements: Iterable[str],
    places: Sequence[tuple[int, int]],
) -> None:
    for statement in statements:
        await connection.execute(
            target.sql(statement, model), [slot for slot, _ in places], [at for _, at in places]
        )


async def _erase(
    connection: asyncpg.pool.PoolConnectionProxy,
    target: Target,
    places: Sequence[tuple[int, int]],
) -> None:
    """Delete every row of sealed events and of their versions, in every model."""
    slots, positions = [slot for slot, _ in places], [position for _, position in places]
    for model in target.models:
        for table in model.metadata.sorted_tables:
            if "root_slot" in table.c:
                await connection.execute(
                    target.sql(
                        "DELETE FROM {schema}.{table} row "
                        "USING unnest($1::smallint[], $2::bigint[]) AS root (slot, position) "
                        "WHERE (row.root_slot, row.root_position) = (root.slot, root.position)",
                        model,
                        table.name,
                    ),
                    slots,
                    positions,
                )


async def _quarantine(
    connection: asyncpg.pool.PoolConnectionProxy, unreadable: Iterable[tuple[Record, str]]
) -> None:
    rows = [
        (
            record.topic,
            record.partition,
            record.offset,
            reason.replace("\x00", "\\u0000"),
            record.key,
            msgspec.json.encode([(n, v.decode(errors="replace")) for n, v in record.headers])
            .decode()
            .replace("\x00", ""),
            record.value,
        )
        for record, reason in unreadable
    ]
    if rows:
        await connection.executemany(_QUARANTINE, rows)


async def _park(
    connection: asyncpg.pool.PoolConnectionProxy, model: ReadModel, fact: Fact, reason: str
) -> None:
    await connection.execute(_PARK, model.name, fact.key, fact.slot, fact.position, reason)
    count = await connection.fetchval("SELECT count(DISTINCT (model, key)) FROM projections.parked")
    if count > MAX_PARKED_KEYS:
        raise TooManyParked(f"{model.name}: {reason}")


async def _parked_keys(
    connection: asyncpg.pool.PoolConnectionProxy,
) -> defaultdict[str, set[str]]:
    rows = await connection.fetch("SELECT DISTINCT model, key FROM projections.parked")
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        keys[row["model"]].add(row["key"])
    return keys


def _record(arrival: Arrival) -> Record:
    """An arrival as the record it came from."""
    topic = DECISIONS_TOPIC if arrival.slot == DECISIONS_SLOT else STATUS_TOPIC
    partition = 0 if arrival.slot == DECISIONS_SLOT else arrival.slot
    key = arrival.envelope.source.encode()
    return Record(topic, partition, arrival.position, key, arrival.value, arrival.headers)
