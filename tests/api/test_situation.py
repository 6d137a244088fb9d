"""Incidents and figures at a moment, by source, and added up over an area."""

from datetime import timedelta

from tests.api.country import BANGKOK, DISASTERS, PHANG_NGA, PHUKET, PRESS, Country, Json
from tests.api.happenings import opened, said
from tests.projections.network import NOON, event

SITUATION = f"/v1/provinces/{PHUKET}/situation"


def closed(incident: str, **attributes: Json) -> Json:
    data = {"incident": incident, "reason": "over"}
    return event("incident.closed.v1", data, source=DISASTERS, **attributes)


def updated(incident: str, *, minutes: float, source: str = DISASTERS, **changed: Json) -> Json:
    data = {"incident": incident, **changed}
    return event("incident.updated.v1", data, source=source, minutes=minutes)


def after_noon(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


async def test_sources_stand_side_by_side_and_the_first_by_precedence_is_shown(
    country: Country,
) -> None:
    await country.tell(
        opened("flood", PHUKET),
        said(dead=2, minutes=1),
        said(dead=3, damage_baht="1.50", minutes=2),
        said(dead=9, source=PRESS, minutes=3),
    )
    body = await country.ask(SITUATION)
    (incident,) = body["incidents"]
    dead = incident["figures"]["dead"]
    assert (dead["value"], dead["previous"], dead["change"]) == (3, 2, 1)
    assert dead["contradicted"]
    assert [(one["source"], one["value"]) for one in dead["sources"]] == [
        ("/centres/poc/TH-83", 3),
        (PRESS, 9),
    ]
    assert body["totals"] == {"dead": 3, "damage_baht": "1.50"}


async def test_a_figure_left_out_keeps_what_the_source_said_last(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET),
        said(dead=2, injured=5, minutes=1),
        said(injured=7, minutes=2),
    )
    assert (await country.ask(SITUATION))["totals"] == {"dead": 2, "injured": 7}


async def test_a_report_of_a_district_is_no_figure_of_the_province(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET),
        said(dead=5, minutes=1),
        said(dead=1, district="8302", minutes=2),
    )
    body = await country.ask(SITUATION)
    assert body["totals"] == {"dead": 5}
    assert body["incidents"][0]["reports"][0]["district"] == "8302"


async def test_a_withdrawn_report_was_never_said(country: Country) -> None:
    withdrawn = event(
        "event.withdrawn.v1", {"reason": "wrong incident"}, minutes=3, originalid="mistake"
    )
    await country.tell(
        opened("flood", PHUKET), said(dead=2), said(dead=50, minutes=1, id="mistake"), withdrawn
    )
    assert (await country.ask(SITUATION))["totals"] == {"dead": 2}


async def test_the_nation_s_total_is_a_series_of_its_own(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET, PHANG_NGA),
        said(dead=2),
        said(PHANG_NGA, dead=3, source="/centres/poc/TH-82"),
        said("TH", dead=400, source=PRESS),
        said("TH", dead=198, source=DISASTERS),
    )
    detail = await country.ask("/v1/incidents/flood")
    places = {place["place"]: place["figures"]["dead"]["value"] for place in detail["situation"]}
    assert places == {"TH": 198, PHANG_NGA: 3, PHUKET: 2}
    overview = await country.ask("/v1/deputies/a/overview")
    assert overview["totals"]["figures"] == {"dead": 2}


async def test_an_update_changes_what_it_states_and_leaves_the_rest(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET, ministries=["moph"]),
        updated("flood", severity="extreme", minutes=5),
        updated("flood", provinces=[PHUKET, PHANG_NGA], note="spreads", minutes=6),
    )
    detail = await country.ask("/v1/incidents/flood")
    assert (detail["severity"], detail["ministries"]) == ("extreme", ["moph"])
    assert detail["provinces"] == [PHUKET, PHANG_NGA]
    assert [change["change"] for change in detail["changes"]] == ["opened", "updated", "updated"]
    before = await country.ask("/v1/incidents/flood", as_of=after_noon(5))
    assert (before["severity"], before["provinces"]) == ("extreme", [PHUKET])


async def test_an_incident_without_an_opening_is_none(country: Country) -> None:
    await country.tell(updated("flood", severity="extreme", minutes=5), closed("flood", minutes=6))
    assert (await country.ask("/v1/incidents", state="any"))["items"] == []
    assert (await country.get("/v1/incidents/flood")).status_code == 404


async def test_an_incident_is_open_until_it_closes_and_after_it_opens_again(
    country: Country,
) -> None:
    await country.tell(
        opened("flood", PHUKET), closed("flood", minutes=5), opened("flood", PHUKET, minutes=9)
    )

    async def state(minutes: float) -> str:
        found = await country.ask("/v1/incidents/flood", as_of=after_noon(minutes))
        return str(found["state"])

    assert [await state(minutes) for minutes in (1, 5, 8, 9)] == [
        "open",
        "closed",
        "closed",
        "open",
    ]
    for minutes, count in ((1, 1), (6, 0), (9, 1)):
        listed = await country.ask("/v1/incidents", as_of=after_noon(minutes))
        assert len(listed["items"]) == count
    now_closed = await country.ask("/v1/incidents", state="closed", as_of=after_noon(6))
    assert now_closed["items"][0]["closed_at"] == "2024-09-01T12:05:00+07:00"


async def test_a_closing_that_was_not_known_yet_leaves_the_incident_open(country: Country) -> None:
    await country.tell(opened("flood", PHUKET))
    tick = await country.tick()
    await country.tell(closed("flood", minutes=5))
    await country.tick()
    asked = {"as_of": after_noon(6), "known_at": tick.time.isoformat()}
    assert len((await country.ask("/v1/incidents", **asked))["items"]) == 1
    assert (await country.ask("/v1/incidents", as_of=after_noon(6)))["items"] == []


async def test_incidents_are_filtered_by_where_they_lie_and_when(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET, ministries=["moph"], minutes=1),
        opened("fire", PHANG_NGA, severity="minor", minutes=2),
        opened("ring", BANGKOK, agendas=["drugs"], minutes=3),
        opened("quake", minutes=4),
    )

    async def found(**query: Json) -> list[str]:
        return [item["id"] for item in (await country.ask("/v1/incidents", **query))["items"]]

    assert await found() == ["quake", "ring", "fire", "flood"]
    assert await found(province=PHANG_NGA) == ["fire"]
    assert await found(ministry="moph") == ["flood"]
    assert await found(agenda="drugs") == ["ring"]
    assert await found(severity="minor") == ["fire"]
    assert await found(deputy="a") == ["flood"]
    assert await found(deputy="b") == ["ring", "fire"]
    assert await found(deputy="b", province=PHUKET) == []
    assert await found(deputy="nobody") == []
    assert await found(**{"from": after_noon(2), "to": after_noon(3)}) == ["ring", "fire"]
    assert await found(**{"from": "2024-09-01", "to": "2024-09-01"}) == await found()
    assert await found(to="2024-08-31") == []


async def test_a_realm_sees_nothing_of_another(country: Country) -> None:
    await country.tell(opened("drill", PHUKET, realm="exercise"), opened("flood", PHUKET))
    exercise = await country.ask("/v1/incidents", realm="exercise")
    assert [item["id"] for item in exercise["items"]] == ["drill"]
    assert [item["id"] for item in (await country.ask("/v1/incidents"))["items"]] == ["flood"]


async def test_an_incident_says_in_whose_field_it_lies_and_why(country: Country) -> None:
    await country.tell(opened("flood", PHUKET, ministries=["moi"], agendas=["drugs"]))
    detail = await country.ask("/v1/incidents/flood")
    assert [(one["dimension"], one["target"], one["deputy"]) for one in detail["overseers"]] == [
        ("area", PHUKET, "a"),
        ("function", "moi", "a"),
        ("agenda", "drugs", "b"),
    ]


async def test_the_area_s_figures_and_what_is_outside_add_up_to_the_provinces(
    country: Country,
) -> None:
    await country.tell(
        opened("flood", PHUKET, PHANG_NGA, BANGKOK),
        said(dead=2),
        said(PHANG_NGA, dead=3, source=DISASTERS),
        said(BANGKOK, dead=5, source=DISASTERS),
    )

    async def dead(path: str) -> int:
        body = await country.ask(path)
        totals = body["totals"]
        return int(totals.get("figures", totals).get("dead", 0))

    provinces = sum(
        [await dead(f"/v1/provinces/{c}/situation") for c in (PHUKET, PHANG_NGA, BANGKOK)]
    )
    areas = sum([await dead(f"/v1/deputies/{deputy}/overview") for deputy in ("a", "b")])
    assert areas + await dead(f"/v1/provinces/{BANGKOK}/situation") == provinces == 10
