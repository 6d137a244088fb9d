"""The worked example of docs/directives.md: every decision on the page, on the demonstration."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from services.agent import demo
from services.agent.importing import Archive
from services.domain.registry import day_of
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.homes import EMBEDDED
from tests.database import fresh_database
from tests.e2e.system import Json, System, open_system

PAGE = Path(__file__).parents[2] / "docs" / "directives.md"
DEPUTY = "phiphat-ratchakitprakarn"
_POST = re.compile(r"^post (\S+) (\S+) '(.*?)'( +# (\d\d\d))?", re.MULTILINE | re.DOTALL)
_DATE = re.compile(r"'\$\(.*?\)'")


@dataclass(frozen=True)
class Posted:
    """A decision that the page has somebody make, and the refusal it foresees."""

    who: str
    path: str
    body: str
    refused: int | None


def posts(today: str) -> Iterator[Posted]:
    """What the page posts, with its variables filled in."""
    page = _DATE.sub(today, PAGE.read_text("utf-8").replace("'$D'", DEPUTY).replace("$D", DEPUTY))
    for who, path, body, _, refused in _POST.findall(page):
        if who != "$1":
            yield Posted(who, path, body, int(refused) if refused else None)


@pytest_asyncio.fixture(scope="module")
async def played(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """The demonstration country after everything that the page does."""
    keys = count(1)
    async with (
        fresh_database(postgres_server) as database,
        open_system(database, tmp_path_factory.mktemp("home"), log_url=EMBEDDED) as system,
    ):
        await system.take_over(Archive.of_files("demonstration", demo.loaded_at_start()))
        for one in posts(str(day_of(datetime.now(UTC)))):
            headers = {
                "Authorization": f"Bearer {system.token(one.who)}",
                "Content-Type": "application/json",
                "Idempotency-Key": str(next(keys)),
            }
            answer = await system.client.post(f"/v1/{one.path}", content=one.body, headers=headers)
            assert (one.refused or answer.status_code) == answer.status_code, answer.text
            assert answer.is_success == (one.refused is None), f"{one}: {answer.text}"
        await system.operator.applied(await system.operator.ends())
        yield system


async def lives(system: System, directive: str, **query: str) -> dict[str, Json]:
    """How far each addressee is, and whether it is overdue, as the deputy sees it."""
    found = await system.ask(f"/v1/directives/{directive}", f"deputy:{DEPUTY}", **query)
    return {one["addressee"]: (one["state"], one["overdue"]) for one in found["addressees"]}


async def test_the_order_stands_as_the_page_says(played: System) -> None:
    assert await lives(played, "flood-hospitals") == {
        "moph": ("objected", False),
        "TH-81": ("acknowledged", False),
        # The page ends with its acknowledgement.
        "TH-82": ("acknowledged", False),
        "TH-83": ("complied", False),
    }
    found = await played.ask("/v1/directives/flood-hospitals", f"deputy:{DEPUTY}")
    cited = {one["addressee"]: one["authority"][0]["order"] for one in found["addressees"]}
    assert cited == {
        "moph": "401/2569",
        **dict.fromkeys(("TH-81", "TH-82", "TH-83"), "303/2568"),
    }


async def test_the_silent_province_would_have_been_overdue_in_a_minute_and_a_half(
    played: System,
) -> None:
    found = await played.ask("/v1/directives/flood-hospitals", f"deputy:{DEPUTY}")
    issued, due = (datetime.fromisoformat(found[at]) for at in ("issued_at", "acknowledge_by"))
    assert due - issued == timedelta(seconds=90)
    drafted = await played.ask(
        "/v1/directives/flood-hospitals/history", f"deputy:{DEPUTY}", limit="500"
    )
    noted = [one for one in drafted["items"] if one["event"] == "acknowledged"]
    assert [one["addressee"] for one in noted] == ["TH-83", "TH-81", "TH-82"]


async def test_an_addressee_sees_itself_alone(played: System) -> None:
    found = await played.ask("/v1/directives/flood-hospitals", "poc:TH-82")
    assert [one["addressee"] for one in found["addressees"]] == ["TH-82"]


async def test_the_suspension_is_lifted_and_the_order_reversed(played: System) -> None:
    assert await lives(played, "stop-drainage") == {"TH-81": ("lifted", False)}
    history = await played.ask("/v1/directives/close-schools/history", f"deputy:{DEPUTY}")
    told = [(one["event"], one["by"]) for one in history["items"] if one["by"] is not None]
    assert told[:2] == [("drafted", f"secretariat:{DEPUTY}"), ("issued", f"deputy:{DEPUTY}")]
    assert told[-1] == ("reversed", "pm")
    feed = await played.ask("/v1/directives/feed", "poc:TH-82")
    changes = {(one["data"]["directive"], one["data"]["change"]) for one in feed["items"]}
    assert {("close-schools", "issued"), ("close-schools", "reversed")} <= changes
