"""The envelope on Kafka: what goes out comes back, and the CloudEvents SDK reads it."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import (
    ATTRIBUTES,
    CONTENT_TYPE,
    REQUIRED,
    Envelope,
    digest,
    fault,
    from_headers,
    to_headers,
)
from schemas.published import TYPES, example
from tests.schemas.strategies import MOMENTS, TEXT

NOON = datetime(2026, 10, 14, 12, tzinfo=UTC)
SHORT = st.text(TEXT, min_size=1, max_size=40)
EXTENSIONS = st.dictionaries(
    st.from_regex("[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in ATTRIBUTES),
    st.text(),
    max_size=3,
)
ENVELOPES = st.builds(
    Envelope,
    id=SHORT,
    source=SHORT,
    type=SHORT,
    time=MOMENTS,
    subject=SHORT | st.none(),
    datacontenttype=SHORT | st.just(CONTENT_TYPE),
    dataschema=SHORT | st.none(),
    realm=st.sampled_from(["actual", "exercise", "test"]),
    recordedtime=MOMENTS | st.none(),
    sequence=st.integers(0, 2**63 - 1).map("{:019d}".format) | st.none(),
    correlationid=SHORT | st.none(),
    causationid=SHORT | st.none(),
    originalid=SHORT | st.none(),
    originalsource=SHORT | st.none(),
    dssematerial=SHORT | st.none(),
    acceptedtime=MOMENTS | st.none(),
    archiverevision=st.integers(0, 2**40) | st.none(),
    position=st.integers(0, 2**40) | st.none(),
    extensions=EXTENSIONS,
)


def heartbeat(**stated: object) -> Envelope:
    """A centre's heartbeat with these attributes beside the required ones."""
    required = {"id": "1", "source": "/centres/poc/TH-83", "type": "heartbeat.sent.v1"}
    return msgspec.convert({**required, "time": NOON, **stated}, Envelope)


@settings(deadline=None)
@given(ENVELOPES)
def test_an_envelope_survives_its_headers(envelope: Envelope) -> None:
    assert from_headers(to_headers(envelope)) == envelope


@pytest.mark.parametrize("type_", TYPES)
def test_the_cloudevents_sdk_reads_what_stands_on_kafka(type_: str) -> None:
    event = example(type_)
    envelope = msgspec.convert(
        {name: event[name] for name in ATTRIBUTES if name in event}, Envelope
    )
    value = json.dumps(event["data"]).encode()
    read = from_binary_event(KafkaMessage(dict(to_headers(envelope)), None, value))
    assert read.get_data() == event["data"]
    assert read.get_time() == datetime.fromisoformat(event["time"])
    stated = {name: str(event[name]) for name in event.keys() - {"data", "time"}}
    assert {name: read.get_attributes()[name] for name in stated} == stated


def test_a_reader_outside_sees_the_version_and_the_content_type() -> None:
    headers = dict(to_headers(heartbeat()))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"


def test_extensions_travel_as_headers_and_others_headers_are_passed_over() -> None:
    headers = [*to_headers(heartbeat(extensions={"sourced": "yes"})), ("traceparent", b"00-1")]
    assert ("ce_sourced", b"yes") in headers
    assert from_headers(headers).extensions == {"sourced": "yes"}


@pytest.mark.parametrize("name", [name for name in REQUIRED if name != "specversion"])
def test_an_envelope_without_a_required_attribute_is_refused(name: str) -> None:
    headers = [header for header in to_headers(heartbeat()) if header[0] != f"ce_{name}"]
    with pytest.raises(msgspec.ValidationError, match=name):
        from_headers(headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", b""),
        ("id", b"x" * 257),
        ("source", b"x" * 257),
        ("time", b"2026-10-14T12:00:00"),
        ("time", b"yesterday"),
        ("specversion", b"0.3"),
        ("realm", b"dream"),
        ("subject", b""),
        ("sequence", b"0" * 21),
        ("position", b"-1"),
    ],
)
def test_an_attribute_of_the_wrong_shape_is_refused(name: str, value: bytes) -> None:
    headers = {**dict(to_headers(heartbeat())), f"ce_{name}": value}
    with pytest.raises(msgspec.ValidationError, match=name):
        from_headers(list(headers.items()))


def test_a_header_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        from_headers([*to_headers(heartbeat()), ("ce_subject", b"\xff")])


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_has_no_fault(type_: str) -> None:
    event = example(type_)
    stated = {name: event[name] for name in ATTRIBUTES if name in event}
    assert fault(msgspec.convert(stated, Envelope)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "a\0b"),
        ("subject", "provinces/\x07"),
        ("correlationid", "\u200b"),
        ("sequence", "12a"),
        ("sequence", "๑๒"),
        ("sequence", "9223372036854775808"),
        ("extensions", {"Sourced": "yes"}),
        ("extensions", {"x" * 21: "yes"}),
        ("extensions", {"acceptedtime": "2004-12-26T00:00:00Z"}),
        ("extensions", {"sourced": "a\0b"}),
    ],
)
def test_a_fault_of_right_type_and_wrong_content_is_named(name: str, value: object) -> None:
    found = fault(heartbeat(**{name: value}))
    assert found is not None
    assert name in found or name == "extensions"


def test_an_extension_in_order_is_no_fault() -> None:
    assert fault(heartbeat(sequence="9223372036854775807", extensions={"sourced": "ใช่"})) is None


def test_what_an_event_says_has_one_digest() -> None:
    first, again = heartbeat(), heartbeat(correlationid="other", recordedtime=NOON)
    assert digest(first, b"{}") == digest(again, b"{}")


@pytest.mark.parametrize(
    ("stated", "data"),
    [
        ({}, b'{"status":"degraded"}'),
        ({"type": "heartbeat.sent.v2"}, b"{}"),
        ({"time": "2026-10-14T12:00:01Z"}, b"{}"),
        ({"subject": "centres/poc:TH-83"}, b"{}"),
        ({"realm": "exercise"}, b"{}"),
        ({"originalid": "0"}, b"{}"),
        ({"originalsource": "/centres/pmoc"}, b"{}"),
    ],
)
def test_what_says_something_else_has_another_digest(
    stated: dict[str, object], data: bytes
) -> None:
    assert digest(heartbeat(**stated), data) != digest(heartbeat(), b"{}")
