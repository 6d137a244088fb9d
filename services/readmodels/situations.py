"""Situation reports: what each source said of each place in each incident, cumulative counts."""

from sqlalchemy import (
    ARRAY,
    Column,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from schemas.events.situation import FIGURES
from services.readmodels.facts import fact_table

METADATA = MetaData(schema="situations")

# Of two reports of one moment the one without a number is the earlier, as everywhere.
_OF_A_SERIES = ("realm", "place", "incident", "source", "time", text("sequence NULLS FIRST"), "id")


def states(row: str, nth: int) -> str:
    """SQL: this report states figure `nth` of its place; one about a district does not."""
    return f"{row}figures[{nth + 1}] IS NOT NULL AND {row}district IS NULL"


def stated(row: str) -> str:
    """SQL: the bits of the figures that this report states of its place."""
    return " | ".join(f"(({states(row, nth)})::int << {nth})" for nth in range(len(FIGURES)))


REPORTS = fact_table(
    "reports",
    METADATA,
    Column("incident", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("district", Text),
    # One value for each of `schemas.events.situation.FIGURES`, null where the report states none.
    Column("figures", ARRAY(Numeric), nullable=False),
    Column("severity", Text),
    Column("needs", ARRAY(Text), nullable=False),
    Column("note", Text),
    Column("stated_by", Text),
    Index("reports_series", *_OF_A_SERIES),
    # A figure that a source stated once is found without looking through all it said since.
    *(
        Index(f"reports_{name}", *_OF_A_SERIES, postgresql_where=text(states("", nth)))
        for nth, name in enumerate(FIGURES)
    ),
)

SERIES = Table(
    "series",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("stated", Integer, nullable=False),
    PrimaryKeyConstraint("realm", "place", "incident", "source"),
)
"""Which sources ever reported on a place in an incident; bit n of `stated` is set when one stated
figure n, so that nobody searches a history for what was never said."""
