"""The nation added up three ways: every division gives the same sum, at every moment."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta

import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import (
    BANGKOK,
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    PRESS,
    Country,
    Json,
    gives,
    open_country,
    order,
    province,
)
from tests.api.happenings import alerted, opened, said, silent
from tests.database import fresh_database
from tests.projections.network import NOON, event, report

KRABI = "TH-81"
PROVINCES = (PHUKET, PHANG_NGA, KRABI, BANGKOK)
DAYS = 60
SEED = 2547
_DAY = 24 * 60
SUMMED = ("dead", "injured", "households")


def happenings() -> list[Json]:
    """Two months of incidents, reports, corrections, closings: late, doubled and out of order."""
    chosen = random.Random(SEED)
    story = [told for nth in range(8) for told in one_incident(f"i{nth}", chosen)]
    story.append(alerted("alert-1", PHUKET, PHANG_NGA, minutes=2))
    chosen.shuffle(story)
    return [*story, *chosen.sample(story, 4)]


def one_incident(name: str, chosen: random.Random) -> Iterator[Json]:
    """An incident in up to three provinces, and what is said of it."""
    begins = chosen.uniform(0, DAYS * _DAY / 2)
    places = chosen.sample(PROVINCES, chosen.randint(0, 3))
    agendas, ministries = chosen.choice([[], ["drugs"]]), chosen.choice([[], ["moi"]])
    yield opened(name, *places, agendas=agendas, ministries=ministries, minutes=begins)
    for turn in range(chosen.randint(1, 5) if places else 0):
        yield from one_report(f"{name}-{turn}", chosen, chosen.choice(places), begins)
    if chosen.random() < 0.3:
        over = {"incident": name, "reason": "over"}
        yield event("incident.closed.v1", over, source=DISASTERS, minutes=begins + 9 * _DAY)


def one_report(id_: str, chosen: random.Random, place: str, begins: float) -> Iterator[Json]:
    """A report within three weeks, and its correction if it has one."""
    incident, source = id_.split("-")[0], chosen.choice([DISASTERS, PRESS])
    minutes = begins + chosen.uniform(0, DAYS * _DAY / 3)
    stated: Json = {figure: chosen.randint(1, 50) for figure in chosen.sample(SUMMED, 2)}
    yield said(place, incident, **stated, source=source, minutes=minutes, id=id_)
    if chosen.random() < 0.4:
        right = {
            "corrected_type": "situation.reported.v1",
            "corrected_data": report(incident=incident, place=place, dead=51),
            "reason": "counted twice",
        }
        attributes: Json = {"source": source, "minutes": minutes + 5, "originalid": id_}
        yield event("event.corrected.v1", right, **attributes)


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A country in which provinces move twice within two months."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as made,
    ):
        await made.network.decide(
            "orders",
            province(KRABI, "กระบี่", "Krabi"),
            order("2/2567", date(2024, 9, 20), gives("area", PHUKET, "b"),
                  gives("area", KRABI, "a"), gives("agenda", "drugs", "a")),
            order("3/2567", date(2024, 10, 10), gives("area", PHANG_NGA, "a"),
                  gives("function", "moi", "b")),
        )  # fmt: skip
        await made.network.decide("timers", silent("poc:TH-83", minutes=10))
        await made.network.decide("timers", silent("moc:moi", minutes=10))
        told = happenings()
        await made.tick_after(*told[: len(told) // 2])
        await made.tick_after(*told[len(told) // 2 :])
        made.now = NOON + timedelta(days=DAYS)
        yield made


def added(groups: list[Json]) -> Json:
    """What is summable of these totals, added up."""
    figures: Counter[str] = Counter()
    for totals in groups:
        figures.update(totals["figures"])
    return {
        "provinces": sum(totals["provinces"] for totals in groups),
        "silent_centres": sum(totals["silent_centres"] for totals in groups),
        "figures": {name: value for name, value in figures.items() if value},
    }


def divisions(nation: Json) -> list[list[Json]]:
    """Every way in which the answer divides the nation."""
    beside = [nation[name]["totals"] for name in ("uncovered", "not_known", "outside_scheme")]
    by_scheme = [
        [*(one["totals"] for one in scheme["clusters"]), scheme["outside"]["totals"]]
        for scheme in nation["schemes"]
    ]
    return [
        [one["totals"] for one in nation["provinces"]],
        [*(one["totals"] for one in nation["overseers"]), *beside],
        *by_scheme,
    ]


@pytest.mark.parametrize("day", range(0, DAYS, 6))
async def test_every_division_of_the_nation_adds_up_to_it(country: Country, day: int) -> None:
    as_of = (NOON + timedelta(days=day)).isoformat()
    nation = await country.ask("/v1/overview", as_of=as_of)
    whole = added([nation["totals"]])
    assert len(divisions(nation)) == 3
    for division in divisions(nation):
        assert added([*division, nation["elsewhere"]]) == whole
    for one in nation["provinces"]:
        code = one["provinces"][0]
        situation = await country.ask(f"/v1/provinces/{code}/situation", as_of=as_of)
        assert one["totals"]["figures"] == situation["totals"]
    for one in nation["overseers"]:
        seen = await country.ask(f"/v1/deputies/{one['deputy']['id']}/overview", as_of=as_of)
        assert one["totals"] == seen["totals"]


async def test_an_incident_counts_once_in_the_nation_and_says_why_it_is_shared(
    country: Country,
) -> None:
    for day in range(0, DAYS, 12):
        as_of = (NOON + timedelta(days=day)).isoformat()
        nation = await country.ask("/v1/overview", as_of=as_of)
        listed = await country.ask("/v1/incidents", as_of=as_of, limit=500)
        assert nation["totals"]["incidents"]["open"] == len(listed["items"])
        shared = {
            item["id"]: item["overseers"]
            for item in listed["items"]
            if len({one["deputy"] for one in item["overseers"]}) > 1
        }
        assert {one["id"]: one["overseers"] for one in nation["shared"]} == shared


async def test_the_story_has_something_to_add_up(country: Country) -> None:
    nation = await country.ask("/v1/overview")
    assert set(nation["totals"]["figures"]) == set(SUMMED)
    assert sum(bool(one["totals"]["figures"]) for one in nation["provinces"]) >= 2
    assert nation["shared"]


async def test_each_cover_stands_apart(country: Country) -> None:
    before = await country.ask("/v1/overview", as_of="2024-09-02")
    assert {one["deputy"]["id"]: one["provinces"] for one in before["overseers"]} == {
        "a": [PHUKET],
        "b": [PHANG_NGA],
    }
    assert before["uncovered"]["provinces"] == [KRABI]
    assert before["outside_scheme"]["provinces"] == [BANGKOK]
    after = await country.ask("/v1/overview", as_of="2024-09-20")
    assert {one["deputy"]["id"]: one["provinces"] for one in after["overseers"]} == {
        "a": [KRABI],
        "b": [PHUKET],
    }
    assert before["elsewhere"]["silent_centres"] == 1


async def test_who_sees_a_part_has_no_overview_of_the_nation(country: Country) -> None:
    for identity in ("deputy:a", "poc:TH-83", "moc:moi", "screening", "operator"):
        assert (await country.get("/v1/overview", identity)).status_code == 403
