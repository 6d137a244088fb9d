"""Measured values by indicator, place and date, with every revision."""

from sqlalchemy import Column, Date, Index, MetaData, Numeric, PrimaryKeyConstraint, Table, Text

from services.readmodels.facts import fact_table

METADATA = MetaData(schema="indicators")

MEASUREMENTS = fact_table(
    "measurements",
    METADATA,
    Column("indicator", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("value", Numeric, nullable=False),
    Column("unit", Text, nullable=False),
    Column("implausible", Text),
    Index("measurements_value", "realm", "indicator", "place", "date", "source", "time"),
)

NAMES = Table(
    "names",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("realm", "indicator", "place", "source"),
)
"""Which series exist."""
