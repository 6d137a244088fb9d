"""Events, centres, indicators and alerts, one rule each."""

import random
from datetime import timedelta

import pytest

from schemas.slots import slot_of
from services.eventlog.position import Position
from tests.api.country import (
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    REGISTRAR,
    Country,
    Json,
    centre,
)
from tests.api.happenings import alerted, heard, measured, opened, said, silent
from tests.projections.network import NOON, event

PHUKET_CENTRE = "/centres/poc/TH-83"


async def test_an_event_is_given_back_byte_for_byte(country: Country) -> None:
    data = b'{ "incident":"flood",  "place" : "TH-83","dead":2, "\\u0e01":1.50, "extra":[1e2] }'
    envelope, _ = event("situation.reported.v1", {}, id="odd", extensions={"colour": "red"})
    await country.tell((envelope, data))
    tick = await country.tick()
    response = await country.get("/v1/events", source=PHUKET_CENTRE, id="odd")
    assert data in response.content
    body = response.json()
    assert (body["event"]["type"], body["event"]["colour"]) == ("situation.reported.v1", "red")
    assert country.tokens.open(body["position"]) == Position({slot_of(PHUKET_CENTRE): 1})
    assert body["accepted_at"].startswith(tick.time.astimezone().isoformat()[:4])
    assert (body["versions"], body["conflicts"]) == ([], [])


async def test_an_event_says_what_corrects_it_and_what_contradicts_it(country: Country) -> None:
    withdrawal = event("event.withdrawn.v1", {"reason": "no"}, id="w", originalid="one", minutes=2)
    await country.tell(said(dead=1, id="one"))
    await country.tell(said(dead=2, id="one"), withdrawal)
    body = await country.ask("/v1/events", source=PHUKET_CENTRE, id="one")
    assert [(one["id"], one["withdrawn"]) for one in body["versions"]] == [("w", True)]
    assert len(body["conflicts"]) == 1
    assert body["accepted_at"] is None


async def test_a_decision_is_an_event_too(country: Country) -> None:
    entry = await country.network.pool.fetchval(
        "SELECT id FROM events.identities WHERE type = 'province.registered.v1' LIMIT 1"
    )
    body = await country.ask("/v1/events", source=REGISTRAR, id=entry)
    assert body["event"]["data"]["province"].startswith("TH-")


async def test_a_sealed_event_is_hidden_from_every_reader(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=1, id="one"))
    await seal(country, PHUKET_CENTRE, "one")
    found = await country.get("/v1/events", source=PHUKET_CENTRE, id="one")
    assert found.status_code == 404
    assert (await country.ask(f"/v1/provinces/{PHUKET}/situation"))["totals"] == {}


async def test_an_incident_whose_closing_is_sealed_is_open_again(country: Country) -> None:
    closing = {"incident": "flood", "reason": "named a person"}
    over = event("incident.closed.v1", closing, source=DISASTERS, id="over", minutes=5)
    await country.tell(opened("flood", PHUKET), over)
    assert (await country.ask("/v1/incidents"))["items"] == []
    await seal(country, DISASTERS, "over")
    (flood,) = (await country.ask("/v1/incidents"))["items"]
    assert flood["state"] == "open"


async def test_a_sealed_registration_is_forgotten_by_who_had_read_it(country: Country) -> None:
    entry = centre("press:lanta", "other", province=PHUKET)
    await country.network.decide("registry/lanta", entry)
    await country.network.project()
    assert (await country.get("/v1/centres/press:lanta")).status_code == 200
    await seal(country, entry[0].source, entry[0].id)
    assert (await country.get("/v1/centres/press:lanta")).status_code == 404


async def seal(country: Country, source: str, id_: str) -> None:
    """The event is sealed, and the read models know it."""
    sealed = {
        "sealed_source": source,
        "sealed_id": id_,
        "reason": "names a person",
        "ordered_by": "the committee",
    }
    await country.network.decide(
        "seals", event("event.sealed.v1", sealed, source=REGISTRAR, minutes=9)
    )
    await country.network.project()


async def test_an_event_was_not_there_before_its_time_nor_before_it_was_known(
    country: Country,
) -> None:
    before = await country.tick()
    await country.tell(said(dead=1, id="one", minutes=5))
    await country.tick()
    asked: dict[str, Json] = {"source": PHUKET_CENTRE, "id": "one"}
    early = await country.get("/v1/events", as_of=NOON.isoformat(), **asked)
    unknown = await country.get(
        "/v1/events", as_of=country.now.isoformat(), known_at=before.time.isoformat(), **asked
    )
    assert (early.status_code, unknown.status_code) == (404, 404)


def beat(sequence: int, *, minutes: float, reset: bool = False) -> Json:
    return event(
        "heartbeat.sent.v1",
        {"sequence_reset": reset},
        minutes=minutes,
        sequence=f"{sequence:08}",
    )


async def missing(country: Country, **query: Json) -> list[tuple[int, int]]:
    body = await country.ask("/v1/centres/poc:TH-83", **query)
    assert body["missing"]["complete"]
    return [(one["first"], one["last"]) for one in body["missing"]["ranges"]]


async def test_missing_sequence_numbers_are_ranges(country: Country) -> None:
    await country.tell(*(beat(n, minutes=n) for n in (1, 2, 5, 9)))
    assert await missing(country) == [(3, 4), (6, 8)]
    assert await missing(country, as_of=(NOON + timedelta(minutes=5)).isoformat()) == [(3, 4)]


async def test_what_is_missing_before_a_reset_is_not_looked_for(country: Country) -> None:
    await country.tell(
        beat(1, minutes=1),
        beat(7, minutes=2),
        beat(1, minutes=5, reset=True),
        beat(3, minutes=6),
    )
    assert await missing(country) == [(2, 2)]


async def test_a_centre_is_silent_until_it_is_heard(country: Country) -> None:
    back = heard("poc:TH-83", minutes=9)
    await country.tell(beat(1, minutes=1))
    await country.network.decide("timers", silent("poc:TH-83", minutes=5), back)
    await country.network.project()

    async def since(minutes: float) -> Json:
        as_of = (NOON + timedelta(minutes=minutes)).isoformat()
        return (await country.ask("/v1/centres/poc:TH-83", as_of=as_of))["silent_since"]

    assert [await since(minutes) for minutes in (4, 5, 9)] == [
        None,
        "2024-09-01T12:00:00+07:00",
        None,
    ]


async def test_a_centre_was_last_heard_by_its_latest_event(country: Country) -> None:
    await country.tell(beat(1, minutes=1), said(dead=1, minutes=3))
    body = await country.ask("/v1/centres/poc:TH-83")
    assert body["last_heard"] == "2024-09-01T12:03:00+07:00"
    assert (body["level"], body["parent"], body["province"]) == ("POC", "moc:moi", PHUKET)


async def test_an_indicator_s_value_is_the_last_revision(country: Country) -> None:
    await country.tell(
        measured(PHUKET, "2024-09-01", "1.5", minutes=1),
        measured(PHUKET, "2024-09-01", "2.50", minutes=2, implausible="too much"),
        measured(PHUKET, "2024-09-02", "3", minutes=3),
        measured(PHUKET, "2024-09-01", "9", minutes=1, source="/centres/doc/moi.ddpm"),
    )
    items = (await country.ask("/v1/indicators/rain/values"))["items"]
    assert [(one["date"], one["value"], len(one["revisions"])) for one in items] == [
        ("2024-09-01", "9", 1),
        ("2024-09-01", "2.50", 2),
        ("2024-09-02", "3", 1),
    ]
    assert items[1]["implausible"] == "too much"
    assert [one["value"] for one in items[1]["revisions"]] == ["1.5", "2.50"]


async def test_values_are_filtered_by_province_and_dates_inclusive(country: Country) -> None:
    await country.tell(
        *(measured(PHUKET, f"2024-09-0{day}", day, minutes=day) for day in (1, 2, 3)),
        measured(PHANG_NGA, "2024-09-02", 7, minutes=4),
    )

    async def values(**query: Json) -> list[str]:
        body = await country.ask("/v1/indicators/rain/values", **query)
        return [item["value"] for item in body["items"]]

    assert await values(province=PHANG_NGA) == ["7"]
    assert await values(province=PHUKET, **{"from": "2024-09-02", "to": "2024-09-03"}) == ["2", "3"]


async def test_a_value_known_later_does_not_revise_what_was_known(country: Country) -> None:
    await country.tell(measured(PHUKET, "2024-09-01", 1, minutes=1))
    tick = await country.tick()
    await country.tell(measured(PHUKET, "2024-09-01", 2, minutes=2))
    await country.tick()
    body = await country.ask(
        "/v1/indicators/rain/values", as_of="2024-09-02", known_at=tick.time.isoformat()
    )
    assert [item["value"] for item in body["items"]] == ["1"]


async def test_an_alert_stands_until_it_expires_or_is_updated_or_cancelled(
    country: Country,
) -> None:
    await country.tell(
        alerted("one", PHUKET, minutes=1),
        alerted("two", PHUKET, message="update", references=["one"], minutes=5),
        alerted("three", PHUKET, message="cancel", references=["two"], minutes=9),
        alerted("other", PHANG_NGA, minutes=1),
    )

    async def standing(minutes: float) -> list[str]:
        as_of = (NOON + timedelta(minutes=minutes)).isoformat()
        body = await country.ask("/v1/alerts", as_of=as_of, province=PHUKET)
        return [item["alert"] for item in body["items"]]

    assert [await standing(minutes) for minutes in (0, 1, 5, 9)] == [[], ["one"], ["two"], []]
    expired = await country.ask("/v1/alerts", as_of="2024-09-01T15:00:00+07:00")
    assert expired["items"] == []


async def test_one_source_does_not_cancel_another_s_alert(country: Country) -> None:
    await country.tell(
        alerted("one", PHUKET),
        alerted("x", PHUKET, message="cancel", references=["one"], source="/centres/poc/TH-82"),
    )
    assert [item["alert"] for item in (await country.ask("/v1/alerts"))["items"]] == ["one"]


SILENT_FROM, HEARD_AT = (5, 15), (10, 20)
"""Minutes after noon at which a centre falls silent, and is heard again."""


@pytest.mark.parametrize("seed", range(4))
async def test_a_centre_is_silent_when_its_last_word_says_so_however_late_words_come(
    country: Country, seed: int
) -> None:
    words = [silent("poc:TH-83", minutes=at) for at in SILENT_FROM]
    words += [heard("poc:TH-83", minutes=at) for at in HEARD_AT]
    random.Random(seed).shuffle(words)
    for word in words:
        await country.network.decide("timers", word)
        await country.network.project()
    assert [await silent_at(country, minutes) for minutes in (2, 7, 12, 17, 22)] == [0, 1, 0, 1, 0]


async def test_a_return_that_was_not_known_leaves_a_centre_silent(country: Country) -> None:
    await country.network.decide("timers", silent("poc:TH-83", minutes=5))
    await country.network.project()
    before = await country.tick()
    await country.network.decide("timers", heard("poc:TH-83", minutes=10))
    await country.network.project()
    assert await silent_at(country, 15) == 0
    assert await silent_at(country, 15, known_at=before.time.isoformat()) == 1


async def test_a_centre_whose_return_is_sealed_is_silent_again(country: Country) -> None:
    word = heard("poc:TH-83", minutes=10)
    await country.network.decide("timers", silent("poc:TH-83", minutes=5), word)
    await country.network.project()
    assert await silent_at(country, 15) == 0
    await seal(country, word[0].source, word[0].id)
    assert await silent_at(country, 15) == 1


async def silent_at(country: Country, minutes: int, **pair: Json) -> Json:
    """How many centres are silent so many minutes after noon."""
    as_of = (NOON + timedelta(minutes=minutes)).isoformat()
    return (await country.ask("/v1/overview", as_of=as_of, **pair))["totals"]["silent_centres"]
