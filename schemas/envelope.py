"""The CloudEvents 1.0 envelope as the network carries it.

The door reads an envelope once and keeps `data` as the centre's own bytes. In the log an event is
CloudEvents binary mode: attributes as `ce_` headers, the `data` bytes as the value, the source as
the key. Nothing re-serialises `data`, so a signature over it holds at the far end.
"""

from datetime import datetime

import msgspec

from schemas.ids import Realm

CONTENT_TYPE = "application/json"
SLOTS = 64
"""Partitions of `status`, fixed for ever: a source's events stay in one of them."""

DECISIONS_SLOT = SLOTS
"""Where decisions stand in a position: one place behind the slots of `status`."""

STATUS_TOPIC = "status"
DECISIONS_TOPIC = "decisions"
INBOX_PREFIX = "inbox."

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


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's context attributes, as its source states them.

    `originalid` (and `originalsource`, when it is not the same centre) names the event that a
    correction or a withdrawal is about. `acceptedtime` and `archiverevision` stand only on events
    that an import took over: for all others the accepted time is the time of the first tick that
    covers them. `position` is set by the relay on decisions.
    """

    id: str
    source: str
    type: str
    time: datetime
    specversion: str = "1.0"
    subject: str | None = None
    datacontenttype: str = CONTENT_TYPE
    dataschema: str | None = None
    realm: Realm = "actual"
    recordedtime: datetime | None = None
    sequence: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    originalid: str | None = None
    originalsource: str | None = None
    dssematerial: str | None = None
    acceptedtime: datetime | None = None
    archiverevision: int | None = None
    position: int | None = None
    extensions: dict[str, str] = {}


def to_headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    """The envelope as the headers of CloudEvents' Kafka binding in binary mode."""
    headers = [("content-type", envelope.datacontenttype.encode())]
    for name in ATTRIBUTES:
        value = getattr(envelope, name)
        if value is None or name == "datacontenttype":
            continue
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        headers.append((f"ce_{name}", text.encode()))
    headers.extend((f"ce_{name}", value.encode()) for name, value in envelope.extensions.items())
    return headers


def from_headers(headers: list[tuple[str, bytes]]) -> Envelope:
    """The envelope that `to_headers` wrote.

    Raises:
        msgspec.ValidationError: an attribute is missing or has the wrong shape.
    """
    known: dict[str, str] = {}
    extensions: dict[str, str] = {}
    for name, value in headers:
        if name == "content-type":
            known["datacontenttype"] = value.decode()
        elif name.startswith("ce_"):
            attribute = name[3:]
            (known if attribute in _KNOWN else extensions)[attribute] = value.decode()
    return msgspec.convert({**known, "extensions": extensions}, Envelope, strict=False)


_KNOWN = frozenset(ATTRIBUTES)
