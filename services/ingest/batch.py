"""The events of a body that holds many: a JSON array, or a line each."""

from collections.abc import Iterator

import msgspec

from services.ingest.content import Form
from services.ingest.refusals import BODY_MALFORMED, TOO_DEEP, TOO_MANY_EVENTS
from services.ingest.sanity import whole
from services.operation.problems import Problem, Text

MAX_EVENTS = 10_000

# Elements of an array are at most its commas and one: an array of sixteen million bytes of `1,`
# would fill half a gigabyte before its length could be judged.
_MAX_COMMAS = 1_000_000
_MAX_LINES = 2 * MAX_EVENTS

_BLANK = b" \t\r\n\v\f"

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def events_of(form: Form, body: bytes) -> Iterator[bytes]:
    """Each event's own bytes, in their order; blank lines are passed over.

    Raises:
        Problem: the body as a whole cannot be taken apart, or holds more than 10,000 events.
    """
    return _lines(body) if form is Form.NDJSON else map(bytes, _elements(body))


def _lines(body: bytes) -> Iterator[bytes]:
    """Cut one by one: all at once would be the body a second time."""
    if body.count(b"\n") > _MAX_LINES or sum(1 for _ in _cuts(body)) > MAX_EVENTS:
        raise _too_many()
    return (body[start:end] for start, end in _cuts(body))


def _cuts(body: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        if end < 0:
            end = len(body)
        if end > start and not (body[start] in _BLANK and body[start:end].isspace()):
            yield start, end
        start = end + 1


def _elements(body: bytes) -> list[msgspec.Raw]:
    if body.count(b",") > _MAX_COMMAS:
        raise _too_many()
    try:
        events = _ARRAY.decode(body)
    except msgspec.DecodeError:
        # The other parser names what is wrong.
        whole(body)
        raise Problem(
            BODY_MALFORMED,
            Text("เนื้อหาต้องเป็นอาร์เรย์ JSON ของเหตุการณ์", "The body must be a JSON array of events"),
        ) from None
    except RecursionError:
        raise Problem(TOO_DEEP, Text("ลดระดับการซ้อนของ JSON", "Nest the JSON less deeply")) from None
    if len(events) > MAX_EVENTS:
        raise _too_many()
    return events


def _too_many() -> Problem:
    return Problem(
        TOO_MANY_EVENTS,
        Text(
            f"คำขอหนึ่งมีได้ไม่เกิน {MAX_EVENTS:,} เหตุการณ์ แบ่งเป็นหลายคำขอ",
            f"A request holds at most {MAX_EVENTS:,} events: send several requests",
        ),
        extensions={"max_events": MAX_EVENTS},
    )
