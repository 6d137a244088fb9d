"""Who sees what: every kind of identity at every endpoint; what is hidden looks like nothing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import BANGKOK, PHANG_NGA, PHUKET, Country, Json, open_country
from tests.api.happenings import happen
from tests.database import fresh_database

NATION = ("pm", "pmoc", "cabinet", "committee", "interior", "opdc", "budget", "analyst")
PLACED = (
    "deputy:a", "secretariat:a", "deputy:b", "poc:TH-83", "governor:TH-83", "poc:TH-82",
    "city:TH-10", "moc:moi", "moc:moph", "doc:moi.ddpm", "press:cnn",
)  # fmt: skip
BARE = ("screening", "inspector:x", "doc:unheard-of")
EVERYBODY = (*NATION, *PLACED, *BARE, "operator")

REFERENCE = ("/v1/provinces", f"/v1/provinces/{PHUKET}", "/v1/deputies", "/v1/oversight",
             "/v1/archive")  # fmt: skip
SITUATION = ("/v1/incidents", "/v1/indicators", "/v1/alerts")

INCIDENTS = {
    **{key: {"flood", "drugs-ring", "landslide"} for key in NATION},
    "deputy:a": {"flood"},
    "secretariat:a": {"flood"},
    "deputy:b": {"flood", "landslide", "drugs-ring"},
    "poc:TH-83": {"flood"},
    "governor:TH-83": {"flood"},
    "poc:TH-82": {"flood", "landslide"},
    "city:TH-10": {"drugs-ring"},
    "moc:moi": set(),
    "moc:moph": {"flood"},
    "doc:moi.ddpm": set(),
    "press:cnn": set(),
}
PLACES_OF_THE_FLOOD = {
    **{key: {"TH", PHUKET, PHANG_NGA} for key in NATION},
    "deputy:a": {PHUKET},
    "deputy:b": {PHANG_NGA},
    "secretariat:a": {PHUKET},
    "poc:TH-83": {PHUKET},
    "governor:TH-83": {PHUKET},
    "poc:TH-82": {PHANG_NGA},
    "moc:moph": {"TH", PHUKET, PHANG_NGA},
}
ALERTS = {
    **{key: {"alert-1", "alert-2"} for key in NATION},
    "deputy:a": {"alert-1"},
    "secretariat:a": {"alert-1"},
    "deputy:b": {"alert-2"},
    "poc:TH-83": {"alert-1"},
    "governor:TH-83": {"alert-1"},
    "poc:TH-82": {"alert-2"},
}
MEASURED = {
    **{key: {PHUKET, PHANG_NGA} for key in NATION},
    "deputy:a": {PHUKET},
    "secretariat:a": {PHUKET},
    "deputy:b": {PHANG_NGA},
    "poc:TH-83": {PHUKET},
    "governor:TH-83": {PHUKET},
    "poc:TH-82": {PHANG_NGA},
}
CENTRES = {
    **dict.fromkeys((*NATION, "operator"), 8),
    "deputy:a": {"poc:TH-83"},
    "secretariat:a": {"poc:TH-83"},
    "deputy:b": {"poc:TH-82"},
    "poc:TH-83": {"poc:TH-83"},
    "governor:TH-83": {"poc:TH-83"},
    "poc:TH-82": {"poc:TH-82"},
    "city:TH-10": {"city:TH-10"},
    "moc:moi": {"moc:moi", "doc:moi.ddpm"},
    "moc:moph": {"moc:moph"},
    "doc:moi.ddpm": {"doc:moi.ddpm"},
    "press:cnn": {"press:cnn"},
}
OVERVIEWS = {
    **{key: {"a", "b"} for key in NATION},
    "deputy:a": {"a"},
    "secretariat:a": {"a"},
    "deputy:b": {"b"},
}
READS_THE_REPORT = {*NATION, "deputy:a", "secretariat:a", "poc:TH-83", "governor:TH-83"}


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
        yield opened


async def status(country: Country, path: str, identity: str, **query: Json) -> int:
    return (await country.get(path, identity, **query)).status_code


async def listed(country: Country, path: str, identity: str, name: str, **query: Json) -> set[str]:
    """The names in a list, or nothing where the whole kind is not for the reader."""
    response = await country.get(path, identity, **query)
    if response.status_code == 403:
        return set()
    assert response.status_code == 200, response.text
    return {item[name] for item in response.json()["items"]}


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_everybody_reads_reference_data(country: Country, identity: str) -> None:
    assert {await status(country, path, identity) for path in REFERENCE} == {200}


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_what_each_identity_sees_of_lists(country: Country, identity: str) -> None:
    incidents = await listed(country, "/v1/incidents", identity, "id", state="any")
    assert incidents == INCIDENTS.get(identity, set())
    assert await listed(country, "/v1/alerts", identity, "alert") == ALERTS.get(identity, set())
    indicators = await listed(country, "/v1/indicators", identity, "id")
    assert indicators == ({"rain"} if identity in MEASURED else set())
    centres = await listed(country, "/v1/centres", identity, "id")
    expected = CENTRES.get(identity, set())
    assert (len(centres) if isinstance(expected, int) else centres) == expected


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_what_each_identity_sees_of_one_thing(country: Country, identity: str) -> None:
    places = set()
    response = await country.get("/v1/incidents/flood", identity)
    if response.status_code == 200:
        places = {place["place"] for place in response.json()["situation"]}
    assert places == PLACES_OF_THE_FLOOD.get(identity, set())
    measured = await country.get("/v1/indicators/rain/values", identity)
    items = measured.json().get("items", [])
    assert {item["province"] for item in items} == MEASURED.get(identity, set())
    report = {"source": "/centres/poc/TH-83", "id": "first"}
    seen = await status(country, "/v1/events", identity, **report)
    assert (seen == 200) == (identity in READS_THE_REPORT)


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_whose_area_and_overview_each_identity_sees(country: Country, identity: str) -> None:
    for deputy in ("a", "b"):
        expected = 200 if deputy in OVERVIEWS.get(identity, set()) else 404
        assert await status(country, f"/v1/deputies/{deputy}/area", identity) == expected
        assert await status(country, f"/v1/deputies/{deputy}/overview", identity) == expected


@pytest.mark.parametrize("identity", EVERYBODY)
async def test_the_quarantine_is_the_operator_s(country: Country, identity: str) -> None:
    expected = 200 if identity == "operator" else 403
    assert await status(country, "/v1/quarantine", identity) == expected


@pytest.mark.parametrize("identity", [one for one in EVERYBODY if one != "operator"])
async def test_a_retry_is_refused_in_the_words_of_the_list(country: Country, identity: str) -> None:
    listed = await country.get("/v1/quarantine", identity)
    with country.counting_statements() as statements:
        refused = await country.send("POST", "/v1/quarantine/retry", identity)
    assert (refused.status_code, refused.content) == (403, listed.content)
    assert refused.headers["content-type"] == listed.headers["content-type"]
    assert statements == []


@pytest.mark.parametrize("identity", [*BARE, "operator"])
async def test_who_has_no_place_reads_no_situation(country: Country, identity: str) -> None:
    assert {await status(country, path, identity) for path in SITUATION} == {403}


@pytest.mark.parametrize(
    ("identity", "hidden", "missing"),
    [
        ("poc:TH-83", f"/v1/provinces/{BANGKOK}/situation", "/v1/provinces/TH-99/situation"),
        ("poc:TH-83", "/v1/incidents/drugs-ring", "/v1/incidents/none"),
        ("poc:TH-83", "/v1/centres/poc:TH-82", "/v1/centres/poc:TH-99"),
        ("deputy:a", "/v1/deputies/b/overview", "/v1/deputies/z/overview"),
        ("deputy:a", "/v1/deputies/b/area", "/v1/deputies/z/area"),
        ("city:TH-10", "/v1/indicators/rain/values", "/v1/indicators/none/values"),
        (
            "poc:TH-82",
            "/v1/events?source=/centres/poc/TH-83&id=first",
            "/v1/events?source=/centres/poc/TH-83&id=none",
        ),
    ],
)
async def test_what_is_hidden_and_what_is_not_there_are_the_same(
    country: Country, identity: str, hidden: str, missing: str
) -> None:
    answers = []
    # A new connection first learns the database's types.
    await country.get_url(hidden, identity)
    for path in (hidden, missing):
        with country.counting_statements() as statements:
            response = await country.get_url(path, identity)
        kept = {name: v for name, v in response.headers.items() if name != "x-request-id"}
        texts = [text for text, _ in statements]
        answers.append((response.status_code, response.content, kept, texts))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


async def test_a_deputy_s_view_follows_the_matrix_of_the_moment(country: Country) -> None:
    """Deputy a holds Phuket from 2024: before that day nothing of it is theirs."""
    path = f"/v1/provinces/{PHUKET}/situation"
    assert await status(country, path, "deputy:a") == 200
    assert await status(country, path, "deputy:a", as_of="2023-12-31") == 404
