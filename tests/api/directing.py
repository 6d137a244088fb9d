"""Directives as a test makes them: drafted, issued, answered over HTTP, and published."""

import json
from hashlib import sha256

import httpx

from tests.api.country import Country, Json, registered

SECRETARIAT, A, B, PM = "secretariat:a", "deputy:a", "deputy:b", "pm"
POC, GOVERNOR, MOC, DOC = "poc:TH-83", "governor:TH-83", "moc:moi", "doc:moi.ddpm"
TEXT = {"kind": "order", "title_th": "อพยพ", "text_th": "ให้อพยพประชาชน", "deputy": "a"}


async def department_registered(country: Country) -> None:
    """The ministry of interior has its department of disasters."""
    stated = {"department": "moi.ddpm", "ministry": "moi", "name_th": "กรม ปภ."}
    await country.network.decide("registry", registered("department.registered.v1", **stated))


async def post(
    country: Country, path: str, identity: str | None, body: Json, *, key: str | None = None
) -> httpx.Response:
    content = json.dumps(body).encode()
    headers = {"Idempotency-Key": key or sha256(path.encode() + content).hexdigest()}
    return await country.send("POST", f"/v1/directives{path}", identity, headers, content)


async def drafted(country: Country, id_: str, *to: str, by: str = SECRETARIAT, **said: Json) -> str:
    body = {**TEXT, "directive": id_, "addressees": list(to), **said}
    response = await post(country, "", by, body)
    assert response.status_code == 201, response.text
    return id_


async def issued(country: Country, id_: str, *to: str, by: str = A, **said: Json) -> str:
    await drafted(country, id_, *to, **said)
    assert await step(country, id_, "issue", by) == "open"
    return id_


async def step(country: Country, id_: str, name: str, by: str, **said: Json) -> str:
    """What the directive came to; or the rule that refused it, with the status."""
    response = await post(country, f"/{id_}/{name}", by, said)
    answer = response.json()
    if response.status_code != 200:
        return f"{response.status_code} {answer.get('rule', answer['type'])}"
    return str(answer["state"])


async def published(country: Country) -> None:
    while await country.network.relay.publish():
        pass
    await country.network.project()
