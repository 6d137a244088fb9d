"""`GET /v1/alerts/{id}.cap`: valid CAP 1.2, by realm, with the chain that the reader sees."""

import json
from datetime import timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import httpx
import msgspec
import pytest
import xmlschema

from schemas.envelope import Envelope
from services.domain.cap import NAMESPACE
from services.domain.cap_reading import read
from tests.api.country import DISASTERS, PHANG_NGA, PHUKET, Country, Json
from tests.api.happenings import alerted, opened
from tests.domain.cap_messages import MESSAGE, changed, message
from tests.projections.network import event

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[1] / "data" / "cap" / "CAP-v1.2.xsd")
POC = "/centres/poc/TH-83"


async def asked(
    country: Country, id_: str, identity: str = "pm", source: str = POC, **query: Json
) -> httpx.Response:
    return await country.get(f"/v1/alerts/{id_}.cap", identity, source=source, **query)


async def cap(country: Country, id_: str, identity: str = "pm", **query: Json) -> Element:
    """The message, which is valid."""
    answer = await asked(country, id_, identity, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/cap+xml"
    SCHEMA.validate(answer.text)
    return fromstring(answer.content)  # noqa: S314 -- our own answer


def said(alert: Element, path: str) -> str | None:
    steps = "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))
    return alert.findtext(steps)


def taken(content: bytes, source: str = DISASTERS) -> tuple[Envelope, bytes]:
    """The event that the door makes of a message."""
    received = read(content)
    envelope, data = event(
        "alert.issued.v1",
        received.data,
        source=source,
        id=received.reference.id,
        realm=received.realm,
    )
    return msgspec.structs.replace(envelope, time=received.reference.sent), data


async def test_an_alert_of_a_centre_is_a_message_of_its_own(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), alerted("one", PHUKET, id="one"))
    alert = await cap(country, "one")
    assert said(alert, "identifier") == "one"
    assert said(alert, "sender") == "urn:kamkap:centre:poc:TH-83"
    assert said(alert, "sent") == "2024-09-01T12:00:00+07:00"
    assert (said(alert, "status"), said(alert, "msgType")) == ("Actual", "Alert")
    assert said(alert, "references") is None
    assert said(alert, "info/senderName") == "ศูนย์ poc:TH-83"
    assert said(alert, "info/area/areaDesc") == "ภูเก็ต"
    assert said(alert, "info/area/geocode/value") == PHUKET


async def test_an_update_and_a_cancel_name_every_message_before_them(country: Country) -> None:
    await country.tell(
        alerted("one", PHUKET, id="one"),
        alerted("two", PHUKET, id="two", message="update", references=["one"], minutes=1),
        alerted("end", PHUKET, id="end", message="cancel", references=["two"], minutes=2),
    )
    sender = "urn:kamkap:centre:poc:TH-83"
    first = f"{sender},one,2024-09-01T12:00:00+07:00"
    assert said(await cap(country, "two"), "references") == first
    end = await cap(country, "end")
    assert said(end, "msgType") == "Cancel"
    assert said(end, "references") == f"{first} {sender},two,2024-09-01T12:01:00+07:00"


async def test_a_ring_of_references_ends(country: Country) -> None:
    await country.tell(
        alerted("one", PHUKET, id="one", message="update", references=["two"]),
        alerted("two", PHUKET, id="two", message="update", references=["one"], minutes=1),
    )
    references = said(await cap(country, "two"), "references")
    assert references == "urn:kamkap:centre:poc:TH-83,one,2024-09-01T12:00:00+07:00"


async def test_an_update_waits_for_what_it_refers_to(country: Country) -> None:
    await country.tell(
        alerted("two", PHUKET, id="two", message="update", references=["one"], minutes=1)
    )
    assert said(await cap(country, "two"), "references") is None
    await country.tell(alerted("one", PHUKET, id="one"))
    assert (said(await cap(country, "two"), "references") or "").count(",one,") == 1
    standing = await country.ask("/v1/alerts")
    assert [one["alert"] for one in standing["items"]] == ["two"]


@pytest.mark.parametrize(("realm", "status"), [("exercise", "Exercise"), ("test", "Test")])
async def test_what_is_no_fact_is_never_actual(country: Country, realm: str, status: str) -> None:
    await country.tell(alerted("drill", PHUKET, id="drill", realm=realm))
    assert said(await cap(country, "drill", realm=realm), "status") == status
    assert (await asked(country, "drill")).status_code == 404


async def test_a_message_from_outside_goes_out_as_it_came(country: Country) -> None:
    one = taken(MESSAGE)
    await country.tell(one)
    country.now = read(MESSAGE).reference.sent + timedelta(hours=1)
    answer = await asked(country, one[0].id, source=DISASTERS)
    assert answer.content == MESSAGE


async def test_a_cancel_from_outside_ends_what_it_names_whichever_comes_first(
    country: Country,
) -> None:
    country.now = read(MESSAGE).reference.sent + timedelta(hours=1)
    first = str(read(MESSAGE).reference)
    cancel = message(
        kind="Cancel", identifier="m-2", sent="2024-10-14T07:30:00+07:00", references=first
    )
    await country.tell(taken(cancel))
    await country.tell(taken(MESSAGE))
    assert (await country.ask("/v1/alerts"))["items"] == []
    before = await country.ask("/v1/alerts", as_of="2024-10-14T07:10:00+07:00")
    assert [one["event_th"] for one in before["items"]] == ["ฝนตกหนัก"]


async def test_a_cancel_of_an_exercise_ends_nothing_actual(country: Country) -> None:
    country.now = read(MESSAGE).reference.sent + timedelta(hours=1)
    cancel = message(
        kind="Cancel",
        identifier="m-2",
        sent="2024-10-14T07:30:00+07:00",
        references=str(read(MESSAGE).reference),
    ).replace(b"Actual", b"Exercise")
    await country.tell(taken(MESSAGE), taken(cancel))
    assert len((await country.ask("/v1/alerts"))["items"]) == 1


async def test_a_chain_names_what_came_from_outside_by_its_own_name(country: Country) -> None:
    country.now = read(MESSAGE).reference.sent + timedelta(hours=1)
    first = taken(MESSAGE)
    key = json.loads(first[1])["alert"]
    update = alerted("more", PHUKET, source=DISASTERS, message="update", references=[key], id="u")
    await country.tell(first, update)
    alert = await cap(country, "u", source=DISASTERS)
    assert said(alert, "references") == str(read(MESSAGE).reference)


async def test_a_text_beside_an_alert_that_says_otherwise_does_not_go_out(country: Country) -> None:
    envelope, data = taken(changed("Severe", "Extreme"))
    await country.tell((envelope, json.dumps({**json.loads(data), "severity": "minor"}).encode()))
    country.now = read(MESSAGE).reference.sent + timedelta(hours=1)
    alert = await cap(country, envelope.id, source=DISASTERS)
    assert said(alert, "sender") == "urn:kamkap:centre:doc:moi.ddpm"
    assert said(alert, "info/severity") == "Minor"


async def test_a_corrected_alert_goes_out_corrected(country: Country) -> None:
    original = alerted("one", PHUKET, id="one")
    corrected = {**json.loads(original[1]), "headline_th": "แก้ไขแล้ว"}
    data = {"corrected_type": "alert.issued.v1", "corrected_data": corrected, "reason": "x"}
    await country.tell(original, event("event.corrected.v1", data, originalid="one", minutes=1))
    assert said(await cap(country, "one"), "info/headline") == "แก้ไขแล้ว"


def correction(
    original: tuple[Envelope, bytes], id_: str, minutes: float, **stated: Json
) -> tuple[Envelope, bytes]:
    corrected = {**json.loads(original[1]), **stated}
    data = {"corrected_type": "alert.issued.v1", "corrected_data": corrected, "reason": "x"}
    return event(
        "event.corrected.v1",
        data,
        source=original[0].source,
        originalid=original[0].id,
        id=id_,
        minutes=minutes,
    )


def extended(alert: Element) -> str:
    """The message's extended identifier."""
    return ",".join(said(alert, name) or "" for name in ("sender", "identifier", "sent"))


async def test_a_corrected_alert_is_another_message_that_updates_the_one_before(
    country: Country,
) -> None:
    one = alerted("one", PHUKET, id="one")
    await country.tell(one)
    first = extended(await cap(country, "one"))
    await country.tell(correction(one, "c1", 1, headline_th="แก้ครั้งแรก"))
    second = await cap(country, "one")
    assert said(second, "msgType") == "Update"
    assert said(second, "references") == first
    assert said(second, "sent") == "2024-09-01T12:01:00+07:00"
    await country.tell(correction(one, "c2", 2, headline_th="แก้อีกครั้ง"))
    third = await cap(country, "one")
    assert said(third, "references") == f"{first} {extended(second)}"
    assert len({first, extended(second), extended(third)}) == 3
    assert extended(await cap(country, "one")) == extended(third)


async def test_an_update_names_what_it_updates_and_what_that_was_before(country: Country) -> None:
    one = alerted("one", PHUKET, id="one")
    await country.tell(one)
    first = extended(await cap(country, "one"))
    await country.tell(correction(one, "c1", 1, headline_th="แก้ไข"))
    second = extended(await cap(country, "one"))
    two = alerted("two", PHUKET, id="two", message="update", references=["one"], minutes=2)
    await country.tell(two)
    third = await cap(country, "two")
    assert said(third, "references") == f"{first} {second}"
    await country.tell(correction(two, "c2", 3, headline_th="แก้ไข"))
    fourth = await cap(country, "two")
    assert said(fourth, "msgType") == "Update"
    assert said(fourth, "references") == f"{first} {second} {extended(third)}"


async def test_a_corrected_cancel_still_cancels(country: Country) -> None:
    end = alerted("end", PHUKET, id="end", message="cancel", references=["one"], minutes=1)
    await country.tell(alerted("one", PHUKET, id="one"), end)
    before = extended(await cap(country, "end"))
    await country.tell(correction(end, "c", 2, headline_th="ยกเลิก"))
    alert = await cap(country, "end")
    assert said(alert, "msgType") == "Cancel"
    assert (said(alert, "references") or "").split()[-1] == before


async def test_what_it_was_before_is_known_as_it_was_known(country: Country) -> None:
    one = alerted("one", PHUKET, id="one")
    known = (await country.tick_after(one)).time.isoformat()
    before = await asked(country, "one", known_at=known, as_of=country.now.isoformat())
    await country.tick_after(correction(one, "c1", 1, headline_th="แก้ไข"))
    after = await asked(country, "one", known_at=known, as_of=country.now.isoformat())
    assert after.content == before.content


async def test_what_it_was_before_is_named_to_who_saw_that(country: Country) -> None:
    one = alerted("one", PHANG_NGA, id="one", source=DISASTERS)
    await country.tell(one, correction(one, "c1", 1, provinces=[PHANG_NGA, PHUKET]))
    for reader, kind in (("poc:TH-82", "Update"), ("poc:TH-83", "Alert")):
        alert = await cap(country, "one", reader, source=DISASTERS)
        assert said(alert, "msgType") == kind
        assert (said(alert, "references") is None) is (kind == "Alert")


async def test_an_expired_or_cancelled_alert_can_still_be_read(country: Country) -> None:
    await country.tell(
        alerted("one", PHUKET, id="one"),
        alerted("end", PHUKET, id="end", message="cancel", references=["one"], minutes=1),
    )
    assert said(await cap(country, "one"), "msgType") == "Alert"


async def test_an_alert_outside_the_scope_is_not_there_and_not_in_a_chain(country: Country) -> None:
    await country.tell(
        alerted("one", PHANG_NGA, id="one", source=DISASTERS),
        alerted("two", PHUKET, PHANG_NGA, id="two", source=DISASTERS, message="update",
                references=["one"], minutes=1),
    )  # fmt: skip
    outside = await asked(country, "one", "poc:TH-83", source=DISASTERS)
    unknown = await asked(country, "none", "poc:TH-83", source=DISASTERS)
    assert (outside.status_code, outside.content) == (404, unknown.content)
    seen = await cap(country, "two", "poc:TH-83", source=DISASTERS)
    assert said(seen, "references") is None
    whole = await cap(country, "two", "poc:TH-82", source=DISASTERS)
    assert (said(whole, "references") or "").count(",one,") == 1


async def test_an_id_with_a_slash_is_an_id(country: Country) -> None:
    await country.tell(alerted("one", PHUKET, id="2567/1"))
    assert said(await cap(country, "2567/1"), "identifier") == "one"
