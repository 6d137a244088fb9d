"""Subscriptions over HTTP: made once, their owner's alone, secrets shown once and never read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.api.subscriptions import OVERLAP
from services.domain.subscriptions import MOST
from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import Country, Json, open_country
from tests.api.directing import MOC, PM, POC, A
from tests.api.subscribing import URL, sent, subscribed
from tests.database import Database, fresh_database

OTHER = "poc:TH-82"


@pytest_asyncio.fixture(scope="module")
async def place(postgres_server: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with fresh_database(postgres_server) as database:
        yield database


@pytest_asyncio.fixture(scope="module")
async def country(
    place: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all tests, which make subscriptions of their own."""
    async with open_country(place, tmp_path_factory.mktemp("home")) as opened:
        yield opened


async def test_a_subscription_is_made_once_for_a_key_and_shows_its_secret_once(
    country: Country,
) -> None:
    body = {"url": URL, "filter": {"kinds": ["order"]}}
    first = await sent(country, "", MOC, body, key="made-once")
    again = await sent(country, "", MOC, body, key="made-once")
    assert (first.status_code, again.status_code) == (201, 201)
    made = first.json()
    assert made["secret"].startswith("whsec_")
    assert again.json() == {**made, "secret": None}
    other = await sent(country, "", MOC, {"url": URL + "/other"}, key="made-once")
    assert other.json()["type"] == "urn:kamkap:problem:idempotency-key-used"
    read = await country.ask(f"/v1/subscriptions/{made['id']}", MOC)
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert (read["state"], read["filter"]["kinds"], read["waiting"]) == ("active", ["order"], 0)


async def test_an_ed25519_subscription_shows_its_public_key(country: Country) -> None:
    made = await subscribed(country, A, signing="ed25519")
    assert made["secret"].startswith("whpk_")
    assert made["public_keys"] == [made["secret"]]


async def test_a_new_secret_signs_beside_the_old_one_for_a_day(country: Country) -> None:
    made = await subscribed(country, A, signing="ed25519")
    path = f"/{made['id']}/secret"
    second = (await sent(country, path, A)).json()
    third = (await sent(country, path, A)).json()
    assert len({made["secret"], second["secret"], third["secret"]}) == 3
    assert third["public_keys"] == [third["secret"], second["secret"]]
    before, country.now = country.now, country.now + OVERLAP
    try:
        later = await country.ask(f"/v1/subscriptions/{made['id']}", A)
    finally:
        country.now = before
    assert later["public_keys"] == [third["secret"]]


@pytest.mark.parametrize(
    ("body", "status", "type_"),
    [
        ({"url": "http://hooks.example/"}, 422, "webhook-address-refused"),
        ({"url": "https://127.0.0.1/"}, 422, "webhook-address-refused"),
        ({"url": URL, "filter": {"kinds": []}}, 422, "invalid-body"),
        ({"url": URL, "filter": {"kinds": ["whim"]}}, 422, "invalid-body"),
        ({"url": URL, "signing": "rsa"}, 422, "invalid-body"),
        ({"url": URL, "secret": "whsec_mine"}, 422, "invalid-body"),
        ({}, 422, "invalid-body"),
    ],
)
async def test_what_cannot_be_called_or_read_is_refused(
    country: Country, body: Json, status: int, type_: str
) -> None:
    response = await sent(country, "", MOC, body)
    assert (response.status_code, response.json()["type"]) == (
        status,
        f"urn:kamkap:problem:{type_}",
    )


@pytest.mark.parametrize("identity", ["operator", "analyst", "press:none", "screening"])
async def test_who_reads_no_directive_ever_subscribes_to_none(
    country: Country, identity: str
) -> None:
    assert (await sent(country, "", identity, {"url": URL})).status_code == 403
    assert (await country.get("/v1/subscriptions", identity)).status_code == 403


async def test_one_identity_has_so_many_and_no_more(country: Country) -> None:
    for _ in range(MOST):
        await subscribed(country, "governor:TH-82")
    response = await sent(country, "", "governor:TH-82", {"url": URL})
    assert (response.status_code, response.json()["rule"]) == (409, "too-many-subscriptions")
    listed = await country.ask("/v1/subscriptions", "governor:TH-82", limit=15)
    rest = await country.ask("/v1/subscriptions", "governor:TH-82", limit=15, cursor=listed["next"])
    assert (len(listed["items"]), len(rest["items"]), rest["next"]) == (15, MOST - 15, None)


async def test_a_subscription_that_is_deleted_is_gone(country: Country) -> None:
    made = await subscribed(country, MOC)
    path = f"/v1/subscriptions/{made['id']}"
    assert (await country.send("DELETE", path, MOC)).status_code == 204
    assert (await country.send("DELETE", path, MOC)).status_code == 404
    assert (await country.get(path, MOC)).status_code == 404


OF_ONE = [("GET", ""), ("GET", "/deliveries"), ("DELETE", ""), ("POST", "/secret"),
          ("POST", "/test"), ("POST", "/replay"), ("POST", "/enable")]  # fmt: skip


@pytest.mark.parametrize("reader", [OTHER, PM, "operator"])
@pytest.mark.parametrize(("method", "below"), OF_ONE)
async def test_another_s_subscription_is_answered_like_none(
    country: Country, method: str, below: str, reader: str
) -> None:
    made = await subscribed(country, "doc:moi.ddpm")
    seen = []
    try:
        for id_ in (made["id"], str(uuid4())):
            with country.counting_statements() as statements:
                path = f"/v1/subscriptions/{id_}{below}"
                answer = await country.send(method, path, reader, None, b'{"from":"2024-09-01"}')
            asked = [text for text, _ in statements]
            seen.append((answer.status_code, answer.content, asked))
    finally:
        await country.send("DELETE", f"/v1/subscriptions/{made['id']}", "doc:moi.ddpm")
    assert seen[0] == seen[1]
    assert seen[0][0] == 404


async def test_a_test_event_that_waits_is_the_one_that_is_asked_for(country: Country) -> None:
    made = await subscribed(country, MOC)
    first = await sent(country, f"/{made['id']}/test", MOC)
    second = await sent(country, f"/{made['id']}/test", MOC)
    assert (first.status_code, first.json()) == (202, second.json())
    (listed,) = (await country.ask(f"/v1/subscriptions/{made['id']}/deliveries", MOC))["items"]
    assert listed == first.json()
    assert (listed["change"], listed["directive"], listed["state"]) == ("test", None, "waiting")


async def test_nothing_is_tested_that_is_disabled(country: Country) -> None:
    made = await subscribed(country, MOC)
    await country.network.pool.execute(
        "UPDATE outward.subscriptions SET disabled_at = now(), disabled_because = 'gone' "
        "WHERE id = $1",
        made["id"],
    )
    refused = await sent(country, f"/{made['id']}/test", MOC)
    assert (refused.status_code, refused.json()["rule"]) == (409, "subscription-disabled")
    assert (await country.ask(f"/v1/subscriptions/{made['id']}", MOC))["state"] == "disabled"
    enabled = await sent(country, f"/{made['id']}/enable", MOC)
    assert (enabled.status_code, enabled.json()["state"]) == (202, "active")


async def test_a_replay_goes_back_and_never_forward(country: Country) -> None:
    made = await subscribed(country, MOC)

    async def replayed(since: str) -> int:
        response = await sent(country, f"/{made['id']}/replay", MOC, {"from": since})
        assert response.status_code == 202, response.text
        found: int = await country.network.pool.fetchval(
            "SELECT cursor FROM outward.subscriptions WHERE id = $1", made["id"]
        )
        return found

    tick = await country.tick()
    end = await country.network.store.next_position()
    assert await replayed((tick.time + timedelta(days=1)).isoformat()) == end == tick.ends[64]
    assert await replayed("2001-01-01") == 0
    assert await replayed(tick.time.isoformat()) == 0
    bad = await sent(country, f"/{made['id']}/replay", MOC, {"from": "soon"})
    assert bad.status_code == 422


async def test_the_gateway_reads_no_secret_and_no_queued_body(
    country: Country, place: Database
) -> None:
    made = await subscribed(country, MOC)
    connection = await asyncpg.connect(place.dsn("kamkap_api"))
    try:
        for reader, rows in ((MOC, 1), (OTHER, 0), ("", 0)):
            async with connection.transaction():
                await connection.execute("SELECT set_config('kamkap.reader', $1, true)", reader)
                for column, table in (("id", "subscriptions"), ("subscription", "secrets")):
                    found = await connection.fetch(
                        f"SELECT {column} FROM outward.{table} WHERE {column} = $1", made["id"]
                    )
                    assert len(found) == rows
        for refused in ("SELECT sealed FROM outward.secrets", "SELECT body FROM outward.deliveries",
                        "UPDATE outward.subscriptions SET url = 'https://elsewhere.example'",
                        "UPDATE outward.secrets SET sealed = ''"):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(refused)
    finally:
        await connection.close()


async def test_a_secret_is_in_the_database_sealed_alone(country: Country) -> None:
    made = await subscribed(country, POC)
    sealed = await country.network.pool.fetchval(
        "SELECT sealed FROM outward.secrets WHERE subscription = $1", made["id"]
    )
    assert made["secret"].encode() not in sealed
    assert len(sealed) == 48
