"""How schemathesis writes a body of NDJSON: it has no idea of its own."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: object, value: object) -> bytes:
    """The text as it is."""
    return value if isinstance(value, bytes) else str(value).encode()
