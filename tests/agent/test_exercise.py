"""Exercise files: offsets, runs, and nothing that could leave the realm."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent import demo
from services.agent.archive import BrokenLine
from services.agent.exercise import Clock, Inject, injects_of, posted, stated
from services.ingest.reading import Stated, read

START = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
NORMAL = Clock(START, 1)
EVENT = {"source": "/centres/poc/TH-83", "type": "heartbeat.sent.v1", "data": {}}
POST = {"as": "pm", "post": "/v1/directives", "body": {}}


def written(folder: Path, *lines: object) -> Path:
    file = folder / "exercise.ndjson"
    file.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def test_injects_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    lines = [{"at": f"T+00:{at}:00", "event": EVENT} for at in ("20", "05", "20")]
    injects = injects_of(written(tmp_path, *lines))
    assert [inject.at for inject in injects] == [timedelta(minutes=m) for m in (5, 20, 20)]
    assert [inject.place[-1] for inject in injects] == ["3", "1", "5"]


@pytest.mark.parametrize(
    "line",
    [
        [],
        {},
        {"at": "T+00:05:00"},
        {"at": "00:05:00", "event": EVENT},
        {"at": "T+00:75:00", "event": EVENT},
        {"at": "T-00:05:00", "event": EVENT},
        {"at": 5, "event": EVENT},
        {"at": "T+00:05:00", "event": {"source": "/centres/pmoc"}},
        {"at": "T+00:05:00", **POST, "post": "/v1/policies"},
        {"at": "T+00:05:00", **POST, "post": "/v1/directives?realm=actual"},
        {"at": "T+00:05:00", **POST, "post": "/v1/directivesx"},
        {"at": "T+00:05:00", **POST, "as": "nobody at all"},
        {"at": "T+00:05:00", **POST, "body": []},
    ],
)
def test_a_line_that_is_no_inject_is_told_before_anything_begins(
    tmp_path: Path, line: object
) -> None:
    with pytest.raises(BrokenLine, match=r"exercise\.ndjson, line 3"):
        injects_of(written(tmp_path, {"at": "T+00:00:00", "event": EVENT}, line))


@given(st.dictionaries(st.sampled_from(["realm", "id", "specversion", "subject"]), st.text()))
def test_whatever_a_line_says_its_realm_is_the_exercise(said: dict[str, str]) -> None:
    inject = Inject("", timedelta(), event={**EVENT, **said})
    event = stated(inject, 7, run="run", clock=NORMAL)
    assert (event["realm"], event["id"], event["specversion"]) == ("exercise", "run-7", "1.0")


def test_offsets_are_moments_and_the_run_has_its_name() -> None:
    data = {"incident": "{run}", "until": ["T+02:00:00", "T+ 2"], "beside": {"n": 1}}
    inject = Inject("", timedelta(hours=1), event={**EVENT, "data": data})
    event = stated(inject, 1, run="autumn", clock=NORMAL)
    assert event["time"] == "2026-10-14T10:00:00+07:00"
    assert event["data"] == {
        "incident": "autumn",
        "until": ["2026-10-14T11:00:00+07:00", "T+ 2"],
        "beside": {"n": 1},
    }


def test_a_report_may_state_a_time_before_it_is_made() -> None:
    inject = Inject("", timedelta(hours=1), event={**EVENT, "time": "T+00:30:00"})
    event = stated(inject, 1, run="r", clock=NORMAL)
    assert event["time"] == "2026-10-14T09:30:00+07:00"


def test_a_faster_exercise_has_everything_sooner() -> None:
    inject = Inject("", timedelta(hours=1), event={**EVENT, "data": {"expires": "T+02:00:00"}})
    event = stated(inject, 1, run="r", clock=Clock(START, 60))
    assert event["time"] == "2026-10-14T09:01:00+07:00"
    assert event["data"]["expires"] == "2026-10-14T09:02:00+07:00"


def test_a_post_is_under_the_name_of_its_run() -> None:
    inject = Inject("", timedelta(), post="/v1/directives/{run}/issue", speaker="pm", body={})
    assert posted(inject, run="autumn", clock=NORMAL) == ("/v1/directives/autumn/issue", {})


def test_every_event_of_the_demonstration_exercise_is_one_that_the_door_reads() -> None:
    injects = injects_of(demo.exercise())
    events = [one for one in injects if one.event is not None]
    assert len(injects) > len(events) > 5
    for number, inject in enumerate(events):
        event = stated(inject, number, run="run", clock=NORMAL)
        reading = read(json.dumps(event).encode(), now=START + timedelta(hours=6))
        assert isinstance(reading, Stated), reading
