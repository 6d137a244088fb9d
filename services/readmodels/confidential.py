"""Tables of read models that not everybody with a role may read: the second lock.

The first is the query's own filter by scope. Row security gives a table's rows to the role that
writes it, and to every other only those that the condition gives to the reader, whom the gateway
names at the beginning of each transaction.
"""

READER = "current_setting('kamkap.reader', true)"
"""SQL: the identity that the transaction reads for; no identity where none was named."""

NAME_READER = "set_config('kamkap.reader', :reader, true)"
"""SQL: from here to its end, the transaction reads for `:reader`."""

ENTITLED = "(SELECT string_to_array(current_setting('kamkap.entitled', true), ','))"
"""SQL: the names under which the transaction's reader is entitled to more; none where none were
given. Asked once for a statement, not for every row."""

NAME_ENTITLED = "set_config('kamkap.entitled', :entitled, true)"
"""SQL: from here to its end, the transaction's reader is entitled by these names, with commas."""

# What it reads depends on the name, so that no plan can look before the name is given.
_FOR_ENTITLED = """
WITH reader AS MATERIALIZED (SELECT {name} AS entitled)
SELECT found.* FROM reader CROSS JOIN LATERAL (
    SELECT inside.* FROM ({query}) inside WHERE reader.entitled IS NOT NULL OFFSET 0
) found
"""

SEEN_BY = "seen_by"
NOBODY = "FALSE"


def for_entitled(query: str) -> str:
    """The query, for who is entitled by the names in `:entitled`: no round trip more to say so."""
    return _FOR_ENTITLED.format(name=NAME_ENTITLED, query=query)


def seen_by(condition: str) -> dict[str, str]:
    """`info` of a table whose rows are seen by a reader where this SQL condition holds."""
    return {SEEN_BY: condition}
