"""The embedded issuer over HTTP: discovery, keys, and tokens for systems (client credentials)."""

import base64
import binascii
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from services.identity.identity import Identity, UnknownIdentity
from services.identity.issuer import CLIENT_LIFETIME, Issuer
from services.operation.metrics import Metrics

TOKENS = "/oauth/token"

_DISCOVERY = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_LARGEST_FORM = 4_096
_GRANT = "client_credentials"
_REASONS = {
    "invalid_request": "The form states no client and secret, once each, or is too large.",
    "invalid_client": "The client or its secret is not known: `kamkap client IDENTITY` prints it.",
    "unsupported_grant_type": "grant_type must be client_credentials.",
}
"""What RFC 6749, 5.2, calls each refusal; its text has to be ASCII."""


class TokenRefused(Exception):
    """The token endpoint issues nothing; `error` says why in the words of RFC 6749, 5.2."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def discovery_pages(issuer: Issuer, metrics: Metrics) -> APIRouter:
    """The issuer's pages: discovery (OpenID Connect, RFC 8414), its JWKS, its token endpoint."""
    pages = APIRouter(include_in_schema=False)

    @pages.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, list[dict[str, str]]]:
        """The public key."""
        return issuer.jwks()

    async def discovery(request: Request) -> dict[str, object]:
        """Where the keys and the tokens are, at the address that was asked."""
        return issuer.discovery(str(request.base_url).rstrip("/"), tokens=TOKENS)

    for path in _DISCOVERY:
        pages.get(path)(discovery)

    @pages.post(TOKENS)
    async def token(request: Request) -> JSONResponse:
        """A token for a system that proves itself by its secret (RFC 6749, 4.4)."""
        try:
            client = _client(await _form(request), request.headers.get("authorization"))
            return _granted(issuer, client)
        except TokenRefused as refused:
            metrics.turned_away.labels(refused.error).inc()
            return _refusal(refused.error)

    return pages


type _Form = dict[str, list[str]]


async def _form(request: Request) -> _Form:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST_FORM:
            raise TokenRefused("invalid_request")
    form = parse_qs(content.decode("latin-1"))
    if form.get("grant_type") != [_GRANT]:
        raise TokenRefused("unsupported_grant_type" if "grant_type" in form else "invalid_request")
    return form


def _client(form: _Form, authorization: str | None) -> tuple[str, str]:
    """The client and its secret, from the Authorization header or the form (RFC 6749, 2.3.1)."""
    if authorization is not None:
        scheme, _, basic = authorization.partition(" ")
        try:
            stated = base64.b64decode(basic, validate=True).decode()
        except (binascii.Error, ValueError) as unreadable:
            raise TokenRefused("invalid_client") from unreadable
        # Some libraries leave the colon of `poc:TH-83` as it is; a secret has none.
        client, _, secret = stated.rpartition(":")
        if scheme.lower() != "basic":
            raise TokenRefused("invalid_client")
        return unquote_plus(client), unquote_plus(secret)
    match form:
        case {"client_id": [client], "client_secret": [secret]}:
            return client, secret
        case _:
            raise TokenRefused("invalid_request")


def _granted(issuer: Issuer, client: tuple[str, str]) -> JSONResponse:
    name, secret = client
    try:
        identity = Identity.parse(name)
    except UnknownIdentity as unknown:
        raise TokenRefused("invalid_client") from unknown
    if not issuer.knows(identity, secret):
        raise TokenRefused("invalid_client")
    token = issuer.issue(identity, now=datetime.now(UTC), lifetime=CLIENT_LIFETIME)
    seconds = int(CLIENT_LIFETIME.total_seconds())
    body = {"access_token": token, "token_type": "Bearer", "expires_in": seconds}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _refusal(error: str) -> JSONResponse:
    body = {"error": error, "error_description": _REASONS[error]}
    headers = {"Cache-Control": "no-store"}
    if error != "invalid_client":
        return JSONResponse(body, status_code=400, headers=headers)
    challenge = {"WWW-Authenticate": 'Basic realm="kamkap"'}
    return JSONResponse(body, status_code=401, headers=headers | challenge)
