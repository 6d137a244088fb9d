"""A provider elsewhere: its keys are discovered, rotate and are bounded, and it may be away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.identity.documents import LARGEST_BYTES, Discovered
from services.identity.identity import Identity
from services.identity.issuer import trust_of, verifier_of
from services.identity.keys import (
    FIRST_SECONDS,
    FRESH_SECONDS,
    LONGEST_SECONDS,
    REFETCH_SECONDS,
    FetchedKeys,
    KeysUnavailable,
)
from services.identity.tokens import (
    Forged,
    UnknownKey,
    Verifier,
    WrongAudience,
    WrongClient,
    WrongIssuer,
)
from services.operation.settings import Settings
from tests.identity.provider import Provider, open_provider

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHUKET = Identity("poc", "TH-83")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest_asyncio.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Provider]:
    async with open_provider(tmp_path_factory.mktemp("provider")) as opened:
        yield opened


@pytest.fixture
def provider(running: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The provider as it was at first, believed by who asks it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
    running.rotate("first")
    running.asked.clear()
    running.stated.clear()
    running.is_away = False
    return running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(provider: Provider, clock: Clock) -> Verifier:
    keys = FetchedKeys(Discovered(provider.issuer), clock=clock)
    return Verifier(keys, trust_of(Settings(issuer=provider.issuer)))


async def test_an_https_issuer_alone_is_enough(provider: Provider, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        issuer=provider.issuer,
        host="192.0.2.1",
        log_url="kafka://a:9092",
        identity_claim="roles",
        clients=("portal",),
    )
    token = provider.token("first", now=NOW, roles=["opdc"])
    assert await verifier_of(settings).verify(token, now=NOW) == Identity("opdc")
    assert provider.asked == ["discovery", "jwks"]
    with pytest.raises(WrongClient):
        await verifier_of(settings).verify(
            provider.token("first", now=NOW, roles=["opdc"], azp="other"), now=NOW
        )


async def test_a_token_for_others_or_of_another_realm_is_not_believed(
    provider: Provider, verifier: Verifier
) -> None:
    assert await verifier.verify(provider.token("first", now=NOW), now=NOW) == PHUKET
    with pytest.raises(WrongAudience):
        await verifier.verify(provider.token("first", now=NOW, aud=["account"]), now=NOW)
    with pytest.raises(WrongIssuer):
        await verifier.verify(provider.token("first", now=NOW, iss=provider.issuer + "/"), now=NOW)


async def test_a_key_for_encryption_signs_nothing(provider: Provider, verifier: Verifier) -> None:
    provider.keys["enc"] = provider.keys["first"]
    token = provider.token("enc", now=NOW)
    del provider.keys["enc"]
    with pytest.raises(UnknownKey):
        await verifier.verify(token, now=NOW)


async def test_a_rotated_key_is_read_once_and_strangers_ask_for_nothing(
    provider: Provider, verifier: Verifier, clock: Clock
) -> None:
    old = provider.token("first", now=NOW)
    await verifier.verify(old, now=NOW)
    provider.rotate("second")
    new = provider.token("second", now=NOW)
    for _ in range(5):
        with pytest.raises(UnknownKey):
            await verifier.verify(new, now=NOW)
    assert provider.asked == ["discovery", "jwks"]
    clock.seconds += REFETCH_SECONDS
    assert await verifier.verify(new, now=NOW) == PHUKET
    with pytest.raises(UnknownKey):
        await verifier.verify(old, now=NOW)
    assert provider.asked == ["discovery", "jwks"] * 2


async def test_a_key_of_the_same_name_with_other_content_is_another_key(
    provider: Provider, verifier: Verifier, clock: Clock
) -> None:
    old = provider.token("first", now=NOW)
    await verifier.verify(old, now=NOW)
    provider.rotate("first")
    clock.seconds += FRESH_SECONDS
    with pytest.raises(Forged):
        await verifier.verify(old, now=NOW)


async def test_while_the_provider_is_away_the_keys_it_had_are_believed_for_a_day(
    provider: Provider, verifier: Verifier, clock: Clock
) -> None:
    token = provider.token("first", now=NOW)
    await verifier.verify(token, now=NOW)
    provider.is_away = True
    clock.seconds += FRESH_SECONDS
    assert await verifier.verify(token, now=NOW) == PHUKET
    clock.seconds += LONGEST_SECONDS
    with pytest.raises(KeysUnavailable):
        await verifier.verify(token, now=NOW)
    provider.is_away = False
    clock.seconds += FIRST_SECONDS
    assert await verifier.verify(token, now=NOW) == PHUKET


@pytest.mark.parametrize(
    "stated",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://127.0.0.1:9/certs"},
        {"jwks_uri": "file:///certs"},
        {"jwks_uri": None},
        {"padding": "x" * LARGEST_BYTES},
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted_leads_nowhere(
    provider: Provider, verifier: Verifier, stated: dict[str, object]
) -> None:
    provider.stated.update(stated)
    with pytest.raises(KeysUnavailable):
        await verifier.verify(provider.token("first", now=NOW), now=NOW)
    assert "jwks" not in provider.asked


async def test_a_provider_whose_certificate_nobody_vouches_for_is_away(
    provider: Provider, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(KeysUnavailable):
        await verifier.verify(provider.token("first", now=NOW), now=NOW)
    assert provider.asked == []
