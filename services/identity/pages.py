"""The embedded issuer over HTTP: discovery and keys."""

from fastapi import APIRouter

from services.identity.issuer import Issuer


def discovery_pages(issuer: Issuer) -> APIRouter:
    """The issuer's pages: OpenID Connect discovery and its JWKS."""
    pages = APIRouter(prefix="/.well-known", include_in_schema=False)

    @pages.get("/openid-configuration")
    async def discovery() -> dict[str, object]:
        """Where the keys are."""
        return issuer.discovery()

    @pages.get("/jwks.json")
    async def jwks() -> dict[str, list[dict[str, str]]]:
        """The public key."""
        return issuer.jwks()

    return pages
