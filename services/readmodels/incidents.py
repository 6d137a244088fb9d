"""Incidents: every change stated about one, and which may be open where."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from services.readmodels.facts import fact_table, span

METADATA = MetaData(schema="incidents")

CHANGES = fact_table(
    "changes",
    METADATA,
    Column("incident", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("hazard", Text),
    Column("title_th", Text),
    Column("title_en", Text),
    Column("severity", Text),
    Column("provinces", ARRAY(Text)),
    Column("ministries", ARRAY(Text)),
    Column("agendas", ARRAY(Text)),
    Column("place", Text),
    Column("lat", Double),
    Column("lon", Double),
    Column("note", Text),
    Index("changes_incident", "realm", "incident", "time"),
)
"""`change` is `opened`, `updated` or `closed`; a null column is not stated by that change."""

COORDINATES = Table(
    "coordinates",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("coordinate", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("opened_once", Boolean, nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("closed_slot", SmallInteger),
    Column("closed_position", BigInteger),
    PrimaryKeyConstraint("incident", "coordinate", "realm"),
    Index(
        "coordinates_open",
        "coordinate",
        text(span("opened_at", "closed_at")),
        postgresql_using="gist",
    ),
    Index("coordinates_opened", "realm", "coordinate", "opened_at", "incident"),
    Index("coordinates_variously", "realm", "coordinate", postgresql_where=text("NOT opened_once")),
)
"""Every coordinate an incident was ever said to have: `TH` all of them, provinces by their code,
`ministry:ID`, `agenda:ID`. With the first moment that was ever stated for its opening, whether no
other one was, and when it closed as far as is known today, by which word (slot and position);
`infinity` for what was not said, or while it is open. A filter, never an answer."""


def of_ministry(ministry: str) -> str:
    """A ministry as a coordinate."""
    return f"ministry:{ministry}"


def of_agenda(agenda: str) -> str:
    """An agenda as a coordinate."""
    return f"agenda:{agenda}"
