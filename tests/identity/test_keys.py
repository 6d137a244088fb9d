"""The issuer's keys change while we run, and the issuer may be away."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.identity.documents import Stated
from services.identity.identity import Identity
from services.identity.issuer import DEFAULT_LIFETIME, Issuer
from services.identity.keys import (
    FRESH_SECONDS,
    REFETCH_SECONDS,
    FetchedKeys,
    KeysUnavailable,
)
from services.identity.tokens import Trust, UnknownKey, Verifier
from services.operation.settings import EMBEDDED_ISSUER, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def new_issuer() -> Issuer:
    return Issuer(Ed25519PrivateKey.generate(), Settings())


def publish(file: Path, *issuers: Issuer) -> None:
    entries = [key for issuer in issuers for key in issuer.jwks()["keys"]]
    file.write_text(json.dumps({"keys": entries}))


def token(issuer: Issuer) -> str:
    return issuer.issue(Identity("pm"), now=NOW, lifetime=DEFAULT_LIFETIME)


async def test_a_new_key_is_found_and_strangers_cannot_make_us_ask_often(tmp_path: Path) -> None:
    file, clock = tmp_path / "jwks.json", Clock()
    old, new = new_issuer(), new_issuer()
    publish(file, old)
    keys = FetchedKeys(Stated(file.as_uri()), clock=clock)
    verifier = Verifier(keys, Trust(EMBEDDED_ISSUER, "kamkap"))
    await verifier.verify(token(old), now=NOW)
    publish(file, old, new)
    for _ in range(3):
        with pytest.raises(UnknownKey):
            await verifier.verify(token(new), now=NOW)
    assert keys.generation == 1
    clock.seconds += REFETCH_SECONDS
    await verifier.verify(token(new), now=NOW)
    assert keys.generation == 2


async def test_a_key_taken_back_is_not_honoured_for_long(tmp_path: Path) -> None:
    file, clock = tmp_path / "jwks.json", Clock()
    old, new = new_issuer(), new_issuer()
    publish(file, old)
    keys = FetchedKeys(Stated(file.as_uri()), clock=clock)
    verifier = Verifier(keys, Trust(EMBEDDED_ISSUER, "kamkap"))
    taken = token(old)
    await verifier.verify(taken, now=NOW)
    publish(file, new)
    clock.seconds += FRESH_SECONDS
    with pytest.raises(UnknownKey):
        await verifier.verify(taken, now=NOW)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": 1}', "{"])
async def test_keys_last_read_stay_while_the_issuer_answers_nonsense(
    tmp_path: Path, content: str
) -> None:
    file, clock = tmp_path / "jwks.json", Clock()
    known = new_issuer()
    publish(file, known)
    keys = FetchedKeys(Stated(file.as_uri()), clock=clock)
    verifier = Verifier(keys, Trust(EMBEDDED_ISSUER, "kamkap"))
    await verifier.verify(token(known), now=NOW)
    file.write_text(content)
    clock.seconds += FRESH_SECONDS
    assert await verifier.verify(token(known), now=NOW) == Identity("pm")


async def test_without_any_keys_nobody_is_judged(tmp_path: Path) -> None:
    keys = FetchedKeys(Stated((tmp_path / "missing.json").as_uri()), clock=Clock())
    with pytest.raises(KeysUnavailable):
        await keys.find("any")


async def test_an_issuer_that_refuses_connections_is_away() -> None:
    keys = FetchedKeys(Stated("http://127.0.0.1:9/jwks.json"), clock=Clock())
    with pytest.raises(KeysUnavailable):
        await keys.find("any")


async def test_whoever_comes_while_the_first_keys_are_read_waits_for_them(tmp_path: Path) -> None:
    file, issuer = tmp_path / "jwks.json", new_issuer()
    publish(file, issuer)
    keys = FetchedKeys(Stated(file.as_uri()), clock=Clock())
    verifier = Verifier(keys, Trust(EMBEDDED_ISSUER, "kamkap"))
    verified = [verifier.verify(token(issuer), now=NOW) for _ in range(10)]
    assert set(await asyncio.gather(*verified)) == {Identity("pm")}
