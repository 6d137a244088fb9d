"""The embedded issuer: tokens for one machine, signed by a key of the home."""

import base64
import hashlib
import hmac
import os
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from services.identity.documents import Discovered, Stated
from services.identity.identity import Identity
from services.identity.keys import FetchedKeys, FixedKeys, Keys
from services.identity.tokens import Trust, Verifier
from services.operation.private_files import write_private
from services.operation.settings import BadSettings, Settings

KEY_FILE = "issuer.pem"
DEFAULT_LIFETIME = timedelta(hours=12)
CLIENT_LIFETIME = timedelta(hours=1)
"""Of a token by client credentials; a system asks for the next one."""
LONGEST_LIFETIME = timedelta(days=366)


class IssuerRefused(BadSettings):
    """The embedded issuer serves one machine: no Kafka log, no address but loopback.

    Whoever holds the home's key is anybody in the network.
    """


class Issuer:
    """Signs tokens with one Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey, settings: Settings) -> None:
        if settings.kafka_servers:
            raise IssuerRefused(
                "KAMKAP_LOG_URL names Kafka: set KAMKAP_ISSUER, and KAMKAP_JWKS_URL unless the "
                "issuer states it"
            )
        if not settings.is_loopback:
            raise IssuerRefused(
                f"KAMKAP_HOST {settings.host} is not loopback: set KAMKAP_ISSUER, and "
                "KAMKAP_JWKS_URL unless the issuer states it"
            )
        self._key = key
        self._settings = settings
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._public = base64.urlsafe_b64encode(public).decode().rstrip("=")
        self.key_id = hashlib.sha256(public).hexdigest()[:16]

    @classmethod
    def open(cls, settings: Settings) -> "Issuer":
        """The home's issuer; its key is made on first use.

        Raises:
            IssuerRefused: the settings reach beyond this machine.
        """
        key_file = settings.home / KEY_FILE
        if not key_file.exists():
            settings.home.mkdir(parents=True, exist_ok=True)
            write_private(key_file, _new_key())
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
            self._settings.identity_claim: str(identity),
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

    def discovery(self, address: str, *, tokens: str) -> dict[str, object]:
        """What discovery says of this issuer at an address; it has no login of its own."""
        return {
            "issuer": self._settings.issuer,
            "jwks_uri": f"{address}/.well-known/jwks.json",
            "token_endpoint": f"{address}{tokens}",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
        }

    def client_secret(self, identity: Identity) -> str:
        """What a system proves itself with at the token endpoint; it stays as long as the key."""
        private = self._key.private_bytes_raw()
        mac = hmac.digest(private, f"kamkap client {identity}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def knows(self, identity: Identity, secret: str) -> bool:
        """Whether this is the identity's secret."""
        return hmac.compare_digest(self.client_secret(identity).encode(), secret.encode())


def verifier_of(settings: Settings) -> Verifier:
    """Believes the issuer the settings name, or the home's own when they name none.

    Raises:
        IssuerRefused: they name none and reach beyond this machine.
    """
    keys: Keys
    if settings.jwks_url is not None:
        keys = FetchedKeys(Stated(settings.jwks_url))
    elif settings.has_embedded_issuer:
        keys = FixedKeys(Issuer.open(settings).jwks())
    else:
        keys = FetchedKeys(Discovered(settings.issuer))
    return Verifier(keys, trust_of(settings))


def trust_of(settings: Settings) -> Trust:
    """What the settings say of the tokens that are believed."""
    return Trust(
        issuer=settings.issuer,
        audience=settings.audience,
        identity_claim=settings.identity_claim,
        clients=frozenset(settings.clients),
        leeway=timedelta(seconds=settings.clock_skew_seconds),
    )


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
