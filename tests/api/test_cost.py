"""What an answer costs: a fixed number of statements, and rows that do not grow with history."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import (
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    PRESS,
    Country,
    Json,
    centre,
    gives,
    open_country,
    order,
    province,
    registered,
)
from tests.api.happenings import (
    alerted,
    direct,
    directed,
    happen,
    heard,
    measured,
    opened,
    said,
    silent,
)
from tests.api.subscribing import KEY, id_of, sent, subscribed
from tests.database import fresh_database
from tests.projections.network import NOON, event

SINCE = "2024-09-01T12:02:30+07:00"
STATEMENTS = {
    "/v1/centres": 2,
    "/v1/centres/poc:TH-83": 3,
    "/v1/provinces": 1,
    "/v1/provinces/TH-83": 1,
    "/v1/provinces/TH-83/situation": 3,
    "/v1/incidents": 2,
    "/v1/incidents/flood": 4,
    "/v1/indicators": 2,
    "/v1/indicators/rain/values": 3,
    "/v1/alerts": 2,
    "/v1/alerts/alert-1.cap": 3,
    "/v1/deputies": 1,
    "/v1/deputies/a/area": 1,
    "/v1/deputies/a/overview": 3,
    "/v1/oversight": 1,
    "/v1/subscriptions": 2,
    f"/v1/subscriptions/{id_of('pm')}": 2,
    f"/v1/subscriptions/{id_of('pm')}/deliveries": 3,
    "/v1/archive": 1,
    "/v1/overview": 3,
    "/v1/directives": 3,
    "/v1/directives/coast": 3,
    "/v1/directives/coast/history": 3,
    "/v1/directives/times": 2,
    "/v1/policies": 1,
    "/v1/clocks": 1,
    "/v1/policies/coast": 1,
    "/v1/changes": 15,
    "/v1/deputies/a/changes": 15,
    "/v1/provinces/TH-83/changes": 15,
}
NOW_QUERIES = [
    "/v1/deputies/a/overview",
    "/v1/provinces/TH-83/situation",
    "/v1/alerts",
    "/v1/centres",
    "/v1/deputies/a/changes",
    "/v1/incidents?state=any&limit=5",
    "/v1/incidents?state=closed&limit=5",
    "/v1/incidents?state=any&limit=5&deputy=a",
]
OF_A_PLACE = [
    ("/v1/incidents", "/v1/incidents?province=TH-82"),
    # Whole lists, as pages of equal length hold incidents of unequal histories.
    (
        "/v1/incidents?state=any&from=2024-09-01",
        "/v1/incidents?state=any&from=2024-09-01&province=TH-82",
    ),
    ("/v1/alerts", "/v1/alerts?province=TH-82"),
    ("/v1/centres", None),
    ("/v1/indicators", None),
    ("/v1/indicators/rain/values", None),
    ("/v1/overview", "/v1/deputies/a/overview"),
]
"""Lists of the nation, and the same of one place; None where the reader's scope alone narrows."""


@dataclass(frozen=True)
class Cost:
    """What the statements of an answer read, by EXPLAIN of each as it ran."""

    rows: float
    buffers: int


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country whose history grows within these tests."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened_country,
    ):
        await happen(opened_country)
        await direct(opened_country)
        await subscribed(opened_country, "pm", key=KEY)
        await sent(opened_country, f"/{id_of('pm')}/test", "pm")
        yield opened_country


@pytest.mark.parametrize(("path", "count"), STATEMENTS.items())
async def test_an_answer_costs_a_fixed_number_of_statements(
    country: Country, path: str, count: int
) -> None:
    query = asked(path)
    await country.get(path, **query)
    with country.counting_statements() as statements:
        assert (await country.get(path, **query)).status_code == 200
    assert len(statements) == count


async def test_a_question_about_the_past_reads_its_tick_and_nothing_twice(country: Country) -> None:
    path, tick = "/v1/provinces/TH-83", await country.tick_after(said(dead=1, minutes=30))
    asked = {"as_of": "2024-09-01", "known_at": tick.time.isoformat()}
    await country.ask(path, **asked)
    with country.counting_statements() as statements:
        await country.ask(path, **asked)
    assert len(statements) == 2


@pytest.mark.parametrize("path", NOW_QUERIES)
async def test_what_is_asked_of_now_reads_as_much_after_a_long_history(
    country: Country, path: str
) -> None:
    await grow(country, 200)
    young = await buffers(country, path)
    await grow(country, 2_000)
    assert await buffers(country, path) <= young * 1.2 + 20


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/deputies/a/overview"])
async def test_what_was_so_before_is_not_looked_for_in_what_came_after(
    country: Country, path: str
) -> None:
    path = f"{path}?as_of=2024-08-10"
    early = await cost(country, path)
    await grow(country, 3_000 + len(path))
    late = await cost(country, path)
    assert late.buffers <= early.buffers * 1.2 + 20
    assert late.rows <= early.rows + 20


async def test_what_is_told_of_a_decision_costs_as_much_among_many_directives(
    country: Country,
) -> None:
    few = await cost_of_news(country, "few", 10)
    many = await cost_of_news(country, "many", 150)
    assert many.buffers <= few.buffers * 1.2 + 20
    assert many.rows <= few.rows + 20


@pytest.mark.parametrize(("path", "count"), STATEMENTS.items())
async def test_a_whole_country_costs_as_many_statements_as_a_small_one(
    large: Country, path: str, count: int
) -> None:
    query = asked(path)
    await large.get(path, **query)
    with large.counting_statements() as statements:
        assert (await large.get(path, **query)).status_code == 200
    assert len(statements) == count


@pytest.mark.parametrize(("nation", "place"), OF_A_PLACE)
async def test_what_is_read_of_a_place_is_never_more_than_of_the_nation(
    large: Country, nation: str, place: str | None
) -> None:
    most = await cost(large, nation)
    of_a_place = [await cost(large, place)] if place else []
    if nation != "/v1/overview":
        of_a_place.append(await cost(large, nation, "poc:TH-82"))
    for one in of_a_place:
        assert one.rows <= most.rows
        assert one.buffers <= most.buffers


def asked(path: str) -> dict[str, Json]:
    """What a question of this path has to say."""
    if path.endswith("/changes"):
        return {"from_as_of": SINCE}
    if path.endswith(".cap"):
        return {"source": "/centres/poc/TH-83"}
    return {"by": "ministry"} if path.endswith("/times") else {}


@pytest_asyncio.fixture(scope="module")
async def large(country: Country) -> Country:
    """The same country with six deputies, 77 provinces and over a thousand centres."""
    codes = [f"TH-{number}" for number in range(10, 87)]
    deputies = "abcdef"
    new = [province(code, code, code) for code in codes]
    new += [registered("deputy.registered.v1", deputy=one, name_th=one) for one in deputies[2:]]
    new += [centre(f"press:{nth}", "other", province=codes[nth % 77]) for nth in range(1_000)]
    areas = [gives("area", code, deputies[nth % 6]) for nth, code in enumerate(codes[1:])]
    # Named last, so Phuket stays with whom the other tests of this module ask about.
    areas = [one for one in areas if one["target"] != PHUKET] + [gives("area", PHUKET, "a")]
    await country.network.decide("large", *new)
    await country.network.decide("orders/pm", order("2/2567", date(2024, 8, 20), *areas))
    await country.tell(
        *(opened(f"in-{code}", code, minutes=9) for code in codes),
        *(said(code, f"in-{code}", dead=1, minutes=10) for code in codes),
        *(alerted(f"alert-of-{code}", code, minutes=9) for code in codes),
        *(measured(code, "2024-09-01", 5, minutes=9) for code in codes),
    )
    await country.network.pool.execute("ANALYZE")
    return country


async def cost_of_news(country: Country, name: str, directives: int) -> Cost:
    """What it costs to tell Phuket of one more directive, after so many to Phang Nga."""
    for nth in range(directives):
        await directed(country, f"{name}-{nth}", PHANG_NGA)
    await country.network.project()
    page = await country.ask("/v1/directives/feed", "poc:TH-83", limit=500)
    await directed(country, f"{name}-news")
    await country.network.project()
    return await cost(country, f"/v1/directives/feed?cursor={page['next']}", "poc:TH-83")


async def grow(country: Country, events: int) -> None:
    """So many more events of places whose present stays as it is."""
    history: list[Json] = []
    for nth in range(events // 10):
        incident = f"old-{events}-{nth}"
        minutes = -10_000 - nth
        history += [
            opened(incident, PHUKET, PHANG_NGA, minutes=minutes),
            event(
                "incident.closed.v1",
                {"incident": incident, "reason": "over"},
                source=DISASTERS,
                minutes=minutes + 1,
            ),
            alerted(f"alert-{incident}", PHUKET, minutes=minutes),
            measured(PHUKET, "2024-08-01", nth, minutes=minutes),
        ]
        history += [said(dead=nth, incident="flood", minutes=minutes + m / 10) for m in range(3)]
        history += [said(dead=nth, source=PRESS, minutes=minutes + m / 10) for m in range(3)]
    words = [
        word("poc:TH-83", minutes=-9_000 + nth)
        for nth in range(0, events // 10, 2)
        for word in (silent, heard)
    ]
    await country.network.decide("timers", *words)
    expired = (NOON - timedelta(minutes=5_000)).isoformat()
    await country.tell(*(_expiring(one, expired) for one in history))
    await country.network.pool.execute("ANALYZE")


def _expiring(one: Json, expires: str) -> Json:
    envelope, data = one
    if envelope.type != "alert.issued.v1":
        return one
    return envelope, json.dumps({**json.loads(data), "expires": expires}).encode()


async def buffers(country: Country, path: str) -> int:
    """How many buffers the statements of an answer touch."""
    return (await cost(country, path)).buffers


async def cost(country: Country, path: str, identity: str = "pm") -> Cost:
    """What the answer to one identity costs, when everything kept in memory is there."""
    url = f"{path}?from_as_of={SINCE}" if path.endswith("/changes") else path
    assert (await country.get_url(url, identity)).status_code == 200
    with country.counting_statements() as statements:
        await country.get_url(url, identity)
    rows, touched = 0.0, 0
    async with country.gateway.resources.pool.acquire() as connection:
        for statement, parameters in statements:
            explained = await connection.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters
            )
            plan = json.loads(explained)[0]["Plan"]
            rows += _scanned(plan)
            touched += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(rows, touched)


def _scanned(plan: Json) -> float:
    """Rows that the scans of a plan looked at."""
    if below := plan.get("Plans", []):
        return sum(_scanned(one) for one in below)
    looked = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return float(looked * plan["Actual Loops"])
