"""Orders of the PM and what they assign; the matrix is computed from them, never stored."""

from sqlalchemy import ARRAY, Boolean, Column, Date, Index, Integer, MetaData, Text

from services.readmodels.facts import fact_table

METADATA = MetaData(schema="oversight")

ORDERS = fact_table(
    "orders",
    METADATA,
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date),
    Column("revokes", ARRAY(Text), nullable=False),
    Column("amends", ARRAY(Text), nullable=False),
    Column("order_missing", Boolean, nullable=False),
    Column("illustrative", Boolean, nullable=False),
    Column("note", Text),
    Index("orders_number", "number"),
)

ASSIGNMENTS = fact_table(
    "assignments",
    METADATA,
    Column("nth", Integer, nullable=False),
    Column("number", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("deputy", Text, nullable=False),
    Column("power", Text, nullable=False),
    Column("except_th", Text),
    key=("nth",),
)
