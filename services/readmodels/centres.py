"""What the network knows of its centres beyond their events: silences, returns, counter resets."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from services.readmodels.facts import fact_table, span

METADATA = MetaData(schema="centres")

SILENCES = fact_table(
    "silences",
    METADATA,
    Column("centre", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Index("silences_centre", "realm", "centre", "time"),
)
"""`state` is `silent` or `heard`; `since` when it began."""

SPANS = Table(
    "spans",
    METADATA,
    Column("slot", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("realm", Text, nullable=False),
    Column("centre", Text, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("ended_slot", SmallInteger),
    Column("ended_position", BigInteger),
    PrimaryKeyConstraint("slot", "position"),
    Index("spans_time", text(span("began_at", "ended_at")), postgresql_using="gist"),
    Index("spans_ended", "ended_slot", "ended_position"),
)
"""From each word that a centre is silent (at slot and position) to the first after it that says it
was heard, and that no version replaces; `infinity` where there is none. A filter, never an
answer."""

RESETS = fact_table("resets", METADATA, Index("resets_source", "realm", "source", "time"))
"""Heartbeats that declare a reinstalled centre: `sequence` begins again here."""
