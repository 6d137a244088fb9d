"""An exercise is a network of its own: it shows all of itself, and nothing of it elsewhere."""

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from random import Random

import httpx
import msgspec
import pytest
import pytest_asyncio

from schemas.envelope import Envelope
from services.embedded.postgres import EmbeddedPostgres
from tests.api.asking import Question, Walk, differences, observe
from tests.api.country import PHANG_NGA, PHUKET, Country, Json, gives, open_country
from tests.api.happenings import HAPPENINGS, alerted, direct, happen, measured, opened, said
from tests.database import fresh_database
from tests.projections.network import event

SINCE = "2024-09-01T12:02:30+07:00"
_keys = itertools.count(1)
READERS = ["pm", "deputy:a", "secretariat:a", "poc:TH-83", "moc:moi", "analyst", "operator"]
DRAFT = {
    "directive": "coast",
    "deputy": "a",
    "kind": "report",
    "title_th": "ฝึกซ้อม",
    "text_th": "ให้รายงาน",
    "addressees": [PHUKET],
}


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country in which things happened, and exercises follow."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as made,
    ):
        await happen(made)
        await direct(made)
        # How often it looks whether a retry is done must not depend on the time that takes.
        made.wait_at_most(seconds=0)
        yield made


@pytest_asyncio.fixture
async def fresh(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A country of a test's own."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as made,
    ):
        yield made


def in_exercise(one: tuple[Envelope, bytes]) -> tuple[Envelope, bytes]:
    """The same event, id and all, stated of an exercise."""
    return msgspec.structs.replace(one[0], realm="exercise"), one[1]


def asked(country: Country, random: Random) -> list[Question]:
    """Every operation, with parameters by chance, of the facts alone."""
    last = SINCE
    questions = list(Walk(country, random, last).plain())
    return [one for one in questions if "exercise" not in dict(one.query).values()]


def exercised(random: Random) -> list[tuple[Envelope, bytes]]:
    """What is injected: what happened already, under the same ids, and more by chance."""
    minutes = [random.uniform(-600, 20) for _ in range(12)]
    figures = [random.randrange(10**6) for _ in range(12)]
    more = [
        *(said(dead=n, minutes=m) for n, m in zip(figures, minutes, strict=True)),
        opened("drill", PHUKET, minutes=-1, severity="extreme"),
        alerted("alert-1", PHUKET, message="cancel", references=["alert-1"], minutes=3),
        measured(PHUKET, "2024-09-01", "77", minutes=4),
        event("incident.closed.v1", {"incident": "flood", "reason": "drill"}, minutes=9),
        event("event.withdrawn.v1", {"reason": "drill"}, originalid="first", minutes=9),
        event("heartbeat.sent.v1", {}, minutes=15, sequence="000099"),
    ]
    injected = [*HAPPENINGS, *random.sample(more, len(more))]
    return [in_exercise(one) for one in injected]


async def decided(
    country: Country,
    identity: str,
    body: Json,
    *,
    path: str = "/v1/directives",
    realm: str = "exercise",
) -> httpx.Response:
    """The answer to a decision of its own key, and what it decided is in the read models."""
    content, key = json.dumps(body).encode(), {"Idempotency-Key": f"{path}-{next(_keys)}"}
    answer = await country.send("POST", path, identity, key, content, realm=realm)
    while await country.network.relay.publish():
        pass
    await country.network.project()
    return answer


async def directed(country: Country, id_: str) -> None:
    """A directive is drafted, issued and acknowledged in the exercise."""
    path = f"/v1/directives/{id_}"
    drafted = await decided(country, "secretariat:a", {**DRAFT, "directive": id_})
    issued = await decided(country, "deputy:a", {}, path=f"{path}/issue")
    taken = await decided(country, "poc:TH-83", {}, path=f"{path}/acknowledge")
    assert [one.status_code for one in (drafted, issued, taken)] == [201, 200, 200]


async def ordered(country: Country, number: str, *amends: str) -> httpx.Response:
    """In the exercise, Phang Nga passes from B to A."""
    body = {
        "number": number,
        "effective_from": "2024-08-20",
        "amends": ["1/2567", *amends],
        "clauses": [{"act": "assign", **gives("area", PHANG_NGA, "a")}],
    }
    return await decided(country, "pm", body, path="/v1/orders")


async def changed_by_exercise(
    country: Country, reader: str, questions: Sequence[Question], seed: str
) -> list[tuple[Question, str]]:
    """Where the reader's answers differ once the exercise is over."""
    # Orders are read once and remembered, an exercise's too: the first to ask pays for it.
    await observe(country, reader, questions)
    before = await observe(country, reader, questions)
    await country.tell(*exercised(Random(seed)))
    # Once under the id of an actual directive.
    await directed(country, "coast" if seed == READERS[0] else f"drill-{seed.replace(':', '-')}")
    given = await ordered(country, f"{READERS.index(seed) + 700}/2567")
    assert given.status_code == 201, given.text
    await country.tick()
    await observe(country, reader, [one for one in questions if one.method == "get"])
    return differences(questions, before, await observe(country, reader, questions))


@pytest.mark.parametrize("reader", READERS)
async def test_every_answer_about_facts_is_the_same_bytes_after_a_whole_exercise(
    country: Country, reader: str
) -> None:
    questions = asked(country, Random(reader))
    assert len(questions) > 50
    assert await changed_by_exercise(country, reader, questions, reader) == []


async def test_the_same_events_as_facts_would_have_been_seen(country: Country) -> None:
    questions = asked(country, Random("control"))
    before = await observe(country, "pm", questions)
    await country.tell(alerted("control", PHUKET, minutes=3))
    assert differences(questions, before, await observe(country, "pm", questions))


async def test_an_exercise_is_seen_where_it_is_asked_for(country: Country) -> None:
    drill = opened("shown", PHUKET, minutes=18), said(dead=7, incident="shown", minutes=19)
    await country.tell(*map(in_exercise, drill))
    exercise = await country.ask("/v1/incidents/shown", realm="exercise")
    assert exercise["id"] == "shown"
    assert (await country.get("/v1/incidents/shown")).status_code == 404


async def test_a_directive_of_an_exercise_is_known_there_alone(country: Country) -> None:
    await directed(country, "known")
    exercise = await country.ask("/v1/directives/known", realm="exercise")
    assert exercise["addressees"][0]["state"] == "acknowledged"
    assert (await country.get("/v1/directives/known")).status_code == 404
    listed = await country.ask("/v1/directives", realm="exercise")
    assert "known" in {one["id"] for one in listed["items"]}


async def test_a_directive_of_an_exercise_is_judged_by_the_real_orders(fresh: Country) -> None:
    beyond = {**DRAFT, "directive": "beyond", "addressees": [PHANG_NGA]}
    await decided(fresh, "secretariat:a", beyond)
    refused = await decided(fresh, "deputy:a", {}, path="/v1/directives/beyond/issue")
    assert (refused.status_code, refused.json()["rule"]) == (403, "outside-matrix")


async def test_an_order_of_an_exercise_rules_there_alone(fresh: Country) -> None:
    beyond = {**DRAFT, "directive": "beyond", "addressees": [PHANG_NGA]}
    issue = "/v1/directives/beyond/issue"
    for realm in ("actual", "exercise"):
        await decided(fresh, "secretariat:a", beyond, realm=realm)
    assert (await decided(fresh, "deputy:a", {}, path=issue)).json()["rule"] == "outside-matrix"
    assert (await ordered(fresh, "7/2567")).status_code == 201
    assert (await decided(fresh, "deputy:a", {}, path=issue)).status_code == 200
    refused = await decided(fresh, "deputy:a", {}, path=issue, realm="actual")
    assert refused.json()["rule"] == "outside-matrix"
    for realm, holder in (("actual", "b"), ("exercise", "a"), ("test", "b")):
        answer = await fresh.ask("/v1/oversight", dimension="area", realm=realm)
        held = {one["target"]: one["deputy"] for one in answer["items"]}
        assert (held[PHANG_NGA]["id"], held[PHUKET]["id"]) == (holder, "a")
        listed = await fresh.ask("/v1/orders", realm=realm)
        assert ("7/2567" in {one["number"] for one in listed["items"]}) == (realm == "exercise")


async def test_who_holds_something_in_an_exercise_sees_no_fact_by_it(fresh: Country) -> None:
    await happen(fresh)
    await fresh.tell(*map(in_exercise, HAPPENINGS))
    before = await fresh.ask("/v1/deputies/a/overview", "deputy:a")
    assert (await ordered(fresh, "7/2567")).status_code == 201
    assert await fresh.ask("/v1/deputies/a/overview", "deputy:a") == before
    exercise = await fresh.ask("/v1/deputies/a/overview", identity="deputy:a", realm="exercise")
    assert exercise != before


async def test_an_exercise_takes_no_number_of_an_actual_order(fresh: Country) -> None:
    body = {"number": "7/2567", "effective_from": "2024-08-20", "revokes": ["1/2567"]}
    actual = await decided(fresh, "pm", body, path="/v1/orders", realm="actual")
    the_same = await decided(fresh, "pm", body, path="/v1/orders")
    other = await ordered(fresh, "1/2567")
    assert actual.status_code == 201
    for refused in (the_same, other):
        assert (refused.status_code, refused.json()["rule"]) == (409, "order-number-taken")


async def test_a_key_may_be_used_once_in_each_realm(country: Country) -> None:
    content, key = json.dumps({**DRAFT, "directive": "twice"}).encode(), {"Idempotency-Key": "both"}
    for realm in ("actual", "exercise", "test"):
        first = await country.send(
            "POST", "/v1/directives", "secretariat:a", key, content, realm=realm
        )
        assert (first.status_code, first.json()["state"]) == (201, "draft")


async def test_a_step_in_one_realm_is_none_in_the_other(country: Country) -> None:
    await decided(country, "secretariat:a", {**DRAFT, "directive": "apart"})
    refused = await decided(
        country, "deputy:a", {}, path="/v1/directives/apart/issue", realm="actual"
    )
    assert refused.status_code == 404


async def test_every_event_of_an_exercise_is_read_as_a_fact_would_be(fresh: Country) -> None:
    await fresh.tell(*HAPPENINGS, *map(in_exercise, HAPPENINGS))
    for path in (
        "/v1/overview",
        "/v1/incidents",
        "/v1/incidents/flood",
        "/v1/alerts",
        "/v1/indicators/rain/values",
        "/v1/provinces/TH-83/situation",
        "/v1/deputies/a/overview",
        "/v1/centres/poc:TH-82",
    ):
        facts = await fresh.ask(path)
        exercise = await fresh.ask(path, realm="exercise")
        assert json.dumps(exercise) == json.dumps(facts), path
