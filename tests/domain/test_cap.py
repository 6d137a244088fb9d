"""CAP 1.2: what the network writes and what it takes, against the official schema."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.alert import AlertIssued
from schemas.ids import Realm
from services.domain.cap import (
    Fault,
    NotTaken,
    Reference,
    corrected_name,
    reference_of,
    sender_of,
    time_text,
)
from services.domain.cap_reading import came_as, read
from services.domain.cap_writing import Circumstances, PlaceName, write
from tests.domain.cap_messages import MESSAGE, changed, info, message
from tests.schemas.strategies import MOMENTS, data_of

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[1] / "data" / "cap" / "CAP-v1.2.xsd")
SENT = datetime(2026, 10, 14, 6, 40, tzinfo=UTC)
REALMS: tuple[Realm, ...] = ("actual", "exercise", "test")
ALERTS = data_of(AlertIssued.type).map(AlertIssued.model_validate)


def alert(**changes: object) -> AlertIssued:
    stated: dict[str, object] = {
        "alert": "a-1",
        "event_th": "น้ำท่วม",
        "headline_th": "ระวังน้ำท่วม",
        "urgency": "immediate",
        "severity": "severe",
        "certainty": "observed",
        "expires": "2026-10-14T18:00:00+07:00",
        "provinces": ["TH-83"],
        **changes,
    }
    return AlertIssued.model_validate(stated)


def around(**changes: object) -> Circumstances:
    stated: dict[str, object] = {
        "own": Reference(sender_of("poc:TH-83"), "a-1", SENT),
        "realm": "actual",
        "sender_name": "ศูนย์ปฏิบัติการจังหวัดภูเก็ต",
        "chain": [],
        "places": {"TH-83": PlaceName("ภูเก็ต", "Phuket")},
        **changes,
    }
    return Circumstances(**stated)  # type: ignore[arg-type]


def taken_from(content: bytes) -> AlertIssued:
    """What a system that is not the network reads in a message of the network."""
    outside = content.replace(b"urn:kamkap:centre:", b"sender-")
    return AlertIssued.model_validate(read(outside).data)


@given(ALERTS, st.sampled_from(REALMS), MOMENTS)
def test_every_alert_is_written_as_the_schema_says(
    stated: AlertIssued, realm: Realm, sent: datetime
) -> None:
    own = Reference(sender_of("poc:TH-83"), stated.alert, sent)
    earlier = [Reference("who", one, sent) for one in stated.references]
    written = write(stated, around(own=own, realm=realm, chain=earlier))
    SCHEMA.validate(written.decode())


@given(ALERTS)
def test_what_is_written_is_read_back(stated: AlertIssued) -> None:
    named = stated.model_copy(
        update={
            "cap": None,
            "message": "alert",
            "references": [],
            "provinces": ["TH-82", "TH-83"],
            "expires": SENT + timedelta(hours=1),
            "categories": sorted(set(stated.categories)) or ["other"],
        }
    )
    again = taken_from(write(named, around()))
    for name in ("event_th", "headline_th", "headline_en", "description", "instruction_en"):
        before, after = getattr(named, name), getattr(again, name)
        # White space and what XML cannot hold may differ, and English needs its event's name.
        if before is not None and (not name.endswith("_en") or named.event_en or named.headline_en):
            assert legible(after) in (legible(before), legible(named.event_th))
    same = ("urgency", "severity", "certainty", "provinces", "expires", "categories")
    assert {n: getattr(again, n) for n in same} == {n: getattr(named, n) for n in same}


def legible(text: str | None) -> str:
    return "" if text is None else re.sub(r"[\s\x00-\x1f\x85\ufffd-\uffff]+", "", text)


@pytest.mark.parametrize(
    ("realm", "status"), [("actual", "Actual"), ("exercise", "Exercise"), ("test", "Test")]
)
def test_the_status_is_the_realms_own(realm: Realm, status: str) -> None:
    written = write(alert(), around(realm=realm))
    assert f"<status>{status}</status>".encode() in written


def test_a_message_is_in_thai_with_thai_places_and_their_codes() -> None:
    written = write(alert(), around()).decode()
    assert "<language>th-TH</language>" in written
    assert "<areaDesc>ภูเก็ต</areaDesc>" in written
    assert "<valueName>ISO 3166-2</valueName><value>TH-83</value>" in written
    assert "en-US" not in written


def test_what_is_stated_in_english_stands_in_a_block_of_its_own() -> None:
    written = write(alert(event_en="Flood", headline_en="Beware"), around()).decode()
    assert "<language>en-US</language>" in written
    assert "<event>Flood</event>" in written
    assert "<areaDesc>Phuket</areaDesc>" in written


def test_an_update_names_the_whole_chain() -> None:
    chain = [Reference("s", "one", SENT), Reference("s", "two", SENT + timedelta(hours=1))]
    update = alert(message="update", references=["two"])
    written = write(update, around(chain=chain)).decode()
    assert (
        "<references>s,one,2026-10-14T13:40:00+07:00 s,two,2026-10-14T14:40:00+07:00</references>"
    ) in written


@given(ALERTS, MOMENTS)
def test_what_corrects_is_written_as_the_schema_says(stated: AlertIssued, sent: datetime) -> None:
    who, name = sender_of("poc:TH-83"), corrected_name(stated.alert, "/centres/poc/TH-83", "c 1,<&")
    before = Reference(who, stated.alert, sent)
    written = write(stated, around(own=Reference(who, name, sent), corrects=[before])).decode()
    SCHEMA.validate(written)
    assert f"<references>{before}</references>" in written
    kind = "Cancel" if stated.message == "cancel" else "Update"
    assert f"<msgType>{kind}</msgType>" in written
    assert str(reference_of(f"{who},{name},{time_text(sent)}")) == f"{who},{name},{time_text(sent)}"


def test_every_correction_has_a_name_of_its_own() -> None:
    made = [("a", "/x", "1"), ("a", "/x", "2"), ("a", "/y", "1"), ("b", "/x", "1")]
    assert len({corrected_name(*one) for one in made}) == len(made)


def test_no_time_has_fractions_or_a_letter_for_its_zone() -> None:
    assert time_text(SENT.replace(microsecond=999_999)) == "2026-10-14T13:40:00+07:00"


def test_a_message_is_taken() -> None:
    received = read(MESSAGE)
    said = AlertIssued.model_validate(received.data)
    assert (said.message, said.event_th, said.provinces) == ("alert", "ฝนตกหนัก", ["TH-83"])
    assert (said.severity, said.event_en, said.categories) == ("severe", "Heavy rain", ["met"])
    assert (received.realm, received.incident) == ("actual", "flood-1")
    assert said.cap is not None
    assert said.cap.xml.encode() == MESSAGE


@pytest.mark.parametrize(
    ("status", "realm"), [("Actual", "actual"), ("Exercise", "exercise"), ("Test", "test")]
)
def test_the_realm_is_the_statuses_own(status: str, realm: str) -> None:
    assert read(changed("<status>Actual", f"<status>{status}")).realm == realm


def test_utc_is_written_with_minus_zero_and_is_utc() -> None:
    received = read(changed("2024-10-14T06:40:00+07:00", "2024-10-13T23:40:00-00:00"))
    assert received.reference == read(MESSAGE).reference
    assert received.reference.id == read(MESSAGE).reference.id


def test_an_update_refers_to_what_the_first_message_is_called_here() -> None:
    first = read(MESSAGE)
    update = read(message(kind="Update", identifier="m-2", references=str(first.reference)))
    assert update.data["references"] == [first.data["alert"]]
    assert update.data["alert"] != first.data["alert"]


def test_references_are_told_apart_by_white_space_of_any_kind() -> None:
    first, second = (
        str(read(MESSAGE).reference),
        "warning@tmd.example.th,m-0,2024-10-14T05:00:00+07:00",
    )
    update = read(message(kind="Cancel", identifier="m-3", references=f"{first}\n\t {second}"))
    assert len(update.data["references"]) == 2  # type: ignore[arg-type]


def test_a_third_language_stays_in_the_message() -> None:
    received = read(message(infos=info() + info("ms-MY", event="Hujan lebat")))
    assert received.data["event_th"] == "ฝนตกหนัก"


def test_what_came_in_as_cap_is_known_by_its_own_name() -> None:
    said = AlertIssued.model_validate(read(MESSAGE).data)
    sent = read(MESSAGE).reference.sent
    assert came_as(said, realm="actual", sent=sent) == read(MESSAGE).reference


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "minor"},
        {"provinces": ["TH-82"]},
        {"cap": {"sender": "x", "identifier": "y", "sent": SENT, "xml": "no XML"}},
        {"cap": None},
    ],
)
def test_a_text_that_says_otherwise_than_its_alert_does_not_count(changes: dict[str, Any]) -> None:
    said = AlertIssued.model_validate({**read(MESSAGE).data, **changes})
    assert came_as(said, realm="actual", sent=read(MESSAGE).reference.sent) is None


def test_a_text_of_another_realm_or_time_does_not_count() -> None:
    said, sent = AlertIssued.model_validate(read(MESSAGE).data), read(MESSAGE).reference.sent
    assert came_as(said, realm="exercise", sent=sent) is None
    assert came_as(said, realm="actual", sent=sent + timedelta(seconds=1)) is None


def test_a_reference_is_three_names() -> None:
    with pytest.raises(NotTaken) as refused:
        reference_of("one,two")
    assert refused.value.fault is Fault.REFERENCES


ELEMENTS = sorted(set(re.findall(r"<(\w+)>", MESSAGE.decode())))


@given(st.data())
@settings(max_examples=300)
def test_nothing_is_taken_that_the_schema_refuses(data: st.DataObject) -> None:
    lines = MESSAGE.decode().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(lines) - 1))
        other = data.draw(st.integers(1, len(lines) - 1))
        match data.draw(st.sampled_from(("drop", "double", "swap", "rename", "empty", "text"))):
            case "drop":
                lines[at] = ""
            case "double":
                lines[at] += lines[at]
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "rename":
                names = st.sampled_from(ELEMENTS)
                lines[at] = lines[at].replace(data.draw(names), data.draw(names))
            case "empty":
                lines[at] = re.sub(r">[^<]+<", "><", lines[at])
            case "text":
                text = data.draw(st.text("0:+-TZ,.aé< \t", max_size=25))
                lines[at] = re.sub(r">[^<]+<", lambda _, new=text: f">{new}<", lines[at])  # type: ignore[misc]
    mutated = "\n".join(lines)
    try:
        read(mutated.encode())
    except NotTaken:
        return
    SCHEMA.validate(mutated)


@given(st.data())
def test_any_bytes_are_taken_or_refused_by_a_rule(data: st.DataObject) -> None:
    content = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
    # Anything else it raises fails the test.
    with suppress(NotTaken):
        assert read(bytes(content)).reference.sender
