"""Records of the log as events: what of a record can be read, and what it is named by."""

from dataclasses import dataclass

import asyncpg
import msgspec

from schemas.envelope import Envelope, digest, from_headers
from schemas.events import EventModel, decode
from services.eventlog.log import Headers

type Key = tuple[str, str, str]
"""(realm, source, id)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record of the log that could be read."""

    slot: int
    position: int
    envelope: Envelope
    digest: bytes
    event: EventModel
    headers: Headers
    value: bytes

    @property
    def key(self) -> Key:
        """The identity: sent twice, it is one event."""
        return self.envelope.realm, self.envelope.source, self.envelope.id

    @property
    def original(self) -> Key:
        """The identity of what a correction or withdrawal is about."""
        named = self.envelope
        return named.realm, named.originalsource or named.source, named.originalid or ""

    @property
    def sequence(self) -> int | None:
        """The source's own counter."""
        return int(self.envelope.sequence) if self.envelope.sequence is not None else None


def arrival_of_row(row: asyncpg.Record) -> Arrival:
    """The arrival that a row of `waiting` keeps."""
    texts: dict[str, str] = msgspec.json.decode(row["headers"])
    headers = [(name, value.encode()) for name, value in texts.items()]
    return read_arrival(row["slot"], row["position"], headers, row["value"])


def read_arrival(slot: int, position: int, headers: Headers, value: bytes) -> Arrival:
    """A record as an arrival, its data upcast to today's model.

    Raises:
        ValueError: attributes or data are not what they must be; says what.
        UnknownType: no such event type.
    """
    envelope = from_headers(headers)
    return Arrival(
        slot,
        position,
        envelope,
        digest(envelope, value),
        decode(envelope.type, value),
        headers,
        value,
    )
