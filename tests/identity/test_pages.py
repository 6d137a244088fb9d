"""The embedded issuer over HTTP, as a standard client finds it and gets its tokens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.identity.documents import Discovered
from services.identity.identity import Identity
from services.identity.issuer import Issuer, trust_of, verifier_of
from services.identity.keys import FetchedKeys
from services.identity.pages import discovery_pages
from services.identity.tokens import Verifier
from services.operation.metrics import Metrics
from services.operation.serving import listen, serve
from services.operation.settings import Settings

type Json = Any

PHUKET = Identity("poc", "TH-83")


class Served:
    """An issuer that answers at its own address."""

    def __init__(self, home: Path, address: str) -> None:
        self.settings = Settings(home=home, issuer=address)
        self.issuer = Issuer.open(self.settings)
        self.metrics = Metrics.new()
        self.client = httpx.AsyncClient(base_url=address)

    async def grant(self, auth: httpx.BasicAuth | None = None, **form: str) -> tuple[int, Json]:
        """What the token endpoint says to this form."""
        found = (await self.client.get("/.well-known/openid-configuration")).json()
        proof = httpx.USE_CLIENT_DEFAULT if auth is None else auth
        answer = await self.client.post(found["token_endpoint"], data=form, auth=proof)
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code, answer.json()


@pytest_asyncio.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    place, started, app = listen("127.0.0.1", 0), asyncio.Event(), FastAPI()
    address = f"http://127.0.0.1:{place.getsockname()[1]}"
    opened = Served(tmp_path_factory.mktemp("home"), address)
    app.include_router(discovery_pages(opened.issuer, opened.metrics))
    serving = asyncio.create_task(serve(app, place, on_started=started.set))
    await started.wait()
    async with opened.client:
        yield opened
    serving.cancel()
    await asyncio.wait([serving])


async def test_a_client_that_knows_the_issuer_alone_gets_a_token_and_its_key(
    served: Served,
) -> None:
    secret = served.issuer.client_secret(PHUKET)
    status, granted = await served.grant(
        grant_type="client_credentials", client_id="poc:TH-83", client_secret=secret
    )
    assert (status, granted["token_type"], granted["expires_in"]) == (200, "Bearer", 3600)
    found = (await served.client.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == served.settings.issuer
    # A client library that is not ours: what it believes, everybody can.
    library = jwt.PyJWKClient(found["jwks_uri"])
    key = await asyncio.to_thread(library.get_signing_key_from_jwt, granted["access_token"])
    claims = jwt.decode(
        granted["access_token"],
        key,
        algorithms=found["id_token_signing_alg_values_supported"],
        audience="kamkap",
        issuer=found["issuer"],
    )
    assert claims["kamkap_identity"] == "poc:TH-83"


async def test_discovery_as_we_do_it_elsewhere_accepts_the_embedded_issuer(served: Served) -> None:
    keys = FetchedKeys(Discovered(served.settings.issuer))
    verifier = Verifier(keys, trust_of(served.settings))
    secret = served.issuer.client_secret(PHUKET)
    _, granted = await served.grant(
        httpx.BasicAuth("poc%3ATH-83", secret), grant_type="client_credentials"
    )
    assert await verifier.verify(granted["access_token"], now=datetime.now(UTC)) == PHUKET


async def test_both_discovery_documents_are_the_same(served: Served) -> None:
    one, other = [
        (await served.client.get(f"/.well-known/{name}")).json()
        for name in ("openid-configuration", "oauth-authorization-server")
    ]
    assert one == other


@pytest.mark.parametrize("name", ["poc:TH-83", "poc%3ATH-83"])
async def test_a_client_may_prove_itself_in_the_header(served: Served, name: str) -> None:
    auth = httpx.BasicAuth(name, served.issuer.client_secret(PHUKET))
    status, granted = await served.grant(auth, grant_type="client_credentials")
    assert status == 200
    verifier = verifier_of(served.settings)
    assert await verifier.verify(granted["access_token"], now=datetime.now(UTC)) == PHUKET


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        ({"client_id": "poc:TH-83", "client_secret": "no"}, 401, "invalid_client"),
        ({"client_id": "emperor", "client_secret": "no"}, 401, "invalid_client"),
        ({"client_id": "pm", "client_secret": "ก"}, 401, "invalid_client"),
        ({"client_id": "pm", "client_secret": "x" * 5_000}, 400, "invalid_request"),
    ],
)
async def test_a_refusal_is_named_as_the_standard_does_and_counted(
    served: Served, form: dict[str, str], status: int, error: str
) -> None:
    def counted() -> float:
        name, labels = "kamkap_requests_turned_away_total", {"reason": error}
        return served.metrics.registry.get_sample_value(name, labels) or 0.0

    before = counted()
    grant = {"grant_type": "client_credentials"} if "client_id" in form else {}
    answered, said = await served.grant(None, **(grant | form))
    assert (answered, said["error"]) == (status, error)
    assert counted() == before + 1


async def test_one_identitys_secret_is_nobody_elses(served: Served) -> None:
    secret = served.issuer.client_secret(PHUKET)
    status, said = await served.grant(
        grant_type="client_credentials", client_id="pm", client_secret=secret
    )
    assert (status, said["error"]) == (401, "invalid_client")
