"""What the network knows of its centres beyond their events: silences, returns, counter resets."""

from sqlalchemy import Column, DateTime, Index, MetaData, Text

from services.readmodels.facts import fact_table

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

RESETS = fact_table("resets", METADATA, Index("resets_source", "realm", "source", "time"))
"""Heartbeats that declare a reinstalled centre: `sequence` begins again here."""
