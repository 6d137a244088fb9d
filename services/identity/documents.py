"""An issuer's documents: its JWKS, and the discovery document that says where the JWKS is."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx

DISCOVERY = "/.well-known/openid-configuration"

LARGEST_BYTES = 1_048_576
"""A document that is larger is not read to its end."""

_SECONDS = 5.0


class Place(Protocol):
    """Where an issuer's JWKS is."""

    async def jwks(self) -> Mapping[str, object]:
        """The JWKS as it is now.

        Raises:
            OSError, ValueError, httpx.HTTPError: it cannot be read, or is no JSON object.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stated:
    """A JWKS at an address that is known: `https://`, `http://` or `file://`."""

    url: str

    async def jwks(self) -> Mapping[str, object]:
        return await document(self.url)


@dataclass(frozen=True, slots=True)
class Discovered:
    """A JWKS whose address the issuer states (OpenID Connect Discovery 1.0, 4)."""

    issuer: str

    async def jwks(self) -> Mapping[str, object]:
        found = await document(self.issuer.rstrip("/") + DISCOVERY)
        # Section 4.3: whoever answers for another issuer is not the one that was asked.
        if found.get("issuer") != self.issuer:
            raise ValueError(f"the discovery document of {self.issuer} names another issuer")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or urlsplit(url).scheme != urlsplit(self.issuer).scheme:
            raise ValueError(f"the discovery document of {self.issuer} states no safe `jwks_uri`")
        return await document(url)


async def document(url: str) -> Mapping[str, object]:
    """The JSON object behind an address; redirections are not followed.

    Raises:
        OSError, ValueError, httpx.HTTPError: there is none, it is too large, or nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        content = await asyncio.to_thread(Path(unquote(parts.path)).read_bytes)
    else:
        async with asyncio.timeout(_SECONDS):
            content = await _fetched(url)
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")
    return found


async def _fetched(url: str) -> bytes:
    content = bytearray()
    async with (
        httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > LARGEST_BYTES:
                raise ValueError(f"{url} is larger than {LARGEST_BYTES} bytes")
    return bytes(content)
