"""The columns every fact table has: where the event lies, when it was so, whose version it is."""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem


def revision_table(metadata: MetaData) -> Table:
    """One row whose number grows whenever the facts of this schema change, so that who holds them
    in memory asks for one number. None as long as there are no facts."""
    return Table(
        "revision",
        metadata,
        Column("single", Boolean, primary_key=True),
        Column("number", BigInteger, nullable=False),
    )


def span(begin: str, end: str) -> str:
    """SQL: the time from one to the other, half-open, for an index of what was so at a moment;
    nothing where the end does not come after the beginning."""
    return f"tstzrange(least({begin}, {end}), {end})"


def fact_table(
    name: str,
    metadata: MetaData,
    *own: SchemaItem,
    key: tuple[str, ...] = (),
    info: Mapping[str, str] | None = None,
) -> Table:
    """An append-only table of facts, one row per event (and `key`, when an event makes several).

    `slot, position` are the event's own; `root_slot, root_position` those of the original, the same
    unless the event corrects one. `time` is the original's. `accepted_at` and `archive_revision`
    stand on imported facts alone. `info` is what the table is said to be beside its columns.
    """
    return Table(
        name,
        metadata,
        Column("realm", Text, nullable=False),
        Column("slot", SmallInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("root_slot", SmallInteger, nullable=False),
        Column("root_position", BigInteger, nullable=False),
        Column("time", DateTime(timezone=True), nullable=False),
        Column("source", Text, nullable=False),
        Column("sequence", BigInteger),
        Column("id", Text, nullable=False),
        Column("accepted_at", DateTime(timezone=True)),
        Column("archive_revision", Integer),
        *own,
        PrimaryKeyConstraint("slot", "position", *key),
        info=dict(info or {}),
    )
