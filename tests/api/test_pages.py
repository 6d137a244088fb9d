"""Lists page by cursors that keep the first page's pair and belong to one reader and question."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.cursors import Bound, Cursors
from services.operation.problems import Problem
from tests.api.country import PHANG_NGA, PHUKET, SECRET, Country, Json
from tests.api.happenings import happen, opened, said


async def pages(country: Country, path: str, **query: Json) -> list[Json]:
    """Every page of a list, by its cursors."""
    found = [await country.ask(path, **query)]
    while (cursor := found[-1]["next"]) is not None:
        found.append(await country.ask(path, cursor=cursor, **query))
    return found


@pytest.mark.parametrize(
    "path",
    ["/v1/centres", "/v1/provinces", "/v1/deputies", "/v1/oversight", "/v1/indicators",
     "/v1/indicators/rain/values", "/v1/alerts", "/v1/archive"],
)  # fmt: skip
async def test_pages_of_one_add_up_to_the_whole_list(country: Country, path: str) -> None:
    await happen(country)
    whole = (await country.ask(path))["items"]
    single = await pages(country, path, limit=1)
    assert [item for page in single for item in page["items"]] == whole
    assert all(len(page["items"]) == 1 for page in single)


async def test_the_quarantine_pages_too(country: Country) -> None:
    await happen(country)
    # The database says by its own clock when something was set aside.
    country.now = datetime.now(UTC) + timedelta(minutes=1)
    whole = (await country.ask("/v1/quarantine", "operator"))["items"]
    assert {item["kind"] for item in whole} == {"unreadable", "parked", "conflict"}
    first = await country.ask("/v1/quarantine", "operator", limit=2)
    rest = await country.ask("/v1/quarantine", "operator", limit=2, cursor=first["next"])
    assert first["items"] + rest["items"] == whole


async def test_a_cursor_keeps_the_pair_of_its_first_page(country: Country) -> None:
    await country.tell(*(opened(f"i{n}", PHUKET, minutes=n) for n in range(3)))
    first = await country.get("/v1/incidents", limit=2)
    await country.tell(opened("late", PHUKET, minutes=-5))
    second = await country.get("/v1/incidents", limit=2, cursor=first.json()["next"])
    seen = [item["id"] for page in (first, second) for item in page.json()["items"]]
    assert seen == ["i2", "i1", "i0"]
    assert second.json()["next"] is None
    for header in ("kamkap-as-of", "kamkap-known-at"):
        assert second.headers[header] == first.headers[header]


async def test_the_pair_of_a_past_question_is_kept_too(country: Country) -> None:
    await country.tell(*(opened(f"i{n}", PHUKET, minutes=n) for n in range(3)))
    tick = await country.tick()
    await country.tell(opened("late", PHUKET, minutes=-5))
    asked = {"as_of": "2024-09-02", "known_at": tick.time.isoformat(), "limit": 2}
    found = await pages(country, "/v1/incidents", **asked)
    assert [item["id"] for page in found for item in page["items"]] == ["i2", "i1", "i0"]


@pytest.mark.parametrize(
    ("identity", "query"),
    [("analyst", {}), ("pm", {"province": PHANG_NGA}), ("pm", {"state": "any"})],
)
async def test_a_cursor_belongs_to_its_reader_and_its_question(
    country: Country, identity: str, query: dict[str, Json]
) -> None:
    await country.tell(*(opened(f"i{n}", PHUKET, PHANG_NGA, minutes=n) for n in range(2)))
    first = await country.ask("/v1/incidents", limit=1)
    response = await country.get("/v1/incidents", identity, cursor=first["next"], **query)
    assert (response.status_code, response.json()["type"]) == (
        400,
        "urn:kamkap:problem:invalid-cursor",
    )


@pytest.mark.parametrize("cursor", ["", "x", "gAAAAABn", "ก"])
async def test_what_is_no_cursor_is_refused(country: Country, cursor: str) -> None:
    response = await country.get("/v1/incidents", cursor=cursor)
    assert response.status_code == 400


async def test_a_position_token_is_no_cursor(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=1, id="one"))
    event = await country.ask("/v1/events", source="/centres/poc/TH-83", id="one")
    response = await country.get("/v1/incidents", cursor=event["position"])
    assert response.status_code == 400


async def test_a_cursor_of_before_a_restore_is_refused_by_name(country: Country) -> None:
    await country.tell(*(opened(f"i{n}", PHUKET, minutes=n) for n in range(2)))
    first = await country.ask("/v1/incidents", limit=1)
    bound = Bound("pm", "/v1/incidents", [("limit", "1")])
    with pytest.raises(Problem) as refused:
        Cursors(SECRET, epoch=2).open(first["next"], bound)
    assert refused.value.detail is not None
    assert "restore" in refused.value.detail.en


@pytest.mark.parametrize("limit", [0, 501, "x"])
async def test_a_page_has_one_to_five_hundred_items(country: Country, limit: Json) -> None:
    assert (await country.get("/v1/provinces", limit=limit)).status_code == 400
