"""Every error is a problem (RFC 9457), whoever raised it."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Query
from pydantic import BaseModel

from services.operation import problems
from services.operation.metrics import Metrics
from services.operation.problems import FORBIDDEN, MEDIA_TYPE, Problem, Text
from services.operation.requests import REQUEST_ID, Requests


class Body(BaseModel):
    """What the test's endpoint takes."""

    count: int


def application() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Requests, metrics=Metrics.new())

    @app.get("/forbidden")
    async def forbidden() -> None:
        raise Problem(FORBIDDEN, Text("ไม่ได้", "No"), extensions={"rule": "not-yours"})

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of the inside")

    @app.get("/asked")
    async def asked(page: Annotated[int, Query()]) -> int:
        return page

    @app.post("/taken")
    async def taken(body: Body) -> int:
        return body.count

    return app


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


async def test_a_problem_has_its_type_and_both_languages(client: httpx.AsyncClient) -> None:
    answer = await client.get("/forbidden")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == {
        "type": "urn:kamkap:problem:forbidden",
        "title": "ไม่มีสิทธิ",
        "title_en": "Not entitled",
        "status": 403,
        "detail": "ไม่ได้",
        "detail_en": "No",
        "rule": "not-yours",
    }


async def test_a_failure_tells_its_id_and_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken", headers={REQUEST_ID: "mine-1"})
    assert answer.status_code == 500
    assert answer.headers[REQUEST_ID] == "mine-1"
    assert answer.json()["request_id"] == "mine-1"
    assert "secret" not in answer.text


async def test_a_request_id_that_is_none_is_replaced(client: httpx.AsyncClient) -> None:
    answer = await client.get("/asked?page=1", headers={REQUEST_ID: "a b\x01"})
    assert answer.headers[REQUEST_ID] not in ("", "a b\x01")


@pytest.mark.parametrize(
    ("method", "path", "slug"),
    [
        ("GET", "/nowhere", "not-found"),
        ("POST", "/forbidden", "method-not-allowed"),
        ("GET", "/asked?page=x", "invalid-parameter"),
    ],
)
async def test_what_the_framework_refuses_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, slug: str
) -> None:
    answer = await client.request(method, path)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["type"] == f"urn:kamkap:problem:{slug}"
    assert answer.json()["status"] == answer.status_code


async def test_a_malformed_body_names_the_place_and_does_not_repeat_it(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/taken", json={"count": "1103700123456x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/count"
    assert "1103700123456x" not in answer.text
