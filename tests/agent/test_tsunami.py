"""What the tsunami's archive says, checked against a fold of its table that shares no code."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.events import decode
from services.agent import demo
from services.agent.archive import events_of

EXPECTED = Path(__file__).parents[1] / "data" / "tsunami_expected.json"
BANGKOK = timezone(timedelta(hours=7))
FIGURES = {"dead": "dead_total", "injured": "injured_total", "missing": "missing_total"}
OPEN = datetime.max.replace(tzinfo=BANGKOK)

type Answer = dict[str, Any]


@cache
def counts() -> list[dict[str, str]]:
    (path,) = (path for path in demo.tsunami_2004() if path.stem == "counts")
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def events() -> list[dict[str, Any]]:
    return read()


def read() -> list[dict[str, Any]]:
    return [event for path in demo.tsunami_2004() for event in events_of(path)]


def published(row: dict[str, str]) -> datetime:
    moment = datetime.fromisoformat(row["published"])
    if len(row["published"]) == 10:
        return moment.replace(tzinfo=BANGKOK) + timedelta(days=1)
    return moment


def from_table(answer: Answer) -> int | None:
    """The figure by the table: the latest row of the source, as its corrections left it."""
    until = datetime.fromisoformat(answer["known_at"]) if answer["known_at"] else OPEN
    known = [
        row
        for row in counts()
        if (row["place"], row["centre"]) == (answer["place"], answer["source"])
        and published(row) <= until
    ]
    said: dict[str, dict[str, str]] = {}
    for row in sorted(known, key=lambda row: bool(row["corrects"])):
        said[row["corrects"] or row["as_of"]] = row
    cell = ""
    for as_of in sorted(said, key=datetime.fromisoformat):
        if datetime.fromisoformat(as_of) <= datetime.fromisoformat(answer["as_of"]):
            cell = said[as_of][FIGURES[answer["figure"]]] or cell
    return int(cell) if cell else None


def from_events(answer: Answer) -> int | None:
    """The figure by the events: reports in time order, each as its correction left it."""
    until = datetime.fromisoformat(answer["known_at"]) if answer["known_at"] else OPEN
    as_of = datetime.fromisoformat(answer["as_of"])
    source = "/centres/" + answer["source"].replace(":", "/")
    visible = [
        event
        for event in events()
        if event["source"] == source and datetime.fromisoformat(event["acceptedtime"]) <= until
    ]
    corrected = {
        event["originalid"]: event["data"]["corrected_data"]
        for event in visible
        if event["type"] == "event.corrected.v1"
    }
    value = None
    for event in sorted(visible, key=lambda event: datetime.fromisoformat(event["time"])):
        if event["type"] != "situation.reported.v1":
            continue
        data = corrected.get(event["id"], event["data"])
        if data["place"] == answer["place"] and datetime.fromisoformat(event["time"]) <= as_of:
            value = data.get(answer["figure"], value)
    return value


def hours() -> Iterator[str]:
    """Every hour of 26, 27 and 28 December 2004."""
    first = datetime(2004, 12, 26, tzinfo=BANGKOK)
    for hour in range(3 * 24 + 1):
        yield (first + timedelta(hours=hour)).isoformat()


def expected() -> list[Answer]:
    answers: list[Answer] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return answers


def test_the_expected_numbers_are_what_the_table_says() -> None:
    assert [answer for answer in expected() if from_table(answer) != answer["value"]] == []


def test_the_events_answer_the_expected_numbers() -> None:
    assert [answer for answer in expected() if from_events(answer) != answer["value"]] == []


def test_the_expected_numbers_cover_every_hour_of_three_days_for_both_provinces() -> None:
    asked = {(a["place"], a["figure"], a["as_of"]) for a in expected() if a["known_at"] is None}
    for place in ("TH-82", "TH-83"):
        assert {hour for p, f, hour in asked if (p, f) == (place, "dead")} >= set(hours())


@pytest.mark.parametrize(
    ("place", "as_of", "known_at", "dead"),
    [
        ("TH-83", "2004-12-26T22:00:00+07:00", None, None),
        ("TH-83", "2004-12-26T23:00:00+07:00", None, 117),
        ("TH-83", "2004-12-27T05:00:00+07:00", None, 130),
        ("TH-82", "2004-12-27T04:00:00+07:00", None, None),
        ("TH-82", "2004-12-28T20:00:00+07:00", None, 181),
        # The newspapers of 27 December state no hour: known when that day ends in Bangkok.
        ("TH-82", "2004-12-27T12:00:00+07:00", "2004-12-27T23:59:59+07:00", None),
        ("TH-82", "2004-12-27T12:00:00+07:00", "2004-12-28T00:00:00+07:00", 181),
    ],
)
def test_the_disaster_departments_dead(
    place: str, as_of: str, known_at: str | None, dead: int | None
) -> None:
    answer = {
        "place": place,
        "source": "doc:moi.ddpm",
        "figure": "dead",
        "as_of": as_of,
        "known_at": known_at,
    }
    assert from_table(answer) == dead
    assert from_events(answer) == dead


def test_missing_of_new_years_eve_is_corrected_after_the_duplicate_names_are_out() -> None:
    answer = {
        "place": "TH",
        "source": "doc:moi.ddpm",
        "figure": "missing",
        "as_of": "2004-12-31T18:00:00+07:00",
    }
    assert from_events({**answer, "known_at": "2005-01-02T00:00:00+07:00"}) == 6479
    assert from_events({**answer, "known_at": "2005-01-03T08:00:00+07:00"}) == 3810


def test_dead_of_10_january_are_corrected_downwards() -> None:
    answer = {
        "place": "TH",
        "source": "doc:moi.ddpm",
        "figure": "dead",
        "as_of": "2005-01-10T12:00:00+07:00",
    }
    assert from_events({**answer, "known_at": "2005-01-11T00:00:00+07:00"}) == 5309
    assert from_events({**answer, "known_at": "2005-01-12T00:00:00+07:00"}) == 5303


def test_a_correction_names_an_original_of_the_same_source() -> None:
    ids = {(event["source"], event["id"]) for event in events()}
    corrections = [event for event in events() if event["type"] == "event.corrected.v1"]
    assert len(corrections) == 2
    assert all((event["source"], event["originalid"]) in ids for event in corrections)


def test_two_outlets_contradict_each_other_at_one_minute() -> None:
    said = {
        event["source"]: event["data"]["dead"]
        for event in events()
        if event["time"] == "2004-12-26T21:42:00+07:00" and event["data"].get("dead")
    }
    assert said == {"/centres/press/the-nation": 198, "/centres/press/cnn": 400}


def test_every_event_is_of_its_type_and_known_no_earlier_than_it_happened() -> None:
    for event in events():
        decode(event["type"], json.dumps(event["data"]).encode())
        assert datetime.fromisoformat(event["acceptedtime"]) >= datetime.fromisoformat(
            event["time"]
        )


def test_a_moment_without_source_is_marked_illustrative() -> None:
    for event in events():
        assert (event["sourced"] == "no") == (event.get("illustrative") == "true")


def test_a_second_reading_gives_the_same_events() -> None:
    again = read()
    assert again == events()
    assert len({(event["source"], event["id"]) for event in again}) == len(again)


def test_money_makes_no_event() -> None:
    made = {event["type"] for event in events() if not event["type"].startswith("directive.")}
    assert made == {
        "incident.opened.v1",
        "alert.issued.v1",
        "situation.reported.v1",
        "event.corrected.v1",
    }
