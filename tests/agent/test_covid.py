"""COVID-19 counts: the publication is the moment, the case date is data, nothing is thrown away."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.events import decode
from services.agent.archive import events_of
from services.agent.covid import implausible, of_case_events

SAMPLE = Path(__file__).parents[1] / "data" / "covid_case_events_sample.csv"


def row(**cells: str) -> dict[str, str]:
    return {
        "published_at": "2021-01-14T09:56:06+07:00",
        "source_commit": "5e120afbd8b1",
        "window_days": "14",
        "case_date": "2021-01-12",
        "province_code": "83",
        "cases": "4",
        "deaths": "",
        **cells,
    }


def only(cells: dict[str, str]) -> dict[str, Any]:
    (event,) = of_case_events([cells])
    return event


def test_time_is_the_publication_and_the_case_date_is_data() -> None:
    event = only(row())
    assert event["source"] == "/centres/doc/moph.ddc"
    assert event["time"] == event["acceptedtime"] == "2021-01-14T09:56:06+07:00"
    assert event["data"] == {
        "indicator": "covid-19.cases",
        "place": "TH-83",
        "date": "2021-01-12",
        "value": "4",
        "unit": "persons",
    }


def test_deaths_are_an_indicator_of_their_own() -> None:
    indicators = {e["data"]["indicator"] for e in of_case_events([row(deaths="1")])}
    assert indicators == {"covid-19.cases", "covid-19.deaths"}


def test_a_revision_is_another_event_for_the_same_date() -> None:
    first, second = only(row()), only(row(source_commit="389fd2dce2d5", cases="6"))
    assert first["id"] != second["id"]
    assert first["data"]["date"] == second["data"]["date"]


@pytest.mark.parametrize(
    ("case_date", "because"),
    [
        (date(2021, 1, 14), None),
        (date(2021, 1, 1), None),
        (date(2020, 12, 20), None),
        (date(2021, 10, 1), "day and month look swapped, 2021-01-10 would fit"),
        (date(2021, 1, 15), "later than its publication on 2021-01-14"),
        (date(2019, 12, 31), "before the disease was known"),
    ],
)
def test_a_date_that_cannot_be_right_is_flagged(case_date: date, because: str | None) -> None:
    found = implausible(case_date, published=date(2021, 1, 14), window_days=14)
    assert found is None if because is None else because in (found or "")


def test_a_date_outside_its_window_is_flagged_when_it_fits_the_other_way_round() -> None:
    found = implausible(date(2021, 2, 3), published=date(2021, 3, 17), window_days=30)
    assert found is not None
    assert "2021-03-02 would fit" in found


def test_the_publications_day_is_bangkoks() -> None:
    late = row(published_at="2021-01-18T18:24:22+00:00", case_date="2021-01-19")
    assert "implausible" not in only(late)["data"]


def test_an_implausible_row_is_kept() -> None:
    events = list(events_of(SAMPLE))
    for event in events:
        decode(event["type"], json.dumps(event["data"]).encode())
    flagged = [event for event in events if "implausible" in event["data"]]
    assert (len(events), len(flagged)) == (55, 9)
    assert len({event["id"] for event in events}) == len(events)
