"""The Postgres schemas that read models live in: made, compared with today's shape, renamed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from services.projections.fact import ReadModel
from services.projections.models import MODELS
from services.readmodels import events
from services.readmodels.confidential import SEEN_BY

READERS = (
    "kamkap_ingest, kamkap_timers, kamkap_relay, kamkap_api, kamkap_operator, kamkap_dispatcher"
)
EVENTS = "events"
ALL: Mapping[str, MetaData] = {
    EVENTS: events.METADATA,
    **{model.name: model.metadata for model in MODELS},
}
"""Every schema that is derived from the log, with its tables."""


# What a policy was made of stands in its comment: Postgres gives the condition back rewritten.
POLICY = """
SELECT obj_description(oid, 'pg_policy') FROM pg_policy
WHERE polrelid = to_regclass($1) AND polname = 'by_reader'
"""


class OutdatedReadModel(Exception):
    """A read model has another shape than this code. Run `kamkap rebuild` for the named ones."""


@dataclass(frozen=True)
class Target:
    """Where a runner writes: the live schemas, or `<name>_next` of those being rebuilt."""

    models: tuple[ReadModel, ...]
    rebuilt: frozenset[str] = frozenset()

    def schema(self, name: str) -> str:
        """The schema that this model's tables are in."""
        return f"{name}_next" if name in self.rebuilt else name

    @property
    def events(self) -> str:
        """The schema that identities and versions are in."""
        return self.schema(EVENTS)

    def sql(self, statement: str, model: ReadModel, table: str = "") -> str:
        """A model's statement with the names it has here."""
        return (
            statement.replace("{schema}", self.schema(model.name))
            .replace("{events}", self.events)
            .replace("{table}", table)
        )


async def ensure(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Make the schemas that are missing; refuse those of another shape.

    A schema can only be made while nothing was applied yet: a new model joins by a rebuild.

    Raises:
        OutdatedReadModel: names what must be rebuilt.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(784126)")
    begun = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM projections.progress WHERE next_position > 0)"
    )
    outdated = []
    for name, metadata in ALL.items():
        shape = await _shape_of(connection, name)
        if shape is None and not begun:
            await make(connection, name, metadata)
        elif shape != shape_text(metadata):
            outdated.append(name)
        else:
            await _open(connection, name)
            await _secure(connection, name, metadata)
    if outdated:
        raise OutdatedReadModel(f"kamkap rebuild {' '.join(outdated)}")


async def make(
    connection: asyncpg.pool.PoolConnectionProxy, schema: str, metadata: MetaData
) -> None:
    """Make a schema with these tables, readable by every process and written by projections."""
    await connection.execute(f"CREATE SCHEMA {schema}")
    for statement in _statements(metadata, schema):
        await connection.execute(statement)
    await connection.execute(f"COMMENT ON SCHEMA {schema} IS '{shape_text(metadata)}'")
    await _open(connection, schema)
    await _secure(connection, schema, metadata)


async def drop(connection: asyncpg.pool.PoolConnectionProxy, schemas: Iterable[str]) -> None:
    """Drop schemas that nobody reads any more."""
    for schema in schemas:
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def switch(connection: asyncpg.pool.PoolConnectionProxy, names: Iterable[str]) -> None:
    """Put `<name>_next` in the place of the live schemas, which become `<name>_old`."""
    for name in names:
        await connection.execute(f"DROP SCHEMA IF EXISTS {name}_old CASCADE")
        if await _shape_of(connection, name) is not None:
            await connection.execute(f"ALTER SCHEMA {name} RENAME TO {name}_old")
        await connection.execute(f"ALTER SCHEMA {name}_next RENAME TO {name}")


def shape_text(metadata: MetaData) -> str:
    """What a schema's comment says of its tables: it changes when a table does."""
    text = "\n".join(_statements(metadata, "shape"))
    return "shape " + hashlib.sha256(text.encode()).hexdigest()[:16]


async def _open(connection: asyncpg.pool.PoolConnectionProxy, schema: str) -> None:
    """Every process reads; one that came with newer code too."""
    await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {READERS}")
    await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READERS}")


async def _secure(
    connection: asyncpg.pool.PoolConnectionProxy, schema: str, metadata: MetaData
) -> None:
    """Row security as each table's `seen_by` says; it belongs to the table, and moves with it.

    It is no part of the shape: another condition is put in place without a rebuild.
    """
    for table in metadata.sorted_tables:
        condition = table.info.get(SEEN_BY)
        named = f"{schema}.{table.name}"
        if condition is None or condition == await connection.fetchval(POLICY, named):
            continue
        for statement in (
            f"ALTER TABLE {named} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS by_process ON {named}",
            f"DROP POLICY IF EXISTS by_reader ON {named}",
            f"CREATE POLICY by_process ON {named} TO CURRENT_USER USING (true) WITH CHECK (true)",
            f"CREATE POLICY by_reader ON {named} FOR SELECT TO {READERS} USING ({condition})",
            f"COMMENT ON POLICY by_reader ON {named} IS '{condition.replace("'", "''")}'",
        ):
            await connection.execute(statement)


def _statements(metadata: MetaData, schema: str) -> list[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    renamed = MetaData(schema=schema)
    tables = [table.to_metadata(renamed, schema=schema) for table in metadata.sorted_tables]
    made: list[str] = [str(CreateTable(table).compile(dialect=dialect)) for table in tables]
    for table in tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made.extend(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes)
    return made


async def _shape_of(connection: asyncpg.pool.PoolConnectionProxy, schema: str) -> str | None:
    found: str | None = await connection.fetchval(
        "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace "
        "WHERE nspname = $1",
        schema,
    )
    return found
