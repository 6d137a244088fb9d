"""Orders of the PM; the matrix is computed from them, never stored."""

from sqlalchemy import Column, Index, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.readmodels.facts import fact_table, revision_table

METADATA = MetaData(schema="oversight")

ORDERS = fact_table(
    "orders",
    METADATA,
    Column("number", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Index("orders_number", "number"),
)
"""One order; `body` is the event's data."""

REVISION = revision_table(METADATA)
"""Which state of the orders this is."""
