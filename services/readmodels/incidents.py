"""Incidents: every change stated about one, and which may be open where."""

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Double,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from services.readmodels.facts import fact_table

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

PLACES = Table(
    "places",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("province", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("realm", "province", "incident"),
    Index("places_open", "realm", "province", "closed_at", "opened_at"),
)
"""Every province an incident was ever said to be in (`TH` for all incidents, wherever), when it
opened by the first word that says so, and when it closed as far as is known today; `infinity` for
what was not said, or while it is open. A filter, never an answer."""
