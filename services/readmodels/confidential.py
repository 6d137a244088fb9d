"""Tables of read models that not everybody with a role may read: the second lock.

The first is the query's own filter by scope. Row security gives a table's rows to the role that
writes it, and to every other only those that the condition gives to the reader, whom the gateway
names at the beginning of each transaction.
"""

READER = "current_setting('kamkap.reader', true)"
"""SQL: the identity that the transaction reads for; no identity where none was named."""

NAME_READER = "set_config('kamkap.reader', :reader, true)"
"""SQL: from here to its end, the transaction reads for `:reader`."""

SEEN_BY = "seen_by"
NOBODY = "FALSE"


def seen_by(condition: str) -> dict[str, str]:
    """`info` of a table whose rows are seen by a reader where this SQL condition holds."""
    return {SEEN_BY: condition}
