"""The tsunami of December 2004 over HTTP, against numbers computed without the product."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.agent.importing import Archive, Placed
from tests.e2e.system import Json, System

EXPECTED = Path(__file__).parents[1] / "data" / "tsunami_expected.json"
INCIDENT = "tsunami-2004"
NATION = "TH"
KNOWN = "2004-12-28T12:00:00+07:00"

type Question = tuple[str, str | None, str]
"""as_of, known_at, place."""


def questions() -> Iterator[tuple[Question, list[Json]]]:
    """Each question with all figures that are expected for it."""
    asked: dict[Question, list[Json]] = defaultdict(list)
    for one in json.loads(EXPECTED.read_text("utf-8")):
        asked[one["as_of"], one["known_at"], one["place"]].append(one)
    yield from asked.items()


async def figures(system: System, question: Question) -> Json:
    """The figures of the place in the tsunami; none while the incident is not open."""
    as_of, known_at, place = question
    if place == NATION:
        found = await system.get(f"/v1/incidents/{INCIDENT}", as_of=as_of, known_at=known_at)
        said = [] if found.status_code == 404 else found.json()["situation"]
        named = [one for one in said if one["place"] == NATION]
    else:
        path = f"/v1/provinces/{place}/situation"
        found = await system.get(path, as_of=as_of, known_at=known_at)
        named = [one for one in found.json()["incidents"] if one["id"] == INCIDENT]
    assert "Kamkap-Archive-Revision" in found.headers or known_at is None
    return named[0]["figures"] if named else {}


def stated(found: Json, expected: Json) -> int | None:
    """What the source of the expected number states in the answer."""
    source = "/centres/" + expected["source"].replace(":", "/")
    for one in found.get(expected["figure"], {}).get("sources", []):
        if one["source"] == source:
            value: int = one["value"]
            return value
    return None


async def test_the_tsunamis_numbers_are_right_at_every_hour_and_as_they_were_known(
    system: System,
) -> None:
    wrong: list[tuple[Json, int | None]] = []
    for question, expected in questions():
        found = await figures(system, question)
        wrong.extend(
            (one, stated(found, one)) for one in expected if stated(found, one) != one["value"]
        )
    assert wrong == []


async def test_phang_nga_alone_owes_its_answer_until_the_next_morning(system: System) -> None:
    async def unanswered(hour: str) -> list[str]:
        found = await system.ask("/v1/directives/tsunami-2004-reports", as_of=hour)
        return [one["addressee"] for one in found["addressees"] if one["state"] == "issued"]

    assert len(await unanswered("2004-12-26T11:20:00+07:00")) == 6
    assert await unanswered("2004-12-26T13:00:00+07:00") == ["TH-82"]
    assert await unanswered("2004-12-27T08:00:00+07:00") == []


async def test_what_changed_between_two_reports_of_the_tsunami_and_what_was_corrected(
    system: System,
) -> None:
    """Later reports are news; the disaster department's cleaned list of 3 January puts right."""
    by_night = await changed_figures(system, "2004-12-27T00:00:00+07:00", KNOWN)
    assert by_night["dead", "TH", "/centres/press/the-nation"] == ("changed", 198, 198)
    assert by_night["dead", "TH", "/centres/doc/moi.ddpm"] == ("new", None, 392)
    assert by_night["dead", "TH-83", "/centres/doc/moi.ddpm"] == ("new", None, 130)
    assert "corrected" not in {kind for kind, *_ in by_night.values()}

    cleaned = await changed_figures(
        system, "2005-01-02T00:00:00+07:00", "2005-01-03T08:00:00+07:00", "2005-01-02"
    )
    department = "/centres/doc/moi.ddpm"
    assert cleaned["missing", "TH", department] == ("corrected", 6479, 3810)
    assert cleaned["injured", "TH", department] == ("corrected", 10469, 8457)


async def changed_figures(
    system: System, known: str, later: str, as_of: str | None = None
) -> dict[tuple[str, str, str], tuple[Json, ...]]:
    """Kind and both values of what changed, by figure, place and source; of one moment if named."""
    earlier = {"from_known_at": known} if as_of else {"since": known}
    found = await system.ask(
        "/v1/changes",
        **earlier,
        known_at=later,
        as_of=as_of or later,
        archive_revision=1,
        limit=500,
    )
    assert found["next"] is None
    return {
        (item["figure"], item["place"], item["source"]): (
            item["kind"],
            item["before"] and item["before"]["value"],
            item["after"] and item["after"]["value"],
        )
        for item in found["items"]
        if item["about"] == "figure"
    }


async def test_an_answer_from_before_the_opening_stays_through_another_import(
    system: System,
) -> None:
    path = "/v1/provinces/TH-81/situation"
    before = await system.get(path, as_of=KNOWN, known_at=KNOWN, archive_revision=1)
    assert before.headers["Kamkap-Archive-Revision"] == "1"

    report = await system.take_over(Archive("found later", found_later))
    assert (report.facts, report.revision) == (1, 2)

    same = await system.get(path, as_of=KNOWN, known_at=KNOWN, archive_revision=1)
    assert same.content == before.content
    assert same.headers["ETag"] == before.headers["ETag"]
    latest = await system.get(path, as_of=KNOWN, known_at=KNOWN)
    assert latest.headers["Kamkap-Archive-Revision"] == "2"
    assert latest.content != before.content


async def test_a_second_import_of_the_same_is_all_duplicates(system: System) -> None:
    report = await system.take_over(Archive("found later", found_later))
    again = await system.take_over(Archive("found later", found_later))
    assert again.duplicates == 1
    assert again.revision is None
    assert report.conflicts == again.conflicts == []


def found_later() -> Iterable[Placed]:
    """A report of Krabi's centre that the first archive did not hold."""
    yield Placed(
        "event 1",
        {
            "specversion": "1.0",
            "id": "krabi-found-later",
            "source": "/centres/poc/TH-81",
            "type": "situation.reported.v1",
            "subject": f"incidents/{INCIDENT}",
            "time": "2004-12-28T09:00:00+07:00",
            "acceptedtime": "2004-12-28T10:00:00+07:00",
            "data": {"incident": INCIDENT, "place": "TH-81", "households": 12345},
        },
    )
