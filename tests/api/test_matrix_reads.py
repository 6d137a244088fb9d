"""The matrix, areas and overviews over HTTP."""

from datetime import date, datetime, timedelta

from services.domain.registry import BANGKOK_TIME
from tests.api.country import BANGKOK, PHANG_NGA, PHUKET, Country, gives, order
from tests.api.happenings import alerted, happen, opened, said, silent


async def test_the_matrix_names_every_target_with_its_cover(country: Country) -> None:
    items = (await country.ask("/v1/oversight"))["items"]
    covers = {(item["dimension"], item["target"]): item["cover"] for item in items}
    assert covers == {
        ("area", BANGKOK): "outside_scheme",
        ("area", PHANG_NGA): "overseer",
        ("area", PHUKET): "overseer",
        ("function", "moi"): "overseer",
        ("function", "moph"): "uncovered",
        ("agenda", "drugs"): "overseer",
    }
    assert [item["target"] for item in items[:3]] == [BANGKOK, PHANG_NGA, PHUKET]
    phuket = items[2]
    assert (phuket["deputy"]["id"], phuket["deputy"]["office"]) == ("a", "deputy_pm")
    assert (phuket["order"], phuket["power"], phuket["acting_for"]) == ("1/2567", "area", None)
    areas = await country.ask("/v1/oversight", dimension="area")
    assert areas["items"] == items[:3]


async def test_a_province_passes_on_with_the_order_s_day(country: Country) -> None:
    both = [gives("area", target, "b") for target in (PHUKET, PHANG_NGA)]
    await country.network.decide("orders/pm", order("2/2567", date(2024, 10, 1), *both))
    await country.tell(opened("flood", PHUKET), said(dead=2))

    async def area(deputy: str, as_of: str) -> set[str]:
        body = await country.ask(f"/v1/deputies/{deputy}/area", as_of=as_of)
        return {held["target"] for held in body["held"] if held["dimension"] == "area"}

    assert await area("a", "2024-09-30") == {PHUKET}
    assert await area("a", "2024-10-01") == set()
    assert await area("b", "2024-10-01") == {PHUKET, PHANG_NGA}
    after = await country.ask("/v1/deputies/b/overview", "deputy:b", as_of="2024-10-01")
    assert after["totals"]["figures"] == {"dead": 2}
    before = await country.ask("/v1/deputies/a/overview", "deputy:a", as_of="2024-09-30")
    assert before["totals"]["figures"] == {"dead": 2}


async def test_the_matrix_moves_at_the_second_that_the_order_says(country: Country) -> None:
    moment = datetime(2024, 8, 15, 9, 30, 15, tzinfo=BANGKOK_TIME)
    later = order("2/2567", moment, gives("area", PHUKET, "b"))
    await country.network.decide("orders/pm", later)
    await country.network.project()

    async def overseer(as_of: datetime) -> tuple[str, str]:
        query = {"as_of": as_of.isoformat(), "dimension": "area"}
        items = (await country.ask("/v1/oversight", **query))["items"]
        (item,) = (item for item in items if item["target"] == PHUKET)
        return item["deputy"]["id"], item["order_from"]

    before = await overseer(moment - timedelta(seconds=1))
    after = await overseer(moment)
    assert before == ("a", "2024-01-01T00:00:00+07:00")
    assert after == ("b", "2024-08-15T09:30:15+07:00")


async def test_an_absent_deputy_s_area_says_who_acts_and_the_matrix_too(country: Country) -> None:
    clauses = (
        {"act": "substitute", "deputy": "a", "substitutes": ["b"]},
        {"act": "absent", "deputy": "a"},
        {"act": "reserve", "dimension": "area", "target": PHUKET},
        {"act": "reserve", "deputy": "b", "subject": "incidents/flood"},
    )
    noon = datetime(2024, 8, 15, 12, tzinfo=BANGKOK_TIME)
    end = (noon + timedelta(hours=1)).isoformat()
    away = order("2/2567", noon, *clauses, complete=[], effective_to=end)
    await country.network.decide("orders/pm", away)
    await country.network.project()
    during = {"as_of": noon.isoformat()}
    items = (await country.ask("/v1/oversight", **during))["items"]
    named = [(i["deputy"]["id"], i["acting_for"]) for i in items if i["target"] == PHUKET]
    assert named == [("a", None), ("b", "a")]
    area = await country.ask("/v1/deputies/a/area", "deputy:b", **during)
    assert (area["present"], area["acting"]["id"]) == (False, "b")
    assert [one["id"] for one in area["substitutes"]] == ["b"]
    by_order = {"number": "2/2567", "effective_from": noon.isoformat(), "effective_to": end,
                "illustrative": False}  # fmt: skip
    assert area["absences"] == [by_order]
    assert area["reservations"] == [
        {"dimension": "area", "target": PHUKET, "subject": None, "order": by_order}
    ]
    own = await country.ask("/v1/deputies/b/area", "deputy:b", **during)
    assert [one["id"] for one in own["acting_for"]] == ["a"]
    assert [one["subject"] for one in own["reservations"]] == ["incidents/flood"]
    assert (await country.get("/v1/deputies/a/area", "deputy:b", as_of=end)).status_code == 404


async def test_an_order_that_was_not_known_then_changed_nothing_then(country: Country) -> None:
    tick = await country.tick()
    later = order("2/2567", date(2024, 8, 15), gives("area", PHUKET, "b"))
    await country.network.decide("orders/pm", later)
    await country.network.project()
    await country.tick()

    async def holder(**query: str) -> str:
        items = (await country.ask("/v1/oversight", as_of="2024-09-01", **query))["items"]
        return str(next(item["deputy"]["id"] for item in items if item["target"] == PHUKET))

    assert await holder(known_at=tick.time.isoformat()) == "a"
    assert await holder() == "b"


async def test_the_overview_shows_what_happens_in_the_area(country: Country) -> None:
    await happen(country)
    body = await country.ask("/v1/deputies/a/overview", "deputy:a")
    (phuket,) = body["provinces"]
    assert (phuket["code"], phuket["order"]) == (PHUKET, "1/2567")
    assert phuket["incidents"] == {"open": 1, "by_severity": {"severe": 1}}
    assert phuket["figures"] == {"dead": 3, "injured": 5, "damage_baht": "1250000.50"}
    assert phuket["latest_report"]["id"] == "press"
    assert [one["id"] for one in phuket["silent_centres"]] == ["poc:TH-83"]
    assert phuket["active_alerts"] == 1
    assert [held["target"] for held in body["functions"]] == ["moi"]
    assert body["agendas"] == []
    totals = body["totals"]
    assert (totals["provinces"], totals["silent_centres"], totals["active_alerts"]) == (1, 1, 1)
    assert totals["figures"] == phuket["figures"]


async def test_an_incident_of_two_provinces_counts_once_for_the_area(country: Country) -> None:
    both = [gives("area", target, "b") for target in (PHUKET, PHANG_NGA)]
    await country.network.decide("orders/pm", order("2/2567", date(2024, 8, 15), *both))
    await country.tell(opened("flood", PHUKET, PHANG_NGA), alerted("one", PHUKET, PHANG_NGA))
    totals = (await country.ask("/v1/deputies/b/overview"))["totals"]
    assert (totals["incidents"]["open"], totals["active_alerts"]) == (1, 1)


async def test_an_empty_area_is_empty(country: Country) -> None:
    nobody = order("2/2567", date(2024, 8, 15), complete=["area"])
    await country.network.decide("orders/pm", nobody, silent("poc:TH-83"))
    await country.network.project()
    body = await country.ask("/v1/deputies/a/overview", "deputy:a")
    assert body["provinces"] == []
    assert body["totals"]["figures"] == {}
