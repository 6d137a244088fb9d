"""Directives: every draft, step and clock, and by which power each addressee is directed.

What is not for everybody who reads directives has its readers on its own rows: row security asks
for no other table. They are names as `services.domain.readership` gives them.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.readmodels.confidential import ENTITLED, seen_by
from services.readmodels.facts import fact_table

METADATA = MetaData(schema="directives")

_TIMERS = "current_user = 'kamkap_timers'"
_SEEN = seen_by(f"readers IS NULL OR {_TIMERS} OR readers && {ENTITLED}")

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
    Column("readers", ARRAY(Text)),
    Index("drafts_directive", "realm", "directive", "position"),
    # Never the realm first: whoever looks for one directive must not go by this.
    Index("drafts_position", "position"),
    info=_SEEN,
)
"""One draft; the last is the directive's text. `body` is the event's data. `readers` as WHOLES."""

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
    Column("readers", ARRAY(Text)),
    Index("steps_directive", "realm", "directive", "addressee", "position"),
    # Said by where it leads, so that nobody who looks for one directive's issue goes by this.
    Index("steps_opening", "realm", "time", postgresql_where=text("leads_to = 'open'")),
    info=_SEEN,
)
"""One step. `step` is the verb of the event's type, `leads_to` where the addressee stands after it,
or the whole directive where `addressee` is null. The times are by when what it begins is owed.
`body` is the event's data. `readers` as WHOLES."""

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
    info=seen_by(_TIMERS),
)
"""When a timer has something to state, unless it is done by then: of one addressee, or of all where
`addressee` is null. The timers' alone."""

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
    Column("readers", ARRAY(Text)),
    Index("stated_directive", "realm", "directive", "addressee"),
    info=_SEEN,
)
"""What a timer stated: `reminded`, `overdue`, or `escalated` to this level and office. `readers` as
WHOLES."""

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
    Column("readers", ARRAY(Text)),
    Index("authority_directive", "realm", "directive"),
    key=("nth",),
    info=_SEEN,
)
"""By which clause of which order, with which power over what, an addressee is directed; null in
what the Prime Minister issued. `readers` as WHOLES."""

UNDELIVERABLE = fact_table(
    "undeliverable",
    METADATA,
    Column("directive", Text, nullable=False),
    Column("addressee", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("readers", ARRAY(Text)),
    Index("undeliverable_directive", "realm", "directive", "position"),
    info=_SEEN,
)
"""An addressee that a notice could not be delivered to; no step, so that nobody's state changes.
`readers` as WHOLES."""

WHOLES = Table(
    "wholes",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("directive", Text, nullable=False),
    Column("readers", ARRAY(Text)),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("slot", SmallInteger),
    Column("position", BigInteger),
    Column("accepted_at", DateTime(timezone=True)),
    Column("archive_revision", Integer),
    PrimaryKeyConstraint("realm", "directive"),
    Index("wholes_ended", "ended_at", "realm", "directive"),
    info=_SEEN,
)
"""A directive as far as is known today: under which names it is read where it is not for everybody
who reads directives (a draft, what is confidential), and from when on nothing more is owed, with
the place of the event that says so; `infinity` while something is. A filter, never an answer."""

LOCKED = (DRAFTS, STEPS, STATED, AUTHORITY, UNDELIVERABLE)
"""The tables whose rows have the readers that WHOLES has of their directive."""
