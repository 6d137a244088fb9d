"""Which events there are: identities, versions, what waits for its original, what contradicts."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from services.readmodels.confidential import NOBODY, seen_by

METADATA = MetaData(schema="events")

IDENTITIES = Table(
    "identities",
    METADATA,
    Column("realm", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    # Null on a placeholder: something refers to the event, and it is not here yet.
    Column("slot", SmallInteger),
    Column("position", BigInteger),
    Column("time", DateTime(timezone=True)),
    Column("sequence", BigInteger),
    Column("type", Text),
    Column("subject", Text),
    Column("digest", LargeBinary),
    Column("accepted_at", DateTime(timezone=True)),
    Column("archive_revision", Integer),
    Column("sealed", Boolean, nullable=False),
    PrimaryKeyConstraint("realm", "source", "id"),
    Index("identities_source_time", "realm", "source", "time"),
    # What a centre said last, by place in the log: the clock of its silence.
    Index(
        "identities_live",
        "source",
        "position",
        postgresql_where=text("realm = 'actual' AND archive_revision IS NULL AND slot < 64"),
    ),
)
"""One row per (realm, source, id): the first in log order has effect."""

VERSIONS = Table(
    "versions",
    METADATA,
    Column("root_slot", SmallInteger, nullable=False),
    Column("root_position", BigInteger, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("id", Text, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("accepted_at", DateTime(timezone=True)),
    Column("archive_revision", Integer),
    PrimaryKeyConstraint("root_slot", "root_position", "slot", "position"),
)
"""Corrections and withdrawals of an original, in the order (time, source, sequence, id)."""

WAITING = Table(
    "waiting",
    METADATA,
    Column("slot", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("realm", Text, nullable=False),
    Column("original_source", Text, nullable=False),
    Column("original_id", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("slot", "position"),
    Index("waiting_original", "realm", "original_source", "original_id"),
    info=seen_by(NOBODY),
)
"""Corrections and withdrawals that arrived before their original; kept after it came. With their
bytes, so that nobody reads it but the runner."""

CONFLICTS = Table(
    "conflicts",
    METADATA,
    Column("slot", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("realm", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    PrimaryKeyConstraint("slot", "position"),
    Index("conflicts_identity", "realm", "source", "id"),
)
"""Events that came with an id already taken by other content; they have no effect."""
