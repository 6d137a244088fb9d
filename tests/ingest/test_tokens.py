"""Who may knock: tokens that are not believed, and bearers who are no centre."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.settings import Settings
from tests.ingest.doorway import NOW, Doorway, event


def unsigned(token: str) -> str:
    """The same claims under `alg: none`."""
    _, claims, _ = token.split(".")
    header = json.dumps({"alg": "none", "typ": "JWT", "kid": "x"}).encode()
    return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{claims}."


async def refused(doorway: Doorway, authorization: str | None) -> tuple[int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    headers["Content-Type"] = "application/cloudevents+json"
    answer = await doorway.client.post("/v1/events", content=json.dumps(event()), headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await doorway.stored() == []
    return answer.status_code, answer.json()["type"].removeprefix("urn:kamkap:problem:")


async def test_tokens_that_are_not_believed_are_401(doorway: Doorway, tmp_path: Path) -> None:
    good = doorway.token("poc:TH-83")
    stranger = Issuer.open(Settings(home=tmp_path / "elsewhere"))
    forged = stranger.issue(Identity.parse("poc:TH-83"), now=NOW, lifetime=timedelta(hours=1))
    hmac = jwt.encode({"sub": "x"}, "s" * 32, headers={"kid": doorway.issuer.key_id})
    for token in (
        doorway.token("poc:TH-83", now=NOW - timedelta(days=1)),
        doorway.token("poc:TH-83", now=NOW + timedelta(days=1)),
        forged,
        f"{good[:-6]}AAAAAA",
        unsigned(good),
        hmac,
        "nonsense",
    ):
        assert await refused(doorway, f"Bearer {token}") == (401, "unauthenticated")
    for authorization in (None, "", "Bearer", "Basic eDp5", f"bearer{good}"):
        assert await refused(doorway, authorization) == (401, "unauthenticated")
    assert doorway.counted("kamkap_events_refused_total", reason="unauthenticated") == 12


@pytest.mark.parametrize("identity", ["pm", "operator", "analyst", "deputy:d1", "governor:TH-83"])
async def test_only_centres_state_facts(doorway: Doorway, identity: str) -> None:
    token = doorway.token(identity)
    assert await refused(doorway, f"Bearer {token}") == (403, "not-a-centre")


async def test_another_centres_token_does_not_speak_for_phuket(doorway: Doorway) -> None:
    token = doorway.token("poc:TH-82")
    assert await refused(doorway, f"Bearer {token}") == (403, "not-own-source")


async def test_a_centre_nobody_registered_states_nothing(doorway: Doorway) -> None:
    token = doorway.token("poc:TH-90")
    answer = await doorway.client.post(
        "/v1/events",
        content=json.dumps(event(source="/centres/poc/TH-90", subject=None)),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents+json",
        },
    )
    assert answer.status_code == 403
    assert answer.json()["rule"] == "centre-not-registered"


async def test_a_token_in_the_address_is_refused_also_beside_one_in_its_place(
    doorway: Doorway,
) -> None:
    token = doorway.token("poc:TH-83")
    answer = await doorway.client.post(
        f"/v1/events?access_token={token}",
        content=json.dumps(event()),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents+json",
        },
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "TokenInAddress")
    assert token not in answer.text
    assert await doorway.stored() == []
