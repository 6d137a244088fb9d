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
from tests.api.country import PHUKET, Country, Json, open_country
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
    country: Country, path: str, identity: str, body: Json, **query: str
) -> httpx.Response:
    """The answer to a decision of its own key, in the exercise unless the query says otherwise."""
    content = json.dumps(body).encode()
    query = {"realm": "exercise", **query}
    key = {"Idempotency-Key": f"{path}-{next(_keys)}"}
    return await country.send("POST", f"/v1/directives{path}", identity, key, content, **query)


async def directed(country: Country, id_: str) -> None:
    """A directive is drafted, issued and acknowledged in the exercise."""
    drafted = await decided(country, "", "secretariat:a", {**DRAFT, "directive": id_})
    issued = await decided(country, f"/{id_}/issue", "deputy:a", {})
    taken = await decided(country, f"/{id_}/acknowledge", "poc:TH-83", {})
    assert [one.status_code for one in (drafted, issued, taken)] == [201, 200, 200]
    while await country.network.relay.publish():
        pass
    await country.network.project()


async def changed_by_exercise(
    country: Country, reader: str, questions: Sequence[Question], seed: str
) -> list[tuple[Question, str]]:
    """Where the reader's answers differ once the exercise is over."""
    # What is known at a moment is read once and remembered: the first time pays for it.
    await observe(country, reader, questions)
    before = await observe(country, reader, questions)
    await country.tell(*exercised(Random(seed)))
    # Once under the id of an actual directive.
    await directed(country, "coast" if seed == READERS[0] else f"drill-{seed.replace(':', '-')}")
    await country.tick()
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


async def test_a_directive_of_an_exercise_is_judged_by_the_real_orders(country: Country) -> None:
    beyond = {**DRAFT, "directive": "beyond", "addressees": ["TH-82"]}
    await decided(country, "", "secretariat:a", beyond)
    refused = await decided(country, "/beyond/issue", "deputy:a", {})
    assert (refused.status_code, refused.json()["rule"]) == (403, "outside-matrix")


async def test_a_key_may_be_used_once_in_each_realm(country: Country) -> None:
    content, key = json.dumps({**DRAFT, "directive": "twice"}).encode(), {"Idempotency-Key": "both"}
    for realm in ("actual", "exercise", "test"):
        first = await country.send(
            "POST", "/v1/directives", "secretariat:a", key, content, realm=realm
        )
        assert (first.status_code, first.json()["state"]) == (201, "draft")


async def test_a_step_in_one_realm_is_none_in_the_other(country: Country) -> None:
    await decided(country, "", "secretariat:a", {**DRAFT, "directive": "apart"})
    refused = await decided(country, "/apart/issue", "deputy:a", {}, realm="actual")
    assert refused.status_code == 404


async def test_every_event_of_an_exercise_is_read_as_a_fact_would_be(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as fresh,
    ):
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
