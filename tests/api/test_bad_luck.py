"""What is away for a moment is 503 with Retry-After; what nobody can read is a problem."""

from dataclasses import replace

import pytest

from services.api.database import readers_of
from tests.api.country import Country
from tests.database import Database


async def test_a_database_that_is_away_is_unavailable(country: Country) -> None:
    async with readers_of("postgresql://kamkap_api@/kamkap?host=/nowhere") as away:
        country.app.state.resources = replace(country.gateway.resources, pool=away)
        response = await country.get("/v1/provinces")
    assert (response.status_code, response.json()["type"]) == (
        503,
        "urn:kamkap:problem:unavailable",
    )
    assert response.headers["retry-after"] == "2"


async def test_read_models_that_are_not_made_yet_are_unavailable(
    country: Country, database: Database
) -> None:
    await country.network.pool.execute("ALTER SCHEMA registry RENAME TO registry_old")
    assert (await country.get("/v1/provinces")).status_code == 503
    assert (await country.get("/readyz", None)).status_code == 503
    await country.network.pool.execute("ALTER SCHEMA registry_old RENAME TO registry")
    assert (await country.get("/v1/provinces")).status_code == 200
    assert (await country.get("/readyz", None)).status_code == 200


async def test_connections_that_the_server_ended_are_made_anew(country: Country) -> None:
    await country.ask("/v1/provinces")
    await country.network.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kamkap_api'"
    )
    statuses = [(await country.get("/v1/provinces")).status_code for _ in range(4)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/incidents?province=\0", "/v1/incidents?ministry=\0", "/v1/events?source=\0&id=\0",
     "/v1/indicators/rain%00/values", "/v1/incidents/%00"],
)  # fmt: skip
async def test_a_null_character_is_a_parameter_that_is_not_valid(
    country: Country, path: str
) -> None:
    assert (await country.get_url(path, "pm")).status_code == 400


@pytest.mark.parametrize("path", ["/v1/provinces/%00", "/v1/centres/ก", "/v1/deputies/%2F/area"])
async def test_an_id_that_nothing_has_is_not_found(country: Country, path: str) -> None:
    assert (await country.get_url(path, "pm")).status_code == 404


async def test_another_method_is_a_problem(country: Country) -> None:
    response = await country.send("DELETE", "/v1/provinces")
    assert (response.status_code, response.headers["content-type"]) == (
        405,
        "application/problem+json",
    )
