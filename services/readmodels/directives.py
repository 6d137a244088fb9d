"""Directives: every draft, step and clock, and by which power each addressee is directed."""

from sqlalchemy import ARRAY, Column, DateTime, Index, Integer, MetaData, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.readmodels.facts import fact_table

METADATA = MetaData(schema="directives")

DRAFTS = fact_table(
    "drafts",
    METADATA,
    Column("directive", Text, nullable=False),
    Column("deputy", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("classification", Text, nullable=False),
    Column("addressees", ARRAY(Text), nullable=False),
    Column("provinces", ARRAY(Text), nullable=False),
    Column("agenda", Text),
    Column("acknowledge_by", DateTime(timezone=True)),
    Column("report_by", DateTime(timezone=True)),
    Column("body", JSONB, nullable=False),
    Index("drafts_directive", "realm", "directive", "position"),
    Index("drafts_position", "realm", "position"),
)
"""One draft; the last is the directive's text. `body` is the event's data."""

STEPS = fact_table(
    "steps",
    METADATA,
    Column("directive", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("addressee", Text),
    Column("leads_to", Text, nullable=False),
    Column("acknowledge_by", DateTime(timezone=True)),
    Column("report_by", DateTime(timezone=True)),
    Column("body", JSONB, nullable=False),
    Index("steps_directive", "realm", "directive", "addressee", "position"),
)
"""One step. `step` is the verb of the event's type, `leads_to` where the addressee stands after it,
or the whole directive where `addressee` is null. The times are by when what it begins is owed.
`body` is the event's data."""

ALARMS = fact_table(
    "alarms",
    METADATA,
    Column("nth", SmallInteger, nullable=False),
    Column("directive", Text, nullable=False),
    Column("addressee", Text),
    Column("owes", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("step", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("falls_at", DateTime(timezone=True), nullable=False),
    Index("alarms_falls_at", "falls_at"),
    Index("alarms_directive", "realm", "directive"),
    key=("nth",),
)
"""When a timer has something to state, unless it is done by then: of one addressee, or of all where
`addressee` is null."""

STATED = fact_table(
    "stated",
    METADATA,
    Column("directive", Text, nullable=False),
    Column("addressee", Text, nullable=False),
    Column("owes", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("step", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("office", Text),
    Column("body", JSONB, nullable=False),
    Index("stated_directive", "realm", "directive", "addressee"),
)
"""What a timer stated: `reminded`, `overdue`, or `escalated` to this level and office."""

AUTHORITY = fact_table(
    "authority",
    METADATA,
    Column("nth", SmallInteger, nullable=False),
    Column("directive", Text, nullable=False),
    Column("addressee", Text, nullable=False),
    Column("order_number", Text),
    Column("clause", Integer),
    Column("dimension", Text),
    Column("target", Text),
    Column("power", Text),
    Index("authority_directive", "realm", "directive"),
    key=("nth",),
)
"""By which clause of which order, with which power over what, an addressee is directed; null in
what the Prime Minister issued."""

UNDELIVERABLE = fact_table(
    "undeliverable",
    METADATA,
    Column("directive", Text, nullable=False),
    Column("addressee", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Index("undeliverable_directive", "realm", "directive", "position"),
)
"""An addressee that a notice could not be delivered to; no step, so that nobody's state changes."""
