"""A request's bearer token, and keys that come over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from services.identity.bearer import identify
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.identity.pages import discovery_pages
from services.identity.tokens import Verifier
from services.operation.metrics import Metrics
from services.operation.problems import Problem
from services.operation.serving import listen, serve
from services.operation.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.open(Settings(home=tmp_path))


@pytest.fixture
def verifier(tmp_path: Path) -> Verifier:
    return verifier_of(Settings(home=tmp_path))


async def test_the_scheme_is_read_whatever_its_case(issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.issue(Identity("pm"), now=NOW, lifetime=HOUR)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await identify(f"{scheme} {token}", verifier, now=NOW) == Identity("pm")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic cG06cG0=", "Bearer x.y"])
async def test_without_a_token_that_is_believed_the_answer_is_401_with_a_challenge(
    verifier: Verifier, header: str | None
) -> None:
    with pytest.raises(Problem) as refused:
        await identify(header, verifier, now=NOW)
    assert refused.value.kind.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_refusal_names_its_reason_and_repeats_no_token(
    issuer: Issuer, verifier: Verifier
) -> None:
    token = issuer.issue(Identity("pm"), now=NOW, lifetime=HOUR)
    with pytest.raises(Problem) as refused:
        await identify(f"Bearer {token}", verifier, now=NOW + 2 * HOUR)
    body = refused.value.body()
    assert body["reason"] == "Expired"
    assert token not in str(body)


async def test_keys_are_read_over_http_and_without_them_the_answer_is_503(
    issuer: Issuer, tmp_path: Path
) -> None:
    app, started = FastAPI(), asyncio.Event()
    app.include_router(discovery_pages(issuer, Metrics.new()))
    place = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{place.getsockname()[1]}/.well-known/jwks.json"
    token = issuer.issue(Identity("pm"), now=NOW, lifetime=HOUR)
    serving = asyncio.create_task(serve(app, place, on_started=started.set))
    await started.wait()
    outside = verifier_of(Settings(home=tmp_path, jwks_url=url))
    assert await identify(f"Bearer {token}", outside, now=NOW) == Identity("pm")
    serving.cancel()
    await asyncio.wait([serving])
    with pytest.raises(Problem) as away:
        await identify(
            f"Bearer {token}", verifier_of(Settings(home=tmp_path, jwks_url=url)), now=NOW
        )
    assert away.value.kind.status == 503
    assert "Retry-After" in away.value.headers
