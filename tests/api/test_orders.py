"""Orders over HTTP: issued by the PM alone, once for each key, and read as they stood."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.api.deciding import MAX_BODY_BYTES
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.authority import STREAM
from services.eventlog.store import Appended, Decision, DecisionStore
from tests.api.country import (
    PHANG_NGA,
    PHUKET,
    Country,
    gives,
    open_country,
    province,
    registered,
)
from tests.database import Database, fresh_database

type Json = Any

ISSUED = {"number": "2/2567", "effective_from": "2024-09-15", "source": "test"}


def body(*clauses: Json, **stated: Json) -> bytes:
    return json.dumps({**ISSUED, "clauses": list(clauses), **stated}).encode()


GIVES_A = {"act": "assign", **gives("area", PHANG_NGA, "a")}
WHOLE_REGION = {"act": "assign_group", "group": "region", "name": "6", "deputy": "a"}
AMENDS = {"amends": ["1/2567"]}


async def post(
    country: Country, content: bytes, *, key: str = "k1", identity: str | None = "pm"
) -> httpx.Response:
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return await country.send("POST", "/v1/orders", identity, headers, content)


async def published(country: Country) -> None:
    """What was decided is in the read models."""
    while await country.network.relay.publish():
        pass
    await country.network.project()


async def stored(country: Country) -> list[str]:
    return [event.envelope.subject or "" for event in await country.network.store.load(STREAM)]


@pytest_asyncio.fixture(scope="module")
async def settled(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all requests that change nothing: an order in force, one that reserves a
    matter from deputy A, and one that is to come."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        matter = {"act": "reserve", "deputy": "a", "subject": "incidents/flood"}
        now = {"effective_from": "2024-08-15T09:30:00+07:00"}
        assert (await post(opened, body(matter, number="2/2567", **now))).status_code == 201
        later = body(GIVES_A, number="3/2567", **AMENDS)
        assert (await post(opened, later, key="k2")).status_code == 201
        await published(opened)
        yield opened


# Issuing.


async def test_an_order_is_issued_and_answered_with_its_clauses(country: Country) -> None:
    response = await post(country, body(WHOLE_REGION, **AMENDS))
    assert response.status_code == 201, response.text
    answer = response.json()
    assert answer["number"] == "2/2567"
    assert [(one["clause"], one["orders"]["target"]) for one in answer["clauses"]] == [
        (1, PHANG_NGA),
        (2, PHUKET),
    ]
    assert answer["clauses"][0]["orders"]["through"] == "6"
    await published(country)
    order = await country.ask("/v1/orders/2/2567", after=answer["position"])
    assert (order["state"], order["clauses"]) == ("coming", answer["clauses"])


async def test_a_province_moves_at_the_second_the_order_says(country: Country) -> None:
    assert (await post(country, body(GIVES_A, **AMENDS))).status_code == 201
    await published(country)
    for moment, holder in (("2024-09-14T23:59:59+07:00", "b"), ("2024-09-15T00:00:00+07:00", "a")):
        answer = await country.ask("/v1/oversight", as_of=moment, dimension="area")
        holders = {one["target"]: one["deputy"] for one in answer["items"]}
        assert holders[PHANG_NGA]["id"] == holder


async def test_a_late_order_changes_what_was_so_and_not_what_was_known(country: Country) -> None:
    before = (await country.tick()).time.isoformat()
    late = body(GIVES_A, **AMENDS, effective_from="2024-03-01")
    assert (await post(country, late)).status_code == 201
    await published(country)
    await country.tick()

    async def holder(**pair: str) -> str:
        answer = await country.ask("/v1/oversight", dimension="area", as_of="2024-04-01", **pair)
        holders = {one["target"]: one["deputy"] for one in answer["items"]}
        return str(holders[PHANG_NGA]["id"])

    assert await holder() == "a"
    assert await holder(known_at=before) == "b"


# The same again.


async def test_the_same_request_under_the_same_key_is_answered_alike_and_decides_once(
    country: Country,
) -> None:
    first = (await post(country, body(GIVES_A, **AMENDS))).json()
    again = await post(country, body(GIVES_A, **AMENDS), key='"k1"')
    assert again.status_code == 201
    tokens = country.gateway.resources.tokens
    assert tokens.open(again.json().pop("position")) == tokens.open(first["position"])
    assert again.json()["clauses"] == first["clauses"]
    assert (await stored(country)).count("orders/2/2567") == 1


async def test_the_same_order_under_another_key_decides_nothing_more(country: Country) -> None:
    first = (await post(country, body(GIVES_A, **AMENDS))).json()
    again = await post(country, body(GIVES_A, **AMENDS), key="k2")
    assert (again.status_code, again.json()["clauses"]) == (201, first["clauses"])
    assert (await stored(country)).count("orders/2/2567") == 1


async def test_a_key_that_was_used_for_another_order_is_refused(country: Country) -> None:
    assert (await post(country, body(GIVES_A, **AMENDS))).status_code == 201
    other = await post(country, body(number="3/2567"))
    assert (other.status_code, other.json()["type"]) == (
        422,
        "urn:kamkap:problem:idempotency-key-used",
    )
    assert "orders/3/2567" not in await stored(country)


# What is refused.


@pytest.mark.parametrize(
    ("refused", "rule"),
    [
        (body({**GIVES_A, "target": PHUKET, "deputy": "b"}, number="4/2567"), "not-in-office-then"),
        (body(GIVES_A, number="4/2567", effective_from="2024-09-02"), "power-held"),
        (body(GIVES_A, number="1/2567"), "order-number-taken"),
        (body({**GIVES_A, "target": "TH-10"}, number="4/2567"), "outside-scheme"),
        (body({**WHOLE_REGION, "name": "99"}, number="4/2567"), "group-not-there"),
        (body(effective_to="2024-09-01"), "ends-before-it-starts"),
    ],
)
async def test_a_rule_refuses_by_its_name_with_409(
    settled: Country, refused: bytes, rule: str
) -> None:
    response = await post(settled, refused, key="k9")
    problem = response.json()
    assert (response.status_code, problem["rule"]) == (409, rule)
    assert problem["type"] == f"urn:kamkap:problem:{rule}"
    assert problem["detail"] != problem["detail_en"]
    assert len(await stored(settled)) == 4


@pytest.mark.parametrize("identity", ["pmoc", "deputy:a", "cabinet", "operator", "poc:TH-83"])
async def test_nobody_but_the_prime_minister_issues_orders(settled: Country, identity: str) -> None:
    assert (await post(settled, b"{", identity=identity)).status_code == 403


async def test_who_is_not_known_issues_nothing(settled: Country) -> None:
    assert (await post(settled, b"{", identity=None)).status_code == 401


@pytest.mark.parametrize(
    ("malformed", "pointer"),
    [
        (b"{", ""),
        (b"[]", ""),
        (body(number=None), "/number"),
        (body(number="a//b"), "/number"),
        (body(effective_from="2567-10-01"), "/effective_from"),
        (body(effective_from=1727740800), "/effective_from"),
        (body(effective_from="2024-10-01T00:00:00"), "/effective_from"),
        (body(effective_form="2024-10-01"), "/effective_form"),
        (body({**GIVES_A, "powers": "area"}), "/clauses/0/powers"),
        (body({"act": "promote"}), "/clauses/0"),
        (body({"act": "reserve", "target": PHUKET}), "/clauses/0"),
    ],
)
async def test_a_malformed_body_is_422_and_says_where(
    settled: Country, malformed: bytes, pointer: str
) -> None:
    response = await post(settled, malformed, key="k9")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_a_key_is_needed(settled: Country) -> None:
    response = await settled.send("POST", "/v1/orders", "pm", {}, body())
    assert response.status_code == 400


async def test_a_body_above_a_mebibyte_is_413(settled: Country) -> None:
    large = body(note="x" * MAX_BODY_BYTES)
    assert (await post(settled, large, key="k9")).status_code == 413


async def test_a_store_that_is_away_is_503(country: Country, database: Database) -> None:
    async with database.pool("kamkap_api", size=1) as pool:
        store = DecisionStore(pool)
        await store.close()
        country.app.state.resources = replace(country.gateway.resources, store=store)
        response = await post(country, body(GIVES_A, **AMENDS))
    assert (response.status_code, response.json()["type"]) == (
        503,
        "urn:kamkap:problem:unavailable",
    )


# What is registered meanwhile.

ENDED = {"valid_to": "2024-09-15"}
NO_PHANG_NGA = registered(
    "province.registered.v1", province=PHANG_NGA, name_th="พังงา", name_en="Phangnga", **ENDED
)
NO_INTERIOR = registered("ministry.registered.v1", ministry="moi", name_th="มหาดไทย", **ENDED)
NO_REGION = registered(
    "region.registered.v1", region="6", name_th="เขต 6", provinces=[PHUKET], **ENDED
)
ELSEWHERE = province("TH-81", "กระบี่", "Krabi")
GIVES_INTERIOR = gives("function", "moi", "a")


class Interrupted(DecisionStore):
    """A store in which something is committed right before an order is appended."""

    before_append: Callable[[], Awaitable[object]] | None = None

    async def append(self, decision: Decision, *, timeout: float = 10.0) -> Appended:
        if self.before_append:
            happens, self.before_append = self.before_append, None
            await happens()
        return await super().append(decision, timeout=timeout)


@pytest_asyncio.fixture
async def interrupted(country: Country, database: Database) -> AsyncIterator[Interrupted]:
    """The store of the country's gateway."""
    async with database.pool("kamkap_api", size=4) as pool:
        store = Interrupted(pool)
        country.app.state.resources = replace(country.gateway.resources, store=store)
        yield store
        await store.close()


async def register(country: Country, stream: str, registration: Json) -> None:
    await country.network.decide(stream, registration)
    await country.network.project()


@pytest.mark.parametrize(
    ("stream", "registration", "clause", "rule"),
    [
        ("registry/provinces/TH-82", NO_PHANG_NGA, GIVES_A, "province-not-there"),
        ("registry/provinces/TH-82", NO_PHANG_NGA, WHOLE_REGION, "province-not-there"),
        ("registry/ministries/moi", NO_INTERIOR, GIVES_INTERIOR, "unit-not-there"),
        ("registry/regions/6", NO_REGION, WHOLE_REGION, "group-not-there"),
    ],
    ids=["province", "province of a group", "ministry", "group"],
)
async def test_what_is_registered_between_the_check_and_the_append_wins(
    country: Country,
    interrupted: Interrupted,
    stream: str,
    registration: Json,
    clause: Json,
    rule: str,
) -> None:
    interrupted.before_append = partial(register, country, stream, registration)
    response = await post(country, body(clause, **AMENDS))
    assert (response.status_code, response.json()["rule"]) == (409, rule)
    assert "orders/2/2567" not in await stored(country)


async def test_a_region_that_is_cut_anew_meanwhile_is_given_as_it_is_then(
    country: Country, interrupted: Interrupted
) -> None:
    smaller = registered("region.registered.v1", region="6", name_th="เขต 6", provinces=[PHUKET])
    interrupted.before_append = partial(register, country, "registry/regions/6", smaller)
    response = await post(country, body(WHOLE_REGION, **AMENDS))
    assert response.status_code == 201, response.text
    assert [one["orders"]["target"] for one in response.json()["clauses"]] == [PHUKET]


async def test_what_the_order_does_not_name_is_registered_beside_it(
    country: Country, interrupted: Interrupted
) -> None:
    # Not in the read models: an order that looked at it would have to wait, and be refused.
    country.wait_at_most(seconds=0)
    country.app.state.resources = replace(country.app.state.resources, store=interrupted)
    decide = country.network.decide
    interrupted.before_append = partial(decide, "registry/provinces/TH-81", ELSEWHERE)
    assert (await post(country, body(GIVES_A, **AMENDS))).status_code == 201


async def test_an_order_is_judged_by_what_was_registered_before_or_not_at_all(
    country: Country,
) -> None:
    await country.network.decide("registry/provinces/TH-82", NO_PHANG_NGA)
    country.wait_at_most(seconds=0)
    behind = await post(country, body(GIVES_A, **AMENDS))
    assert (behind.status_code, behind.json()["type"]) == (503, "urn:kamkap:problem:not-yet")
    await country.network.project()
    refused = await post(country, body(GIVES_A, **AMENDS))
    assert (refused.status_code, refused.json()["rule"]) == (409, "province-not-there")


# Reading.


async def numbers(country: Country, identity: str = "pm", **query: str) -> list[str]:
    answer = await country.ask("/v1/orders", identity, **query)
    return [order["number"] for order in answer["items"]]


async def test_orders_are_listed_as_they_stand_at_the_moment(settled: Country) -> None:
    assert await numbers(settled) == ["1/2567", "2/2567", "3/2567"]
    assert await numbers(settled, state="coming") == ["3/2567"]
    assert await numbers(settled, state="in_force", as_of="2024-08-01") == ["1/2567"]
    assert await numbers(settled, limit="2") == ["1/2567", "2/2567"]


async def test_a_revoked_order_says_when_it_ended(country: Country) -> None:
    assert (await post(country, body(revokes=["1/2567"]))).status_code == 201
    await published(country)
    order = await country.ask("/v1/orders/1%2F2567", as_of="2024-10-01")
    assert (order["state"], order["ends"]) == ("over", "2024-09-15T00:00:00+07:00")


@pytest.mark.parametrize(
    ("identity", "sees"),
    [("pm", True), ("pmoc", True), ("deputy:a", True), ("deputy:b", False), ("poc:TH-83", False),
     ("analyst", False), ("operator", False)],
)  # fmt: skip
async def test_a_reserved_matter_is_for_the_pm_and_whom_it_is_reserved_from(
    settled: Country, identity: str, *, sees: bool
) -> None:
    assert ("2/2567" in await numbers(settled, identity)) is sees
    assert (await settled.get("/v1/orders/2/2567", identity)).status_code == (200 if sees else 404)


async def test_an_order_that_nobody_issued_is_not_found(settled: Country) -> None:
    assert (await settled.get("/v1/orders/9/2567")).status_code == 404
