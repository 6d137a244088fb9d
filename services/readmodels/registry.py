"""Reference data as dated entries: provinces, clusters, ministries, centres, all that is law."""

from sqlalchemy import Column, Date, Index, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.readmodels.facts import fact_table, revision_table

METADATA = MetaData(schema="registry")

ENTRIES = fact_table(
    "entries",
    METADATA,
    Column("subject", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("body", JSONB, nullable=False),
    Index("entries_subject", "subject", "entry"),
)
"""One dated version of one thing. `subject` is the first word of the event's type (`province`,
`centre`, `key`, `precedence`, `deputy`, `tenure` …), `entry` its id, `body` the event's data."""

REVISION = revision_table(METADATA)
"""Which state of the registry this is."""
