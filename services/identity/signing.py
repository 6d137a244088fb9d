"""Secrets that sign webhooks: made, sealed for the database, shown once, signed with.

Source: Standard Webhooks 1.0.0, 'Signature scheme': `v1` is HMAC-SHA256, `v1a` Ed25519; both sign
`id.timestamp.body`.
"""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

type Signing = Literal["hmac", "ed25519"]

SECRET_BYTES = 32
"""Of both: a shared secret, and the seed of a key pair."""


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """What signs, as 32 random bytes."""

    signing: Signing
    content: bytes

    @property
    def shown(self) -> str:
        """What its receiver verifies with: the shared secret, or the public key."""
        if self.signing == "hmac":
            return f"whsec_{_text(self.content)}"
        return f"whpk_{_text(self._key.public_key().public_bytes_raw())}"

    @property
    def public_key(self) -> str | None:
        """The public key, which is no secret; None of a shared secret."""
        return self.shown if self.signing == "ed25519" else None

    def sign(self, content: bytes) -> str:
        """One signature of the header's list."""
        if self.signing == "hmac":
            return f"v1,{_text(hmac.digest(self.content, content, 'sha256'))}"
        return f"v1a,{_text(self._key.sign(content))}"

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.content)


class SecretSeal:
    """Seals and opens the secrets of one network, each for its own subscription alone.

    AES-SIV (RFC 5297) under a key derived from the network's secret, as position tokens.
    """

    def __init__(self, secret: bytes) -> None:
        derivation = HKDF(SHA256(), length=64, salt=None, info=b"kamkap webhook secret")
        self._cipher = AESSIV(derivation.derive(base64.urlsafe_b64decode(secret)))

    def seal(self, secret: SigningSecret, *, subscription: UUID) -> bytes:
        """The secret as the database keeps it."""
        return self._cipher.encrypt(secret.content, _bound(secret.signing, subscription))

    def open(self, sealed: bytes, *, signing: Signing, subscription: UUID) -> SigningSecret:
        """The secret again.

        Raises:
            cryptography.exceptions.InvalidTag: sealed by another network, or for another one.
        """
        content = self._cipher.decrypt(sealed, _bound(signing, subscription))
        return SigningSecret(signing, content)


def signed_headers(
    secrets: Iterable[SigningSecret], *, id_: str, at: datetime, body: bytes
) -> dict[str, str]:
    """The three headers of an attempt at this moment; every secret signs."""
    timestamp = str(int(at.timestamp()))
    content = f"{id_}.{timestamp}.".encode() + body
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(secret.sign(content) for secret in secrets),
    }


def _bound(signing: Signing, subscription: UUID) -> list[bytes]:
    return [subscription.bytes, signing.encode()]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
