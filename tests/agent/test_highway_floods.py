"""The road departments' reports: what they state, what their lines add up to, what is gone."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from schemas.events import decode
from services.agent import demo
from services.agent.archive import events_of
from services.agent.highway_floods import UnknownDepartment, of_lines, of_reports

type Row = dict[str, str]
type Events = list[dict[str, Any]]


def line(day: int, province: str, **cells: str) -> Row:
    return {
        "department": "mot.drr",
        "published": f"2021-10-{day:02}",
        "as_of": f"2021-10-{day:02}T17:00:00+07:00",
        "kind": "route",
        "province": province,
        "route": "",
        "state": "closed",
        "count": "1",
        "water_cm": "",
        "stated_closed": "1",
        "url": f"https://example.org/details/{40000 + day}",
        **cells,
    }


def report(**cells: str) -> Row:
    return {
        "department": "mot.doh",
        "published": "2021-10-05",
        "as_of": "2021-10-05T13:30:00+07:00",
        "title_th": "รายงาน",
        "provinces": "13",
        "routes": "30",
        "places": "",
        "closed": "1",
        "closed_unit": "แห่ง",
        "lines_closed": "21",
        "url": "https://example.org/details/46600",
        **cells,
    }


def counts(events: Iterable[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [
        (event["data"]["place"], event["data"].get("routes_closed"))
        for event in events
        if event["type"] == "situation.reported.v1"
    ]


def test_a_report_counts_its_closed_lines_by_province() -> None:
    rows = [line(7, "TH-14"), line(7, "TH-14"), line(7, "TH-40")]
    assert counts(of_lines(rows)) == [("TH-14", 2), ("TH-40", 1)]


def test_a_count_that_the_report_states_for_a_province_stands_before_its_lines() -> None:
    rows = [line(7, "TH-14", kind="province_count", count="3"), line(7, "TH-14", kind="place")]
    (counted,) = [e for e in of_lines(rows) if e["type"] == "situation.reported.v1"]
    assert counted["data"]["routes_closed"] == 3
    assert "1" in counted["data"]["note"]


def test_passable_roads_are_affected_and_not_closed() -> None:
    rows = [line(7, "TH-64", state="passable"), line(7, "TH-64")]
    (counted,) = [e["data"] for e in of_lines(rows) if e["type"] == "situation.reported.v1"]
    assert (counted["routes_closed"], counted["routes_affected"]) == (1, 2)


def test_a_province_that_a_full_list_names_no_more_has_nothing_closed_said_once() -> None:
    rows = [line(7, "TH-14"), line(7, "TH-40"), line(8, "TH-14"), line(9, "TH-14")]
    assert counts(of_lines(rows)) == [
        ("TH-14", 1), ("TH-40", 1), ("TH-14", 1), ("TH-40", 0), ("TH-14", 1),
    ]  # fmt: skip


def test_from_a_list_with_lines_missing_no_zero_is_concluded() -> None:
    rows = [line(7, "TH-14"), line(7, "TH-40"), line(8, "TH-14", stated_closed="2")]
    assert counts(of_lines(rows)) == [("TH-14", 1), ("TH-40", 1), ("TH-14", 1)]


def test_an_incident_opens_with_the_first_report_and_spreads_with_later_ones() -> None:
    rows = [line(7, "TH-14"), line(8, "TH-14"), line(9, "TH-40")]
    incidents = [e for e in of_lines(rows) if e["type"].startswith("incident.")]
    assert [(e["type"], e["data"]["provinces"]) for e in incidents] == [
        ("incident.opened.v1", ["TH-14"]),
        ("incident.updated.v1", ["TH-14", "TH-40"]),
    ]


@pytest.mark.parametrize(
    ("as_of", "incident"),
    [
        ("2021-10-07T17:00:00+07:00", "floods-2021-mot.drr"),
        ("2022-01-07T17:00:00+07:00", "floods-2021-mot.drr"),
        ("2022-05-07T17:00:00+07:00", "floods-2022-mot.drr"),
    ],
)
def test_a_season_runs_over_the_turn_of_the_year(as_of: str, incident: str) -> None:
    (opened, _) = of_lines([line(7, "TH-14", as_of=as_of, published=as_of[:10])])
    assert opened["data"]["incident"] == incident


def test_a_stated_total_is_a_series_of_the_nation_and_keeps_its_contradiction() -> None:
    (total,) = of_reports([report()])
    assert total["data"]["place"] == "TH"
    assert (total["data"]["routes_closed"], total["data"]["routes_affected"]) == (1, 30)
    assert "21" in total["data"]["note"]


def test_a_report_is_known_when_its_day_of_publication_ends() -> None:
    (total,) = of_reports([report()])
    assert total["time"] == "2021-10-05T13:30:00+07:00"
    assert total["acceptedtime"] == "2021-10-06T00:00:00+07:00"


def test_a_report_without_an_hour_speaks_of_its_days_end() -> None:
    (total,) = of_reports([report(as_of="", closed="")])
    assert total["time"] == total["acceptedtime"] == "2021-10-06T00:00:00+07:00"


def test_another_department_is_refused() -> None:
    with pytest.raises(UnknownDepartment):
        list(of_lines([line(7, "TH-14", department="mot.md")]))


def test_the_committed_archive_gives_valid_events_with_ids_of_their_own() -> None:
    events: Events = [event for path in demo.highway_floods() for event in events_of(path)]
    for event in events:
        decode(event["type"], json.dumps(event["data"]).encode())
    assert len({(event["source"], event["id"]) for event in events}) == len(events) == 1022
