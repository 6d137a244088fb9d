"""The registry's decisions: dated versions, parents that exist, orders as they stand."""

import json
from collections import Counter
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.events import decode
from schemas.ids import centre_of_source
from services.agent import demo
from services.agent.archive import UnknownShape, events_of, registry_tables
from services.agent.orders import UnknownName, orders

type Data = dict[str, Any]


@cache
def registry() -> list[dict[str, Any]]:
    return list(events_of(demo.registry()))


def stated(type_: str) -> list[Data]:
    return [event["data"] for event in registry() if event["type"] == type_]


def centres(centre: str) -> list[Data]:
    return [data for data in stated("centre.registered.v1") if data["centre"] == centre]


def order(number: str) -> Data:
    (found,) = (data for data in stated("order.issued.v1") if data["number"] == number)
    return found


def in_force(data: Data, day: str) -> bool:
    begin: str = data.get("valid_from", "0000")
    end: str = data.get("valid_to", "9999")
    return begin <= day < end


def test_every_decision_is_of_its_type_and_known_no_earlier_than_it_holds() -> None:
    for event in registry():
        decode(event["type"], json.dumps(event["data"]).encode())
        assert event["source"] == "/centres/pmoc"
        assert datetime.fromisoformat(event["acceptedtime"]) >= datetime.fromisoformat(
            event["time"]
        )


def test_a_second_reading_gives_the_same_decisions() -> None:
    assert list(events_of(demo.registry())) == registry()
    assert len({event["id"] for event in registry()}) == len(registry())


def test_decisions_come_by_time() -> None:
    times = [datetime.fromisoformat(event["time"]) for event in registry()]
    assert times == sorted(times)


def test_the_tsunamis_day_has_75_provincial_centres_and_today_has_76() -> None:
    def open_on(day: str) -> int:
        return sum(
            in_force(data, day) for data in stated("centre.registered.v1") if data["level"] == "POC"
        )

    assert open_on("2004-12-26") == 75
    assert open_on("2025-01-01") == 76
    assert open_on("2002-01-01") == 5
    assert open_on("2003-01-01") == 0


def test_bangkok_has_no_provincial_centre_but_speaks_for_itself() -> None:
    assert centres("poc:TH-10") == []
    (city,) = centres("city:TH-10")
    assert (city["level"], city["province"]) == ("other", "TH-10")


def test_bueng_kan_begins_in_2011_out_of_nong_khai() -> None:
    (bueng_kan,) = (p for p in stated("province.registered.v1") if p["province"] == "TH-38")
    assert (bueng_kan["valid_from"], bueng_kan["succeeds"]) == ("2011-03-23", ["TH-43"])
    (centre,) = centres("poc:TH-38")
    assert centre["valid_from"] == "2011-03-23"


def test_the_weather_department_stands_under_the_ministry_of_its_day() -> None:
    parents = [
        (c.get("valid_from"), c.get("valid_to"), c["parent"]) for c in centres("doc:mdes.tmd")
    ]
    assert parents == [
        ("2002-10-03", "2016-09-16", "moc:mict"),
        ("2016-09-16", None, "moc:mdes"),
    ]


def test_a_centres_parent_is_there_for_as_long_as_the_centre() -> None:
    spans: dict[str, list[Data]] = {}
    for data in stated("centre.registered.v1"):
        spans.setdefault(data["centre"], []).append(data)
    for data in stated("centre.registered.v1"):
        if parent := data.get("parent"):
            begin = data["valid_from"]
            assert any(in_force(version, begin) for version in spans[parent]), data["centre"]


def test_every_speaker_of_the_demonstration_is_a_centre_of_its_day() -> None:
    for path in (*demo.tsunami_2004(), *demo.highway_floods()):
        for event in events_of(path):
            centre = centre_of_source(event["source"])
            assert centre is not None
            assert any(in_force(data, event["time"][:10]) for data in centres(centre)), centre


def test_a_cluster_gains_a_member_with_a_version_of_its_own() -> None:
    versions = [
        (data["valid_from"], data["valid_to"], "TH-38" in data["provinces"])
        for data in stated("cluster.registered.v1")
        if data["cluster"] == "2009-ne-upper-1"
    ]
    assert versions == [
        ("2009-02-17", "2011-03-23", False),
        ("2011-03-23", "2017-11-16", True),
    ]


def test_each_scheme_of_clusters_has_its_number() -> None:
    clusters = Counter(
        scheme
        for scheme, _ in {(d["scheme"], d["cluster"]) for d in stated("cluster.registered.v1")}
    )
    assert clusters == {"2003-19": 19, "2009-18": 18, "2017-18": 18}


@pytest.mark.parametrize(
    "number",
    ["168/2562", "254/2566", "169/2567", "290/2567", "315/2567", "209/2568", "280/2568"],
)
def test_a_complete_area_order_gives_every_province_but_bangkok_once(number: str) -> None:
    given = order(number)
    targets = [assignment["target"] for assignment in given["clauses"]]
    assert given["complete"] == ["area"]
    assert len(targets) == len(set(targets)) == 76
    assert "TH-10" not in targets


def test_a_ministry_may_be_given_with_a_carve_out() -> None:
    (justice,) = (a for a in order("165/2562")["clauses"] if a["target"] == "moj")
    assert justice["except_th"] == "กรมสอบสวนคดีพิเศษ"
    assert justice["except_targets"] == ["moj.dsi"]


def test_a_duty_that_is_carved_out_is_no_unit() -> None:
    (budget,) = (
        a for a in order("217/2567")["clauses"] if a["target"] == "opm.bb" and a.get("except_th")
    )
    assert budget["except_th"].startswith("ที่เกี่ยวกับหน้าที่และอำนาจของนายกรัฐมนตรี")
    assert "except_targets" not in budget


def test_a_province_says_by_which_inspection_region_the_order_named_it() -> None:
    phuket = {
        data["number"]: clause.get("through")
        for data in stated("order.issued.v1")
        for clause in data.get("clauses", [])
        if clause["target"] == "TH-83"
    }
    assert phuket["315/2567"] == "regions/6"
    assert phuket["illustrative/2547-andaman"] is None


def test_two_holders_of_one_agency_have_different_powers() -> None:
    held = {
        (a["deputy"], a["power"]) for a in order("165/2562")["clauses"] if a["target"] == "opm.prd"
    }
    assert held == {("wissanu-krea-ngam", "oversee"), ("tewan-liptapallop", "command")}


def test_ministers_provinces_are_an_agenda_not_the_deputies_areas() -> None:
    ministers = order("85/2564")
    assert {a["dimension"] for a in ministers["clauses"]} == {"agenda"}
    assert len({a["target"] for a in ministers["clauses"]}) == 76
    assert len({a["deputy"] for a in ministers["clauses"]}) == 29


def test_the_order_of_august_2020_is_known_to_be_missing() -> None:
    missing = order("unknown/2563-area")
    assert missing["effective_from"] == "2020-08-13T00:00:00+07:00"
    assert missing["missing"] == ["area"]
    assert "clauses" not in missing


def test_the_andaman_order_says_that_it_is_made_up() -> None:
    made_up = order("illustrative/2547-andaman")
    assert made_up["illustrative"] is True
    assert {a["deputy"] for a in made_up["clauses"]} == {"deputy-andaman"}
    assert {a["target"] for a in made_up["clauses"]} == {
        "TH-81", "TH-82", "TH-83", "TH-85", "TH-91", "TH-92",
    }  # fmt: skip
    marked = {e["subject"] for e in registry() if e.get("illustrative") == "true"}
    assert marked == {
        "orders/illustrative/2547-andaman",
        "deputies/deputy-andaman",
        "tenures/deputy-andaman.deputy_pm.2004-12-17",
    }


def test_an_order_of_an_unknown_day_is_known_when_its_month_ends() -> None:
    (event,) = (e for e in registry() if e["subject"] == "orders/212/2557")
    assert event["acceptedtime"] == "2014-12-01T00:00:00+07:00"


def test_every_holder_and_every_target_of_an_order_is_registered() -> None:
    people = {data["deputy"] for data in stated("deputy.registered.v1")}
    units = {data["department"] for data in stated("department.registered.v1")} | {
        data["ministry"] for data in stated("ministry.registered.v1")
    }
    for data in stated("order.issued.v1"):
        for assignment in data.get("clauses", []):
            assert assignment["deputy"] in people
            if assignment["dimension"] == "function":
                assert assignment["target"] in units


def test_a_deputy_holds_the_office_when_an_order_gives_an_area() -> None:
    tenures = stated("tenure.registered.v1")
    for data in stated("order.issued.v1"):
        for assignment in data.get("clauses", []):
            if assignment["dimension"] == "area":
                assert any(
                    in_force(tenure, data["effective_from"][:10])
                    for tenure in tenures
                    if tenure["deputy"] == assignment["deputy"] and tenure["office"] == "deputy_pm"
                )


def test_a_tenure_ends_with_the_first_complete_order_that_names_the_person_no_more() -> None:
    (anutin,) = (t for t in stated("tenure.registered.v1") if t["deputy"] == "anutin-charnvirakul")
    assert date.fromisoformat(anutin["valid_to"]) == date(2025, 7, 4)
    assert "Dates read off the orders" in anutin["source"]


def test_a_holder_without_an_id_stops_the_reading() -> None:
    tables = registry_tables(demo.registry())
    nobody = tables.__class__(**{**vars(tables), "deputies": []})
    with pytest.raises(UnknownName):
        list(orders(nobody))


def test_a_folder_without_all_tables_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(UnknownShape, match="provinces"):
        registry_tables(tmp_path)


def test_the_cabinets_resolutions_are_dated_and_a_note_stays_a_note() -> None:
    outcomes = {data["policy"]: data["outcome"] for data in stated("policy.registered.v1")}
    assert outcomes == {
        "cabinet-2001-08-07": "approved",
        "cabinet-2003-04-28": "approved",
        "cabinet-2003-07-22": "agreed",
        "cabinet-2004-05-18": "agreed",
        "cabinet-2006-02-21": "noted",
    }
