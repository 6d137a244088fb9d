"""What a webhook's receiver verifies with the published library, and what it must not believe."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from services.identity.signing import SecretSeal, SigningSecret, signed_headers

BODY = '{"data":"ภูเก็ต"}'.encode()
OLD, NEW = SigningSecret("hmac", b"o" * 32), SigningSecret("hmac", b"n" * 32)
PAIR = SigningSecret("ed25519", b"k" * 32)


def headers(*secrets: SigningSecret, ago: timedelta = timedelta()) -> dict[str, str]:
    """Of an attempt so long ago: the library goes by the clock on the wall."""
    return signed_headers(secrets, id_="e1", at=datetime.now(UTC) - ago, body=BODY)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_during_a_rotation_either_secret_verifies(secret: SigningSecret) -> None:
    Webhook(secret.shown).verify(BODY, headers(NEW, OLD))


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
def test_the_library_refuses_what_was_changed(part: str) -> None:
    said, body = headers(NEW), BODY
    if part == "body":
        body += b" "
    else:
        said[part] = said[part][:-1] + ("2" if said[part][-1] == "1" else "1")
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW.shown).verify(body, said)


def test_a_secret_that_ended_verifies_nothing() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD.shown).verify(BODY, headers(NEW))


def test_the_library_refuses_an_old_attempt() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW.shown).verify(BODY, headers(NEW, ago=timedelta(minutes=6)))


def test_v1a_is_ed25519_over_id_timestamp_and_body() -> None:
    said = headers(PAIR)
    version, _, signature = said["webhook-signature"].partition(",")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(PAIR.shown.removeprefix("whpk_")))
    content = f"e1.{said['webhook-timestamp']}.".encode() + BODY
    assert version == "v1a"
    public.verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), content + b" ")


def test_a_private_key_is_never_shown() -> None:
    assert base64.b64encode(PAIR.content).decode() not in PAIR.shown
    assert OLD.public_key is None


def test_a_sealed_secret_opens_for_its_subscription_alone() -> None:
    seal, mine = SecretSeal(Fernet.generate_key()), uuid4()
    sealed = seal.seal(NEW, subscription=mine)
    assert NEW.content not in sealed
    assert seal.open(sealed, signing="hmac", subscription=mine) == NEW
    with pytest.raises(InvalidTag):
        seal.open(sealed, signing="hmac", subscription=uuid4())
    with pytest.raises(InvalidTag):
        seal.open(sealed, signing="ed25519", subscription=mine)
    with pytest.raises(InvalidTag):
        SecretSeal(Fernet.generate_key()).open(sealed, signing="hmac", subscription=mine)
