"""Others' CAP messages at the door: what is taken, and how each hostile one is refused."""

import gzip
from datetime import datetime

import pytest

from schemas.envelope import from_headers
from schemas.events import decode
from schemas.events.alert import AlertIssued
from services.domain.cap import Fault
from services.domain.cap_reading import read
from services.ingest.cap import SENTENCES
from tests.domain.cap_messages import MESSAGE, changed, info, message
from tests.ingest.doorway import Doorway

CAP = "application/cap+xml"
PMOC = "/centres/pmoc"
ENTITY = '<!DOCTYPE alert [<!ENTITY a "ha">{}]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
REFERENCE = str(read(MESSAGE).reference)

HOSTILE: dict[str, tuple[bytes, str]] = {
    "billion laughs": ((ENTITY.format(LAUGHS) + "&a9;</alert>").encode(), "cap-doctype"),
    "external entity": (
        b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/hostname">]><alert>&x;</alert>',
        "cap-doctype",
    ),
    "external document type": (
        b'<!DOCTYPE alert SYSTEM "http://127.0.0.1/alert.dtd"><alert/>',
        "cap-doctype",
    ),
    "parameter entity": (
        b'<!DOCTYPE alert [<!ENTITY % p SYSTEM "http://127.0.0.1/"> %p;]><alert/>',
        "cap-doctype",
    ),
    "entity nobody declared": (changed("ฝนตกหนัก</event>", "&rain;</event>"), "cap-not-xml"),
    "UTF-16": (MESSAGE.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "cap-encoding"),
    "UTF-16 without a mark": (b"<alert/>".decode().encode("utf-16-le"), "cap-encoding"),
    "another encoding declared": (changed("UTF-8", "ISO-8859-11"), "cap-encoding"),
    "TIS-620": (MESSAGE.decode().encode("tis-620"), "cap-encoding"),
    "null": (changed("m-1", "m\x00-1"), "cap-encoding"),
    "null by its number": (changed("m-1", "m&#0;-1"), "cap-not-xml"),
    "control character": (changed("m-1", "m\x08-1"), "cap-not-xml"),
    "huge": (changed("<onset>", f"<!--{'x' * 140_000}--><onset>"), "cap-too-large"),
    "deep": (b"<a>" * 15_000 + b"</a>" * 15_000, "cap-too-deep"),
    "cut off": (MESSAGE[:-20], "cap-not-xml"),
    "two roots": (MESSAGE + b"<alert/>", "cap-not-xml"),
    "empty": (b"", "cap-not-xml"),
    "JSON": (b'{"alert": 1}', "cap-not-xml"),
    "CAP 1.1": (changed("cap:1.2", "cap:1.1"), "cap-namespace"),
    "no namespace": (changed(' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', ""), "cap-namespace"),
    "another root": (b'<info xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', "cap-namespace"),
    "element of another namespace": (
        changed("  <incidents>", '  <x xmlns="urn:x"/><incidents>'),
        "cap-structure",
    ),
    "twice": (changed("  <scope>", "  <scope>Public</scope><scope>"), "cap-structure"),
    "out of order": (
        changed("<identifier>m-1</identifier>\n", "").replace(
            b"<scope>", b"<identifier>m-1</identifier><scope>"
        ),
        "cap-structure",
    ),
    "element in a text": (changed(">m-1<", "><b>m-1</b><"), "cap-structure"),
    "text between elements": (changed("  <scope>", "text<scope>"), "cap-structure"),
    "attribute": (changed("<scope>", '<scope id="1">'), "cap-structure"),
    "value of none": (changed("Severe", "Terrible"), "cap-value"),
    "value in lower case": (changed("Severe", "severe"), "cap-value"),
    "identifier with a comma": (changed("m-1", "m,1"), "cap-name"),
    "sender with a space": (changed("warning@", "warning @"), "cap-name"),
    "sender empty": (changed("warning@tmd.example.th", ""), "cap-name"),
    "sent in UTC by Z": (changed("06:40:00+07:00", "06:40:00Z"), "cap-time"),
    "sent without an offset": (changed("06:40:00+07:00", "06:40:00"), "cap-time"),
    "sent with fractions": (changed("06:40:00+07:00", "06:40:00.5+07:00"), "cap-time"),
    "sent with a comma for its sign": (changed("06:40:00+07:00", "06:40:00,07:00"), "cap-time"),
    "sent at no time": (changed("06:40:00+07:00", "26:40:00+07:00"), "cap-time"),
    "sent far from everywhere": (changed("06:40:00+07:00", "06:40:00+23:00"), "cap-time"),
    "a draft": (changed("Actual", "Draft"), "cap-status"),
    "for systems": (changed("Actual", "System"), "cap-status"),
    "an acknowledgement": (changed(">Alert<", ">Ack<"), "cap-message"),
    "private": (changed("Public", "Private"), "cap-scope"),
    "the network's own": (
        changed("warning@tmd.example.th", "urn:kamkap:centre:poc:TH-83"),
        "cap-sender",
    ),
    "update of nothing": (message(kind="Update"), "cap-references"),
    "alert with references": (message(references=REFERENCE), "cap-references"),
    "half a reference": (message(kind="Update", references="m-0"), "cap-references"),
    "update of another's": (
        message(kind="Cancel", references="x@y,m-0,2024-10-14T06:00:00+07:00"),
        "cap-references-others",
    ),
    "nothing said": (message(infos=""), "cap-language"),
    "English alone": (message(infos=info("en-US")), "cap-language"),
    "no language, so English": (changed("<language>th-TH</language>", ""), "cap-language"),
    "Thai twice": (message(infos=info() + info("th")), "cap-language"),
    "languages that differ": (
        message(infos=info() + info("en-US", severity="Minor")),
        "cap-different",
    ),
    "expires not": (changed("<expires>2024-10-14T18:00:00+07:00</expires>", ""), "cap-expires"),
    "expires before": (
        changed("<expires>2024-10-14T18", "<expires>2024-10-14T05"),
        "cap-expires",
    ),
    "an area without a province": (changed("ISO 3166-2", "SAME"), "cap-area"),
    "a province of another country": (changed("TH-83", "LA-VT"), "cap-area"),
    "a headline too long": (changed(" 83</headline>", "x" * 400 + "</headline>"), "data-invalid"),
    "a year of the Buddhist Era": (
        changed("2024-10-14", "2567-10-14"),
        "buddhist-era",
    ),
}  # fmt: skip


async def post(
    doorway: Doorway, body: bytes, *, speaker: str = "pmoc", **headers: str
) -> tuple[int, dict[str, object]]:
    stated = {"Authorization": f"Bearer {doorway.token(speaker)}", "Content-Type": CAP, **headers}
    answer = await doorway.client.post("/v1/alerts/cap", content=body, headers=stated)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("body", "slug"), HOSTILE.values(), ids=HOSTILE)
async def test_a_message_that_is_not_taken_is_told_why_and_leaves_no_trace(
    shared_doorway: Doorway, body: bytes, slug: str
) -> None:
    before = len(await shared_doorway.stored(PMOC))
    status, problem = await post(shared_doorway, body)
    assert (problem["type"], status) == (f"urn:kamkap:problem:{slug}", problem["status"])
    assert status in (400, 413, 422)
    assert problem["detail"]
    assert problem["detail_en"]
    assert "tmd.example" not in str(problem)
    assert len(await shared_doorway.stored(PMOC)) == before


def test_every_rule_says_what_to_do_and_is_met_by_a_hostile_message() -> None:
    assert set(SENTENCES) == set(Fault)
    assert {slug for _, slug in HOSTILE.values()} >= {fault.value for fault in Fault}


async def test_a_message_becomes_an_alert_of_the_centre_that_hands_it_in(doorway: Doorway) -> None:
    status, taken = await post(doorway, MESSAGE)
    (record,) = await doorway.stored(PMOC)
    envelope = from_headers(record.headers)
    event = decode(envelope.type, record.value)
    assert isinstance(event, AlertIssued)
    assert (status, taken["id"], taken["duplicate"]) == (202, envelope.id, False)
    assert taken["position"]
    assert (envelope.source, envelope.realm, envelope.subject) == (
        PMOC,
        "actual",
        "incidents/flood-1",
    )
    assert envelope.time == datetime.fromisoformat("2024-10-14T06:40:00+07:00")
    assert event.cap is not None
    assert event.cap.xml.encode() == MESSAGE


async def test_the_same_message_again_is_a_duplicate(doorway: Doorway) -> None:
    _, first = await post(doorway, MESSAGE)
    status, again = await post(doorway, gzip.compress(MESSAGE), **{"Content-Encoding": "gzip"})
    assert (status, again["id"], again["duplicate"]) == (202, first["id"], True)
    assert len(await doorway.stored(PMOC)) == 1


async def test_another_message_under_the_same_name_is_a_conflict(doorway: Doorway) -> None:
    await post(doorway, MESSAGE)
    status, problem = await post(doorway, changed("Severe", "Extreme"))
    assert (status, problem["type"]) == (409, "urn:kamkap:problem:conflict")


async def test_an_exercise_stays_in_its_realm(doorway: Doorway) -> None:
    await post(doorway, changed("Actual", "Exercise"))
    (record,) = await doorway.stored(PMOC)
    assert from_headers(record.headers).realm == "exercise"


async def test_a_centre_alerts_its_own_province_alone(doorway: Doorway) -> None:
    status, problem = await post(doorway, MESSAGE, speaker="poc:TH-82")
    assert (status, problem["type"]) == (403, "urn:kamkap:problem:place-not-entitled")


async def test_who_is_no_centre_hands_nothing_in(doorway: Doorway) -> None:
    status, problem = await post(doorway, MESSAGE, speaker="analyst")
    assert (status, problem["type"]) == (403, "urn:kamkap:problem:not-a-centre")


async def test_another_media_type_is_refused_with_those_that_are_taken(doorway: Doorway) -> None:
    answer = await doorway.client.post(
        "/v1/alerts/cap",
        content=MESSAGE,
        headers={"Authorization": f"Bearer {doorway.token('pmoc')}", "Content-Type": "text/html"},
    )
    assert answer.status_code == 415
    assert answer.headers["accept-post"].startswith(CAP)


async def test_a_mark_at_the_beginning_is_kept(doorway: Doorway) -> None:
    marked = b"\xef\xbb\xbf" + MESSAGE
    assert (await post(doorway, marked))[0] == 202
    (record,) = await doorway.stored(PMOC)
    event = decode("alert.issued.v1", record.value)
    assert isinstance(event, AlertIssued)
    assert event.cap is not None
    assert event.cap.xml.encode() == marked


async def test_the_openapi_has_an_example_that_can_be_posted(doorway: Doorway) -> None:
    described = (await doorway.client.get("/openapi.json")).json()
    route = described["paths"]["/v1/alerts/cap"]["post"]
    example: str = route["requestBody"]["content"][CAP]["example"]
    assert (await post(doorway, example.encode()))[0] == 202
