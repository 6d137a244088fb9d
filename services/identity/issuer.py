"""The embedded issuer: tokens for one machine, signed by a key of the home."""

import base64
import hashlib
import os
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from services.identity.identity import Identity
from services.identity.tokens import IDENTITY_CLAIM
from services.operation.settings import Settings

DEFAULT_LIFETIME = timedelta(hours=12)
LONGEST_LIFETIME = timedelta(days=366)


class IssuerRefused(Exception):
    """The embedded issuer serves one machine: no Kafka log, no address but loopback.

    Whoever holds the home's key is anybody in the network.
    """


class Issuer:
    """Signs tokens with one Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey, settings: Settings) -> None:
        if settings.kafka_servers:
            raise IssuerRefused("KAMKAP_LOG_URL names Kafka: set KAMKAP_JWKS_URL and KAMKAP_ISSUER")
        if not settings.is_loopback:
            raise IssuerRefused(
                f"KAMKAP_HOST {settings.host} is not loopback: set KAMKAP_JWKS_URL and "
                "KAMKAP_ISSUER"
            )
        self._key = key
        self._settings = settings
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._public = base64.urlsafe_b64encode(public).decode().rstrip("=")
        self.key_id = hashlib.sha256(public).hexdigest()[:16]

    @classmethod
    def open(cls, key_file: Path, settings: Settings) -> "Issuer":
        """The issuer whose key this file holds; the file is made when it is missing.

        Raises:
            IssuerRefused: the settings reach beyond this machine.
        """
        if not key_file.exists():
            _make_key(key_file)
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise IssuerRefused(f"{key_file} holds no Ed25519 key")
        return cls(key, settings)

    def issue(self, identity: Identity, *, now: datetime, lifetime: timedelta) -> str:
        """A token for this identity, valid from now on for this long, a year at most."""
        claims = {
            "iss": self._settings.issuer,
            "aud": self._settings.audience,
            "sub": str(identity),
            "iat": now,
            "nbf": now,
            "exp": now + min(lifetime, LONGEST_LIFETIME),
            "jti": os.urandom(12).hex(),
            IDENTITY_CLAIM: str(identity),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self.key_id})

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as a JWKS (RFC 7517, RFC 8037)."""
        key = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": self._public,
            "kid": self.key_id,
            "alg": "EdDSA",
            "use": "sig",
        }
        return {"keys": [key]}

    def discovery(self) -> dict[str, object]:
        """What OpenID Connect discovery says of this issuer; it has no login of its own."""
        return {
            "issuer": self._settings.issuer,
            "jwks_uri": "/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
        }


def _make_key(key_file: Path) -> None:
    content = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    # Made under another name first: two commands may do it at once, and the first one counts.
    made = key_file.with_name(f"{key_file.name}.{os.getpid()}")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, key_file)
    except FileExistsError:
        return
    finally:
        made.unlink()
