"""Bad input: each gets a clear problem, is counted, and leaves no trace."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.content import BATCH, JSON, NDJSON, STRUCTURED
from tests.ingest.doorway import NOW, PHUKET, Doorway, Json, event

DATA = b'{"incident": "flood", "place": "TH-83", "dead": 3}'
HEAD = event(id="bad", data=None)


def with_data(data: bytes) -> bytes:
    """An event in structured mode whose data are these bytes."""
    return json.dumps(HEAD)[:-1].encode() + b', "data": ' + data + b"}"


def data(**changes: object) -> Json:
    return {"incident": "flood", "place": "TH-83", "dead": 3, **changes}


def stated(**changes: object) -> bytes:
    return json.dumps(event(**{"id": "bad", **changes})).encode()


DEEP = b"[" * 100_000 + b"]" * 100_000

UNREADABLE_DATA: dict[str, tuple[bytes, str]] = {
    "malformed": (b'{"incident": "flood"', "event-malformed"),
    "bare word": (b"nope", "event-malformed"),
    "invalid UTF-8": (b'{"incident": "\xff\xfe"}', "not-unicode"),
    "UTF-8 of a surrogate": (b'{"incident": "\xed\xa0\x80"}', "not-unicode"),
    "lone surrogate": (b'{"incident": "\\ud800"}', "not-unicode"),
    "null byte": (b'{"incident": "a\x00b"}', "event-malformed"),
    "escaped null": (b'{"note": "a\\u0000b"}', "null-character"),
    "escaped null in a key": (b'{"a\\u0000": 1}', "null-character"),
    "NaN": (b'{"dead": NaN}', "event-malformed"),
    "Infinity": (b'{"dead": -Infinity}', "event-malformed"),
    "1e400": (b'{"beside": [{"x": 1e400}]}', "number-out-of-range"),
    "10^400": (b'{"beside": 1' + b"0" * 400 + b"}", "number-out-of-range"),
    "10^5000": (b'{"beside": 1' + b"0" * 5_000 + b"}", "number-out-of-range"),
    "duplicate key": (b'{"dead": 1, "dead": 2}', "duplicate-key"),
    "duplicate key, escaped": (b'{"dead": 1, "d\\u0065ad": 2}', "duplicate-key"),
    "100,000 deep": (b'{"beside": ' + DEEP + b"}", "too-deep"),
}

WRONG_EVENTS: dict[str, tuple[bytes, str]] = {
    "wrong type": (stated(data=data(dead="3")), "data-invalid"),
    "a count that is a float": (stated(data=data(dead=3.0)), "data-invalid"),
    "below zero": (stated(data=data(dead=-1)), "data-invalid"),
    "data is a list": (stated(data=[1]), "data-invalid"),
    "data is text": (stated(data="text"), "data-invalid"),
    "says nothing": (stated(data={"incident": "flood", "place": "TH-83"}), "data-invalid"),
    "no data": (json.dumps(HEAD).encode(), "data-missing"),
    "unknown type": (stated(type="no.such.v1"), "unknown-type"),
    "a decision": (
        stated(type="network.opened.v1", data={"opened_at": NOW.isoformat()}),
        "not-for-centres",
    ),
    "no id": (stated(id=None), "attribute-missing"),
    "no source": (stated(source=None), "attribute-missing"),
    "no type": (stated(type=None), "attribute-missing"),
    "no time": (stated(time=None), "attribute-missing"),
    "no specversion": (stated(specversion=None), "attribute-missing"),
    "specversion 0.3": (stated(specversion="0.3"), "attribute-invalid"),
    "id is a number": (stated(id=7), "attribute-invalid"),
    "empty id": (stated(id=""), "attribute-invalid"),
    "id of 10 kB": (stated(id="x" * 10_000), "attribute-invalid"),
    "id with a control character": (stated(id="a\nb"), "attribute-invalid"),
    "time without offset": (stated(time="2024-09-01T12:00:00"), "attribute-invalid"),
    "time is a number": (stated(time=1_700_000_000), "attribute-invalid"),
    "time is no time": (stated(time="yesterday"), "attribute-invalid"),
    "time before any record": (stated(time="0001-01-01T00:00:00+14:00"), "attribute-invalid"),
    "time after the last": (stated(time="9999-12-31T23:59:59-14:00"), "time-in-future"),
    "time in the future": (
        stated(time=(NOW + timedelta(days=1)).isoformat()),
        "time-in-future",
    ),
    "recorded in the future": (
        stated(recordedtime=(NOW + timedelta(days=1)).isoformat()),
        "time-in-future",
    ),
    "year 2547": (stated(time="2547-12-26T07:58:53+07:00"), "buddhist-era"),
    "unknown realm": (stated(realm="drill"), "attribute-invalid"),
    "sequence with letters": (stated(sequence="12a"), "attribute-invalid"),
    "sequence in Thai digits": (stated(sequence="๑๒"), "attribute-invalid"),
    "sequence above 64 bits": (stated(sequence="9" * 20), "attribute-invalid"),
    "attribute of the network": (stated(acceptedtime=NOW.isoformat()), "network-attribute"),
    "position": (stated(position=7), "network-attribute"),
    "extension with a capital": (stated(TraceParent="x"), "attribute-invalid"),
    "extension that is an object": (stated(trace={"a": 1}), "attribute-invalid"),
    "extension named extensions": (stated(extensions={"a": "b"}), "attribute-invalid"),
    "extension of 10 kB": (stated(trace="x" * 10_000), "attribute-invalid"),
    "too many extensions": (
        stated(**{f"ext{number}": "x" for number in range(50)}),
        "attribute-invalid",
    ),
    "data in XML": (stated(datacontenttype="application/xml"), "attribute-invalid"),
    "data_base64 that is none": (stated(data=None, data_base64="%%%"), "attribute-invalid"),
    "data twice": (stated(data_base64="e30="), "attribute-invalid"),
    "another centre's source": (stated(source="/centres/poc/TH-82"), "not-own-source"),
    "another province": (stated(data=data(place="TH-82")), "place-not-entitled"),
    "the nation": (stated(data=data(place="TH")), "place-not-entitled"),
    "an unknown province": (stated(data=data(place="TH-99")), "province-unknown"),
    "a correction without original": (
        stated(type="event.withdrawn.v1", data={"reason": "x"}),
        "original-not-named",
    ),
    "an unknown field where people could hide": (
        stated(
            type="complaints.counted.v2",
            data={
                "place": "TH-83",
                "period_from": "2024-07-01",
                "period_to": "2024-08-01",
                "counts": [{"category": "road", "count": 3}],
                "name": "somebody",
            },
        ),
        "data-invalid",
    ),
    "over 256 KiB": (stated(data=data(beside="x" * 300_000)), "event-too-large"),
    "not an object": (b"[1, 2]", "event-malformed"),
    "nothing": (b"", "event-malformed"),
    "two documents": (stated() + stated(), "event-malformed"),
}

BAD_EVENTS = WRONG_EVENTS | {
    name: (with_data(raw), reason) for name, (raw, reason) in UNREADABLE_DATA.items()
}
# A line break inside an event ends its line in NDJSON; an array with such an element is none.
LINES = {name: case for name, case in BAD_EVENTS.items() if b"\n" not in case[0] and case[0]}


def reason_of(problem: Json) -> str:
    return str(problem["type"]).removeprefix("urn:kamkap:problem:")


def assert_clear(problem: Json, reason: str) -> None:
    assert reason_of(problem) == reason
    assert problem["title"]
    assert problem["title_en"]
    assert problem["detail"]
    assert problem["detail_en"]


@pytest.mark.parametrize(("body", "reason"), BAD_EVENTS.values(), ids=BAD_EVENTS)
async def test_a_bad_event_is_refused_with_its_reason(
    shared_doorway: Doorway, body: bytes, reason: str
) -> None:
    doorway = shared_doorway
    before = doorway.counted("kamkap_events_refused_total", reason=reason)
    stored = await doorway.stored()
    answer = await doorway.post(body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert_clear(answer.json(), reason)
    assert answer.json()["status"] == answer.status_code
    assert doorway.counted("kamkap_events_refused_total", reason=reason) == before + 1
    assert await doorway.stored() == stored


@pytest.mark.parametrize(("body", "reason"), LINES.values(), ids=LINES)
async def test_a_bad_event_among_lines_refuses_itself_alone(
    shared_doorway: Doorway, body: bytes, reason: str
) -> None:
    doorway = shared_doorway
    stored = await doorway.stored()
    good = json.dumps(event()).encode()
    answer = await doorway.post(good + b"\n" + body + b"\n" + good, NDJSON)
    assert answer.status_code == 202
    outcome = answer.json()
    assert (outcome["accepted"], outcome["duplicates"]) == (1, 1)
    [refused] = outcome["rejected"]
    assert refused["index"] == 1
    assert_clear(refused["problem"], reason)
    assert len(await doorway.stored()) == len(stored) + 1


@pytest.mark.parametrize(
    "name", ["wrong type", "unknown type", "1e400", "duplicate key", "escaped null"]
)
async def test_a_bad_event_in_a_batch_refuses_itself_alone(
    shared_doorway: Doorway, name: str
) -> None:
    doorway = shared_doorway
    body, reason = BAD_EVENTS[name]
    good = json.dumps(event()).encode()
    answer = await doorway.post(b"[" + good + b"," + body + b"]", BATCH)
    outcome = answer.json()
    assert (answer.status_code, outcome["accepted"]) == (202, 1)
    assert_clear(outcome["rejected"][0]["problem"], reason)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'[{"data": NaN}]', "event-malformed"),
        (b"[{}", "event-malformed"),
        (b'[{"id": "\\ud800"}]', "not-unicode"),
        (b'{"id": 1}', "body-malformed"),
        (b"[" + DEEP + b"]", "too-deep"),
        (b"[" + b"1," * 2_000_000 + b"1]", "too-many-events"),
        (b"[" + b"{}," * 10_000 + b"{}]", "too-many-events"),
    ],
)
async def test_a_batch_that_cannot_be_taken_apart_is_refused_whole(
    shared_doorway: Doorway, body: bytes, reason: str
) -> None:
    answer = await shared_doorway.post(body, BATCH)
    assert answer.status_code in (400, 413)
    assert_clear(answer.json(), reason)


@pytest.mark.parametrize("lines", [10_001, 50_000])
async def test_more_than_ten_thousand_lines_are_refused(
    shared_doorway: Doorway, lines: int
) -> None:
    answer = await shared_doorway.post(b"{}\n" * lines, NDJSON)
    assert (answer.status_code, reason_of(answer.json())) == (413, "too-many-events")


BINARY: dict[str, str] = {
    "ce-specversion": "1.0",
    "ce-id": "bad",
    "ce-source": PHUKET,
    "ce-type": "situation.reported.v1",
    "ce-time": NOW.isoformat(),
}

BAD_HEADERS: dict[str, tuple[dict[str, str], str]] = {
    "no time": ({"ce-time": ""}, "attribute-invalid"),
    "time without offset": ({"ce-time": "2024-09-01T12:00:00"}, "attribute-invalid"),
    "invalid UTF-8": ({"ce-subject": "%ff"}, "not-unicode"),
    "a control character": ({"ce-subject": "a%0Ab"}, "attribute-invalid"),
    "null": ({"ce-subject": "a%00b"}, "attribute-invalid"),
    "content type as attribute": ({"ce-datacontenttype": JSON}, "attribute-invalid"),
    "attribute of the network": ({"ce-position": "7"}, "network-attribute"),
    "id of 10 kB": ({"ce-id": "x" * 10_000}, "attribute-invalid"),
    "an extension with a sign": ({"ce-trace-parent": "x"}, "attribute-invalid"),
    "year 2547": ({"ce-time": "2547-12-26T07:58:53%2B07:00"}, "buddhist-era"),
}


@pytest.mark.parametrize(("changed", "reason"), BAD_HEADERS.values(), ids=BAD_HEADERS)
async def test_a_bad_attribute_in_binary_mode_is_refused(
    shared_doorway: Doorway, changed: dict[str, str], reason: str
) -> None:
    doorway = shared_doorway
    stored = await doorway.stored()
    answer = await doorway.post(DATA, JSON, headers=BINARY | changed)
    assert 400 <= answer.status_code < 500
    assert_clear(answer.json(), reason)
    assert await doorway.stored() == stored


@pytest.mark.parametrize(("raw", "reason"), UNREADABLE_DATA.values(), ids=UNREADABLE_DATA)
async def test_bad_data_in_binary_mode_are_refused(
    shared_doorway: Doorway, raw: bytes, reason: str
) -> None:
    doorway = shared_doorway
    stored = await doorway.stored()
    answer = await doorway.post(raw, JSON, headers=BINARY)
    assert_clear(answer.json(), reason)
    assert await doorway.stored() == stored


async def test_a_binary_event_without_data_is_refused(doorway: Doorway) -> None:
    answer = await doorway.post(b"", JSON, headers=BINARY)
    assert reason_of(answer.json()) == "data-missing"


async def test_headers_are_percent_decoded(doorway: Doorway) -> None:
    headers = BINARY | {"ce-subject": '"incidents/%E0%B8%99%E0%B9%89%E0%B8%B3"'}
    assert (await doorway.post(DATA, JSON, headers=headers)).status_code == 202
    [record] = await doorway.stored()
    assert dict(record.headers)["ce_subject"].decode() == "incidents/น้ำ"
    assert record.value == DATA


async def test_data_in_base64_are_stored_as_the_bytes_they_stand_for(doorway: Doorway) -> None:
    encoded = base64.b64encode(DATA).decode()
    answer = await doorway.post(stated(data=None, data_base64=encoded))
    assert answer.status_code == 202
    assert [record.value for record in await doorway.stored()] == [DATA]


async def test_unknown_fields_are_kept(doorway: Doorway) -> None:
    raw = b'{"incident": "flood", "place": "TH-83", "dead": 3, "neu": [1, {"a": null}]}'
    assert (await doorway.post(with_data(raw))).status_code == 202
    assert [record.value for record in await doorway.stored()] == [raw]


async def test_bueng_kan_is_there_from_its_first_day(doorway: Doorway) -> None:
    def report(time: str) -> Json:
        return event(source="/centres/pmoc", subject=None, time=time, data=data(place="TH-38"))

    before = await doorway.post_event(report("2011-03-22T23:59:59+07:00"), speaker="pmoc")
    assert reason_of(before.json()) == "province-unknown"
    assert "TH-38" in before.json()["detail_en"]
    after = await doorway.post_event(report("2011-03-23T00:00:00+07:00"), speaker="pmoc")
    assert after.status_code == 202


async def test_the_servers_time_stands_in_the_problem(doorway: Doorway) -> None:
    ahead = await doorway.post(stated(time=(NOW + timedelta(hours=1)).isoformat()))
    assert ahead.json()["server_time"][:16] >= NOW.isoformat()[:16]
    era = await doorway.post(stated(time="2547-12-26T07:58:53+07:00"))
    assert era.json()["year_ce"] == 2004


async def test_nine_minutes_ahead_is_a_clock_and_no_mistake(doorway: Doorway) -> None:
    ahead = await doorway.post(stated(time=(NOW + timedelta(minutes=9)).isoformat()))
    assert ahead.status_code == 202


# Bodies


BOMB = b"0" * (20 * 1024 * 1024)


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
async def test_compressed_bodies_are_taken_and_bombs_are_not(
    doorway: Doorway, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    good = json.dumps(event()).encode()
    headers = {"Content-Encoding": coding}
    assert (await doorway.post(compress(good), headers=headers)).status_code == 202
    answer = await doorway.post(compress(BOMB), headers=headers)
    assert (answer.status_code, reason_of(answer.json())) == (413, "body-too-large")
    for broken in (compress(good)[:-5], b"nothing of the kind", b""):
        answer = await doorway.post(broken, headers=headers)
        assert answer.status_code == 400
    twice = compress(good[:10]) + compress(good[10:])
    assert (await doorway.post(twice, headers=headers)).json()["duplicate"] is True
    assert doorway.ingest.endpoint.in_flight.held == 0


async def test_a_frame_that_wants_a_huge_window_is_refused(doorway: Doorway) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = compressor.compress(BOMB) + compressor.flush()
    answer = await doorway.post(frame, headers={"Content-Encoding": "zstd"})
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/plain", {}),
        ("application/json", {}),
        ("application/cloudevents+xml", {}),
        ("application/xml", BINARY),
        (f"{STRUCTURED}; charset=tis-620", {}),
        (STRUCTURED, {"Content-Encoding": "br"}),
        (STRUCTURED, {"Content-Encoding": "gzip, gzip"}),
        ("", {}),
    ],
)
async def test_other_forms_are_not_taken(
    shared_doorway: Doorway, content_type: str, headers: dict[str, str]
) -> None:
    answer = await shared_doorway.post(stated(), content_type, headers=headers)
    assert (answer.status_code, reason_of(answer.json())) == (415, "unsupported-media-type")
    assert {"accept-post", "accept-encoding"} & set(answer.headers) or "charset" in content_type


async def test_utf_8_may_be_said(doorway: Doorway) -> None:
    answer = await doorway.post(stated(), f'{STRUCTURED}; charset="UTF-8"')
    assert answer.status_code == 202


async def test_a_body_over_the_limit_is_refused_whether_stated_or_not(doorway: Doorway) -> None:
    big = b" " * (17 * 1024 * 1024)
    assert (await doorway.post(big)).status_code == 413
    headers = {"Authorization": f"Bearer {doorway.token('poc:TH-83')}", "Content-Type": STRUCTURED}

    async def chunks() -> object:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    answer = await doorway.client.post("/v1/events", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert doorway.ingest.endpoint.in_flight.held == 0


# Whoever sends what, an answer that is no failure.


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=400)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=10), inner),
    ).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    | st.dictionaries(
        st.sampled_from([*event(), "data_base64", "extensions", "realm", "sequence"]),
        st.none() | st.text(max_size=10) | st.integers() | st.dictionaries(st.text(), st.text()),
    ).map(lambda changes: json.dumps({**event(), **changes}).encode()),
    content_type=st.sampled_from([STRUCTURED, BATCH, NDJSON, JSON]),
    coding=st.sampled_from(["identity", "gzip", "zstd"]),
    compressed=st.booleans(),
)
async def test_arbitrary_bytes_are_never_a_failure(
    shared_doorway: Doorway, body: bytes, content_type: str, coding: str, compressed: bool
) -> None:
    if compressed and coding == "gzip":
        body = gzip.compress(body)
    if compressed and coding == "zstd":
        body = zstandard.compress(body)
    headers = {"Content-Encoding": coding} | (BINARY if content_type == JSON else {})
    answer = await shared_doorway.post(body, content_type, headers=headers)
    assert answer.status_code in (202, 400, 403, 409, 413, 415, 422)
