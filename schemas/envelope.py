"""The CloudEvents 1.0 envelope as the network carries it.

The door reads an envelope once and keeps `data` as the centre's own bytes. In the log an event is
CloudEvents binary mode: attributes as `ce_` headers, the `data` bytes as the value, the source as
the key. Nothing re-serialises `data`, so a signature over it holds at the far end.
"""

import re
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.ids import Realm

CONTENT_TYPE = "application/json"
SLOTS = 64
"""Partitions of `status`, fixed for ever: a source's events stay in one of them."""

DECISIONS_SLOT = SLOTS
"""Where decisions stand in a position: one place behind the slots of `status`."""

STATUS_TOPIC = "status"
DECISIONS_TOPIC = "decisions"
INBOX_PREFIX = "inbox."
OUT_PREFIX = "out."

REQUIRED = ("specversion", "id", "source", "type", "time")

ATTRIBUTES = (
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
    "realm",
    "recordedtime",
    "sequence",
    "correlationid",
    "causationid",
    "originalid",
    "originalsource",
    "dssematerial",
    # What the network adds, never taken from a centre.
    "acceptedtime",
    "archiverevision",
    "position",
)
"""Every context attribute the network reads. Others are carried along and not read."""

Short = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identifier: it stands in keys and indexes, so it is bounded."""

Uri = Annotated[str, Meta(min_length=1, max_length=2_048)]
Counter = Annotated[
    str, Meta(min_length=1, max_length=20, extra_json_schema={"pattern": "^[0-9]+$"})
]
"""A count of one source, zero-padded so that text sorts as numbers do."""

Moment = Annotated[datetime, Meta(tz=True)]
Ordinal = Annotated[int, Meta(ge=0)]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's context attributes, as its source states them.

    `originalid` (and `originalsource`, when it is not the same centre) names the event that a
    correction or a withdrawal is about. `acceptedtime` and `archiverevision` stand only on events
    that an import took over: for all others the accepted time is the time of the first tick that
    covers them. `position` is set by the relay on decisions.
    """

    id: Short
    source: Short
    type: Short
    time: Moment
    specversion: Literal["1.0"] = "1.0"
    subject: Short | None = None
    datacontenttype: Short = CONTENT_TYPE
    dataschema: Uri | None = None
    realm: Realm = "actual"
    recordedtime: Moment | None = None
    sequence: Counter | None = None
    correlationid: Short | None = None
    causationid: Short | None = None
    originalid: Short | None = None
    originalsource: Short | None = None
    dssematerial: Annotated[str, Meta(min_length=1, max_length=65_536)] | None = None
    acceptedtime: Moment | None = None
    archiverevision: Ordinal | None = None
    position: Ordinal | None = None
    extensions: dict[str, str] = {}


_HEADERS = {
    name: "content-type" if name == "datacontenttype" else f"ce_{name}" for name in ATTRIBUTES
}
_TEXTS = (
    "id",
    "source",
    "type",
    "subject",
    "dataschema",
    "datacontenttype",
    "correlationid",
    "causationid",
    "originalid",
    "originalsource",
    "dssematerial",
)
_TEXTS_OF = attrgetter(*_TEXTS)
_DIGITS = re.compile(r"[0-9]+")
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_ATTRIBUTES = {header: name for name, header in _HEADERS.items()}


def fault(envelope: Envelope) -> str | None:
    """Why the envelope cannot be taken in although its attributes have the right types, or None.

    Asked once, where an event enters; what is in the log has passed. CloudEvents 1.0 (type String)
    forbids control characters and other letters in names; Postgres stores no null and no sequence
    above 64 bits.
    """
    texts = _TEXTS_OF(envelope)
    # One look at all of them together: each by itself would cost what parsing the envelope does.
    if not "".join(filter(None, texts)).isprintable():
        name = next(
            n for n, text in zip(_TEXTS, texts, strict=True) if not (text or "").isprintable()
        )
        return f"{name} contains a control character"
    sequence = envelope.sequence
    if sequence is not None and not (_DIGITS.fullmatch(sequence) and int(sequence) < 2**63):
        return "sequence is not a number below 2^63"
    for name, value in envelope.extensions.items():
        if name in ATTRIBUTES or not _EXTENSION.fullmatch(name):
            return "an extension attribute's name is not 1 to 20 lower-case letters or digits"
        if not value.isprintable():
            return f"{name} contains a control character"
    return None


def digest(envelope: Envelope, data: bytes) -> bytes:
    """What an event says, as 16 bytes: the same (source, id) with another digest is a conflict."""
    said = "\x00".join(
        (
            envelope.type,
            envelope.subject or "",
            envelope.time.isoformat(),
            envelope.realm,
            envelope.originalid or "",
            envelope.originalsource or "",
            "",
        )
    )
    return blake2b(said.encode() + data, digest_size=16).digest()


def header_texts(envelope: Envelope) -> dict[str, str]:
    """What `to_headers` says, as text by name."""
    stated = msgspec.to_builtins(envelope)
    # Defaults are not among them, but a reader outside the network must see these two.
    stated["specversion"] = envelope.specversion
    stated["datacontenttype"] = envelope.datacontenttype
    if envelope.extensions:
        stated.update(stated.pop("extensions"))
        return {_HEADERS.get(name, f"ce_{name}"): str(value) for name, value in stated.items()}
    return {_HEADERS[name]: str(value) for name, value in stated.items()}


def to_headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    """The envelope as the headers of CloudEvents' Kafka binding in binary mode."""
    return [(name, text.encode()) for name, text in header_texts(envelope).items()]


def from_headers(headers: list[tuple[str, bytes]]) -> Envelope:
    """The envelope that `to_headers` wrote; headers that are not CloudEvents' are passed over.

    Raises:
        msgspec.ValidationError: an attribute is missing or has the wrong shape.
        UnicodeDecodeError: a header is not UTF-8.
    """
    attributes: dict[str, object]
    try:
        attributes = {_ATTRIBUTES[name]: value.decode() for name, value in headers}
    except KeyError:
        # Few events carry headers of their own; asking for each would cost the others a third.
        attributes = _with_extensions(headers)
    return msgspec.convert(attributes, Envelope, strict=False)


def _with_extensions(headers: list[tuple[str, bytes]]) -> dict[str, object]:
    known = {_ATTRIBUTES[name]: value.decode() for name, value in headers if name in _ATTRIBUTES}
    extensions = {
        name.removeprefix("ce_"): value.decode()
        for name, value in headers
        if name not in _ATTRIBUTES and name.startswith("ce_")
    }
    return {**known, "extensions": extensions}
