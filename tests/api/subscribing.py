"""Subscriptions as a test makes them over HTTP."""

import json
from uuid import uuid4

import httpx

from services.api.deciding import Sent
from services.identity.identity import Identity
from tests.api.country import Country, Json

URL = "https://hooks.example/kamkap"
KEY = "subscribed"


def id_of(owner: str) -> str:
    """The id of what this identity subscribed to under `KEY`."""
    return Sent(Identity.parse(owner), KEY, "").id


async def sent(
    country: Country, path: str, by: str | None, body: Json = None, *, key: str | None = None
) -> httpx.Response:
    """The answer to a POST below /v1/subscriptions."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"Idempotency-Key": key or str(uuid4())}
    return await country.send("POST", f"/v1/subscriptions{path}", by, headers, content)


async def subscribed(
    country: Country, by: str, url: str = URL, *, key: str | None = None, **said: Json
) -> Json:
    """A new subscription of this identity, with its secret."""
    response = await sent(country, "", by, {"url": url, **said}, key=key)
    assert response.status_code == 201, response.text
    return response.json()
