"""Decisions for tests: made of an order, the smallest thing the network decides."""

from datetime import UTC, datetime

from schemas.envelope import Envelope
from services.eventlog.store import Decision, Guard, NewEvent

MOMENT = datetime(2025, 11, 22, 9, 0, tzinfo=UTC)


def envelope(id_: str, *, type_: str = "test.decided.v1") -> Envelope:
    return Envelope(id=id_, source="/network", type=type_, time=MOMENT)


def decision(
    stream: str, expected_version: int, *ids: str, guards: tuple[Guard, ...] = ()
) -> Decision:
    """Events with these ids at the end of a stream."""
    events = [NewEvent(envelope(id_), b'{"id": "%s"}' % id_.encode()) for id_ in ids]
    return Decision(stream, expected_version, events, guards)
