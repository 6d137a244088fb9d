"""The clocks of directives over HTTP: who sets them, and for what is issued from which day on."""

import json
from datetime import date, datetime, timedelta

import httpx
import pytest

from services.domain.registry import day_of
from tests.api.country import PHUKET, Country, Json

SET = {
    "acknowledge_seconds": 7_200,
    "report_seconds": 10_800,
    "reminder_percent": 50,
    "level_seconds": 3_600,
    "levels": ["deputy", "pm"],
    "source": "test",
}


async def post(country: Country, path: str, by: str, body: Json, key: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    response = await country.send("POST", path, by, headers, json.dumps(body).encode())
    while await country.network.relay.publish():
        pass
    await country.network.project()
    return response


async def due(country: Country, id_: str) -> timedelta:
    """How long a directive that is issued now is given to be noted."""
    draft = {"directive": id_, "deputy": "a", "kind": "report", "title_th": "รายงาน",
             "text_th": "ให้รายงาน", "addressees": [PHUKET]}  # fmt: skip
    assert (await post(country, "/v1/directives", "secretariat:a", draft, id_)).is_success
    issued = await post(country, f"/v1/directives/{id_}/issue", "deputy:a", {}, f"i-{id_}")
    assert issued.is_success, issued.text
    shown = await country.ask(f"/v1/directives/{id_}")
    until = datetime.fromisoformat(shown["acknowledge_by"])
    return until - datetime.fromisoformat(shown["issued_at"])


async def test_what_is_issued_from_the_day_on_has_the_clocks_that_were_set(
    country: Country,
) -> None:
    today = day_of(country.now)
    assert (await country.ask("/v1/clocks"))["source"] == "ours"
    assert await due(country, "before") == timedelta(days=1)

    tomorrow = {**SET, "valid_from": str(today + timedelta(days=1))}
    assert (await post(country, "/v1/clocks", "pm", tomorrow, "tomorrow")).status_code == 201
    assert await due(country, "still") == timedelta(days=1)

    now = {**SET, "valid_from": str(today)}
    response = await post(country, "/v1/clocks", "pm", now, "today")
    assert response.status_code == 201, response.text
    assert await due(country, "after") == timedelta(hours=2)
    shown = await country.ask("/v1/clocks", after=response.json()["position"])
    assert {name: shown[name] for name in SET} == SET
    assert (await country.ask("/v1/clocks", as_of=str(date(2024, 1, 1))))["source"] == "ours"
    before = await country.ask("/v1/directives/before")
    assert before["addressees"][0]["due_at"] == before["acknowledge_by"]


@pytest.mark.parametrize("by", ["deputy:a", "pmoc", "cabinet", "poc:TH-83", "operator"])
async def test_only_the_prime_minister_sets_the_clocks(country: Country, by: str) -> None:
    refused = await post(country, "/v1/clocks", by, {**SET, "valid_from": "2024-09-01"}, "key")
    assert refused.status_code == 403
    assert (await country.ask("/v1/clocks"))["source"] == "ours"


async def test_clocks_sent_again_are_set_once_and_their_key_says_one_thing(
    country: Country,
) -> None:
    body = {**SET, "valid_from": "2024-09-01"}
    first = await post(country, "/v1/clocks", "pm", body, "key")
    again = await post(country, "/v1/clocks", "pm", body, "key")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await post(country, "/v1/clocks", "pm", {**body, "level_seconds": 60}, "key")
    assert other.status_code == 422
    assert len(await country.network.store.load("registry/clocks/directives")) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"acknowledge_seconds": 0}, {"levels": ["governor"]}, {"reminder_percent": 100}, {"x": 1}],
)
async def test_clocks_that_make_no_sense_are_refused(country: Country, wrong: Json) -> None:
    body = {**SET, "valid_from": "2024-09-01", **wrong}
    assert (await post(country, "/v1/clocks", "pm", body, "key")).status_code == 422
