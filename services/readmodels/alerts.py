"""Public alerts and what updates or cancels them."""

from sqlalchemy import ARRAY, Column, DateTime, Index, MetaData, Text, text

from services.readmodels.facts import fact_table, span

METADATA = MetaData(schema="alerts")

MESSAGES = fact_table(
    "messages",
    METADATA,
    Column("alert", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("references", ARRAY(Text), nullable=False),
    Column("incident", Text),
    Column("event_th", Text, nullable=False),
    Column("headline_th", Text, nullable=False),
    Column("headline_en", Text),
    Column("description", Text),
    Column("instruction", Text),
    Column("urgency", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("certainty", Text, nullable=False),
    Column("effective", DateTime(timezone=True), nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False),
    Column("provinces", ARRAY(Text), nullable=False),
    # By which names a CAP message that came from outside refers to it.
    Column("cap_sender", Text),
    Column("cap_identifier", Text),
    Index("messages_identity", "realm", "source", "id"),
    Index("messages_alert", "realm", "source", "alert"),
    Index("messages_time", text(span("effective", "expires")), postgresql_using="gist"),
    Index("messages_references", "references", postgresql_using="gin"),
)
