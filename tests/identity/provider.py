"""A little OpenID provider behind TLS: discovery, keys that rotate, client credentials."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.operation.serving import listen

REALM = "/realms/country"


@dataclass
class Provider:
    """What the provider says, and what was asked of it."""

    issuer: str
    authority: Path
    """The certificate of who signed its own: `SSL_CERT_FILE` for who wants to believe it."""
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    stated: dict[str, object] = field(default_factory=dict)
    """Members of the discovery document that are otherwise than they should be."""
    is_away: bool = False

    def rotate(self, key_id: str) -> None:
        """This key is the only one from now on."""
        self.keys = {key_id: rsa.generate_private_key(65537, 2048)}

    def token(self, key_id: str, *, now: datetime, **changed: object) -> str:
        """An access token as such a provider writes it, claims changed or added."""
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": ["kamkap", "account"],
            "azp": "portal",
            "sub": "5b6e0b6a",
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "kamkap_identity": "poc:TH-83",
            **changed,
        }
        headers = {"kid": key_id, "typ": "at+jwt"}
        return jwt.encode(claims, self.keys[key_id], algorithm="RS256", headers=headers)

    async def discovery(self, request: Request) -> JSONResponse:
        self.asked.append("discovery")
        document = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/certs", **self.stated}
        return JSONResponse(document, status_code=503 if self.is_away else 200)

    async def certs(self, request: Request) -> JSONResponse:
        self.asked.append("jwks")
        published = [_published(key_id, key) for key_id, key in self.keys.items()]
        encryption = _published("enc", rsa.generate_private_key(65537, 2048)) | {"use": "enc"}
        return JSONResponse({"keys": [encryption, *published]})


@asynccontextmanager
async def open_provider(folder: Path) -> AsyncIterator[Provider]:
    """A provider on this machine, answering over TLS with a certificate of its own making."""
    certificate, private = _certificate(folder)
    place = listen("127.0.0.1", 0)
    provider = Provider(f"https://127.0.0.1:{place.getsockname()[1]}{REALM}", certificate)
    provider.rotate("first")
    routes = [
        Route(f"{REALM}/.well-known/openid-configuration", provider.discovery),
        Route(f"{REALM}/certs", provider.certs),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        log_config=None,
        lifespan="off",
        ssl_certfile=certificate,
        ssl_keyfile=private,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[place]))
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving


def _published(key_id: str, key: rsa.RSAPrivateKey) -> dict[str, object]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**public, "kid": key_id, "use": "sig"}


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    certificate, private = folder / "provider.crt", folder / "provider.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private
