"""Nothing an answer shows depends on what lies outside its reader's scope.

Two countries that differ only in that are asked the same: once before it happens and once after.
Status, bytes, headers and statements are the same for every operation of the OpenAPI.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import get_args

import pytest
import pytest_asyncio
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.envelope import SLOTS
from schemas.ids import Realm
from services.api.answers import answer
from services.api.app import create_app
from services.api.bodies import Body
from services.api.cursors import Bound, Cursors, Pinned
from services.api.problems import forbidden, not_found
from services.api.reading import Asked
from services.embedded.postgres import EmbeddedPostgres
from services.readmodels.moment import Cut, Moment
from tests.api.asking import SINCE, SUBSCRIBER, UNASKED, Question, Walk, differences, observe
from tests.api.country import SECRET, Country, open_country
from tests.api.happenings import direct, happen
from tests.api.outside import REACHES, Happening, Reach, happening
from tests.api.subscribing import KEY, subscribed
from tests.database import fresh_database
from tests.projections.network import NOON

SEED = 2547
PAIRS = 10
_LAST_TICK = "SELECT max(time) FROM eventlog.ticks"


def pairs() -> list[tuple[str, str]]:
    """Readers by chance, each with somebody who knows what the reader does not, if anybody does."""
    random = Random(SEED)
    found = []
    for reader in random.sample(sorted(REACHES), PAIRS):
        others = [one for one in sorted(REACHES) if REACHES[one].beyond(REACHES[reader]) != Reach()]
        found.append((reader, random.choice(others or ["operator"])))
    return found


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country in which more and more happens."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await happen(opened)
        await direct(opened)
        await subscribed(opened, SUBSCRIBER, key=KEY)
        # A retry that nobody works off: who asks for one hears of this.
        opened.wait_at_most(seconds=0)
        await opened.send("POST", "/v1/quarantine/retry", "operator")
        # A connection learns the types of its statements once.
        await observe(opened, "pm", Walk(opened, Random(SEED), SINCE).plain())
        yield opened


async def told_apart(
    country: Country, reader: str, here: Happening, random: Random
) -> list[tuple[Question, str]]:
    """Where the reader's answers differ once it has happened."""
    last = (await country.network.pool.fetchval(_LAST_TICK)).isoformat()
    questions = Walk(country, random, last).questions(here)

    # What is known at a moment is read once and remembered: whoever asks first pays for all.
    async def warm() -> None:
        for realm in get_args(Realm):
            for query in ({"known_at": last}, {"known_at": SINCE}, {"limit": 1}):
                page = await country.ask("/v1/provinces", reader, realm=realm, **query)
            cursor = page["next"]
            await country.ask("/v1/provinces", reader, realm=realm, cursor=cursor)

    await warm()
    before = await observe(country, reader, questions)
    await here.tell(country)
    await warm()
    return differences(questions, before, await observe(country, reader, questions))


@pytest.mark.parametrize(("reader", "other"), pairs())
async def test_no_answer_tells_of_what_is_outside_its_reader_s_scope(
    country: Country, reader: str, other: str
) -> None:
    random = Random(f"{SEED} {reader} {other}")
    here = happening(random, reader, other)
    assert await told_apart(country, reader, here, random) == []


def test_a_cursor_is_as_long_however_much_the_network_holds() -> None:
    cursors, bound = Cursors(SECRET, epoch=1), Bound("pm", "/v1/incidents", ())

    def sealed(at: int) -> str:
        cut = Cut(NOON, (at,) * (SLOTS + 1))
        return cursors.seal(bound, Pinned(Moment(NOON, cut), NOON, ["flood"]))

    assert {len(sealed(at)) for at in (0, 127, 128, 70_000, 2**40)} == {len(sealed(1))}


async def test_every_operation_is_asked(country: Country) -> None:
    asked = {one.operation for one in Walk(country, Random(SEED), SINCE).plain()}
    paths = country.app.openapi()["paths"]
    assert asked == {path for path in paths if path not in {path for _, path in UNASKED}}


async def test_who_sees_it_all_tells_the_two_countries_apart(country: Country) -> None:
    """What happens outside is seen by those inside, so that the comparison compares something."""
    random = Random(SEED)
    here = happening(random, "screening", "pm")
    apart = {one.operation for one, _ in await told_apart(country, "pm", here, random)}
    assert apart >= {"/v1/incidents", "/v1/overview", "/v1/centres", "/v1/alerts", "/v1/events",
                     "/v1/directives"}  # fmt: skip


async def test_a_leak_that_was_planted_is_found(country: Country) -> None:
    leaking = replace(country, app=create_app(country.gateway, routers=[PLANTED]))
    random = Random(SEED)
    here = happening(random, "poc:TH-83", "pm")
    apart = {one.operation for one, _ in await told_apart(leaking, "poc:TH-83", here, random)}
    assert apart == {route.path for route in PLANTED.routes}  # type: ignore[attr-defined]


PLANTED = APIRouter()
_COUNT = "SELECT count(*) AS changes FROM incidents.changes"


class Counted(Body):
    """A number that must not be told."""

    changes: int = 0


@PLANTED.get("/v1/planted/count")
async def tell_in_the_body(request: Request, question: Asked) -> Response:
    """A count without scope."""
    (row,) = await question.rows(_COUNT)
    return answer(request, question, Counted(changes=row.changes))


@PLANTED.get("/v1/planted/header")
async def tell_in_a_header(request: Request, question: Asked) -> Response:
    """A body that says nothing, with a tag that does."""
    (row,) = await question.rows(_COUNT)
    response = answer(request, question, Counted())
    response.headers["ETag"] = f'"{row.changes}"'
    return response


@PLANTED.get("/v1/planted/statements")
async def tell_in_statements(request: Request, question: Asked) -> Response:
    """One statement for each row that nobody may see."""
    for row in await question.rows("SELECT incident FROM incidents.changes"):
        await question.rows("SELECT 1 WHERE :incident <> ''", incident=row.incident)
    return answer(request, question, Counted())


@PLANTED.get("/v1/planted/{incident}")
async def tell_in_the_status(question: Asked, incident: str) -> Response:
    """Another refusal for what is there than for what is not."""
    there = "SELECT 1 FROM incidents.changes WHERE incident = :incident"
    raise forbidden() if await question.rows(there, incident=incident) else not_found()
