"""Every read of the contract, walked by its OpenAPI: the pair, the headers, examples, problems."""

from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from services.api.app import ROUTERS
from services.api.openapi import EXAMPLES
from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import Country, Json, open_country
from tests.api.happenings import direct, happen
from tests.api.subscribing import KEY, id_of, sent, subscribed
from tests.database import fresh_database

PATHS = {
    "/v1/alerts/{id}.cap": {"id": "alert-1", "source": "/centres/poc/TH-83"},
    "/v1/events": {"source": "/centres/poc/TH-83", "id": "first"},
    "/v1/centres/{centre}": {"centre": "poc:TH-83"},
    "/v1/provinces/{code}": {"code": "TH-83"},
    "/v1/provinces/{code}/situation": {"code": "TH-83"},
    "/v1/incidents/{incident}": {"incident": "flood"},
    "/v1/indicators/{id}/values": {"id": "rain"},
    "/v1/deputies/{id}/area": {"id": "a"},
    "/v1/deputies/{id}/overview": {"id": "a"},
    "/v1/orders/{number}": {"number": "1/2567"},
    "/v1/directives/times": {"by": "province"},
    "/v1/directives/{id}": {"id": "coast"},
    "/v1/directives/{id}/history": {"id": "coast"},
    "/v1/subscriptions/{id}": {"id": id_of("pm")},
    "/v1/subscriptions/{id}/deliveries": {"id": id_of("pm")},
    "/v1/policies/{id}": {"id": "coast"},
    "/v1/changes": {"from_as_of": "2024-09-01T12:02:30+07:00"},
    "/v1/deputies/{id}/changes": {"id": "a", "from_as_of": "2024-09-01T12:02:30+07:00"},
    "/v1/provinces/{code}/changes": {"code": "TH-83", "from_as_of": "2024-09-01T12:02:30+07:00"},
}
FEED, STREAM = "/v1/directives/feed", "/v1/directives/stream"
READS = sorted(
    route.path_format
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    if route.path_format not in (FEED, STREAM)
)
"""What is asked of a moment; what is followed has none."""

JSON_READS = [*(path for path in READS if not path.endswith(".cap")), FEED]
PAIR: dict[str, Json] = {"as_of": "2024-09-01T12:30:00+07:00", "known_at": "2026-01-01T00:00:00Z"}


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all these tests: they only read."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await happen(opened)
        await direct(opened)
        await subscribed(opened, "pm", key=KEY)
        await sent(opened, f"/{id_of('pm')}/test", "pm")
        yield opened


def filled(path: str) -> tuple[str, dict[str, Json]]:
    """The path with its names filled in, and what is left of them for the query."""
    rest: dict[str, Json] = dict(PATHS.get(path, {}))
    for name, value in PATHS.get(path, {}).items():
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", value)
            del rest[name]
    return path, rest


def reader_of(path: str) -> str:
    return "operator" if path == "/v1/quarantine" else "pm"


def operations(country: Country) -> dict[str, Json]:
    paths = country.app.openapi()["paths"]
    return {path: item["get"] for path, item in paths.items() if "get" in item}


async def test_every_read_of_the_gateway_is_documented(country: Country) -> None:
    assert sorted(operations(country)) == sorted([*READS, FEED, STREAM])


@pytest.mark.parametrize("path", READS)
async def test_every_read_takes_the_pair_and_answers_with_it(country: Country, path: str) -> None:
    parameters = {parameter["name"] for parameter in operations(country)[path]["parameters"]}
    assert {"as_of", "known_at", "realm", "after", "archive_revision"} <= parameters
    url, query = filled(path)
    response = await country.get(url, reader_of(path), **query, **PAIR)
    assert response.status_code in (200, 404), response.text
    response = await country.get(url, reader_of(path), **query, as_of=PAIR["as_of"])
    assert response.status_code == 200, response.text
    assert response.headers["kamkap-as-of"] == "2024-09-01T12:30:00+07:00"
    assert response.headers["kamkap-known-at"] == "2024-09-01T13:00:00+07:00"
    assert response.headers["cache-control"] == "private"
    assert response.headers["vary"] == "Authorization, Cookie"


@pytest.mark.parametrize("path", READS)
async def test_every_read_answers_304_to_who_has_the_body(country: Country, path: str) -> None:
    url, query = filled(path)
    first = await country.get(url, reader_of(path), **query)
    again = await country.get(
        url, reader_of(path), headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'}, **query
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "kamkap-as-of" in again.headers


@pytest.mark.parametrize("path", JSON_READS)
async def test_every_answer_is_what_its_schema_says(country: Country, path: str) -> None:
    url, query = filled(path)
    body = await country.ask(url, reader_of(path), **query)
    validate(country, operations(country)[path], body)


@pytest.mark.parametrize("path", JSON_READS)
async def test_every_read_has_an_example_of_its_schema(country: Country, path: str) -> None:
    operation = operations(country)[path]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    validate(country, operation, example)


@pytest.mark.parametrize("path", READS)
async def test_every_read_documents_its_problems(country: Country, path: str) -> None:
    operation = operations(country)[path]
    assert {"200", "304", "400", "401", "429", "503"} <= set(operation["responses"])
    assert "422" not in operation["responses"]
    assert ("404" in operation["responses"]) or ("403" in operation["responses"])
    for status, response in operation["responses"].items():
        if status >= "400":
            assert response["content"]["application/problem+json"]["example"]["status"] == int(
                status
            )
    assert operation["security"] == [{"bearer": []}, {"session": []}]


@pytest.mark.parametrize("path", [*READS, FEED, STREAM])
async def test_nobody_reads_nothing(country: Country, path: str) -> None:
    url, query = filled(path)
    response = await country.get(url, None, **query)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_no_example_is_left_over(country: Country) -> None:
    paths = country.app.openapi()["paths"].values()
    operations = [operation for path in paths for operation in path.values()]
    named = {one["operationId"] for one in operations if _has_body(one)}
    # What is not JSON has its example beside its endpoint.
    assert {Path(file).stem for file in EXAMPLES.glob("*.json")} == named


@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
async def test_nobody_reads_the_pages_every_process_has(country: Country, page: str) -> None:
    assert (await country.get(page, None)).status_code == 200


async def test_the_bare_address_leads_to_the_documents(country: Country) -> None:
    response = await country.get("/", None)
    assert (response.status_code, response.headers["location"]) == (307, "/docs")


async def test_the_documents_name_their_versions(country: Country) -> None:
    openapi = (await country.get("/openapi.json", None)).json()
    asyncapi = (await country.get("/asyncapi.json", None)).json()
    assert (openapi["openapi"], asyncapi["asyncapi"]) == ("3.1.0", "3.0.0")


async def test_what_does_not_exist_is_a_problem_in_thai_and_english(country: Country) -> None:
    response = await country.get("/v1/nowhere")
    assert response.json()["type"] == "urn:kamkap:problem:not-found"
    assert {"title", "title_en"} <= set(response.json())


async def test_an_address_with_a_slash_too_many_leads_nowhere(country: Country) -> None:
    response = await country.get("/v1/provinces/")
    assert (response.status_code, "location" in response.headers) == (404, False)


def _has_body(operation: Json) -> bool:
    answers = (one for status, one in operation["responses"].items() if status.startswith("2"))
    return any("application/json" in one.get("content", {}) for one in answers)


def validate(country: Country, operation: Json, body: Json) -> None:
    """The body is what the operation's schema says, references and formats included."""
    document = country.app.openapi()
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(
        {**schema, "components": document["components"]},
        format_checker=jsonschema.FormatChecker(),
    ).validate(body)
