"""The issuer's public keys: where they come from, and which algorithm each may be used with."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
import jwt

ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})
"""Signatures with a public key alone. None of them can be confused with a shared secret."""

REFETCH_SECONDS = 30.0
"""An unknown key id asks the issuer again at most this often, whoever sends it."""

FRESH_SECONDS = 300.0
"""After this long a key that the issuer took back is no longer honoured."""

_FETCH_SECONDS = 5.0
_MINIMUM_RSA_BITS = 2_048


class KeysUnavailable(Exception):
    """The issuer's keys could not be read, so nobody's token can be judged."""


class Keys(Protocol):
    """The keys of one issuer."""

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id, or None when the issuer has none.

        Raises:
            KeysUnavailable: nothing is known about the issuer's keys.
        """
        ...

    @property
    def generation(self) -> int:
        """Changes whenever the keys may have."""
        ...


class FixedKeys:
    """Keys that stay as long as the process does."""

    generation = 0

    def __init__(self, jwks: Mapping[str, object]) -> None:
        self._keys = usable_keys(jwks)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)


class FetchedKeys:
    """Keys behind a `https://` or `file://` address, read again when they are old or one is new.

    When the issuer does not answer, the keys last read stay in force.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._tried = -REFETCH_SECONDS
        self._read = 0.0
        self._reading = asyncio.Lock()
        self.generation = 0

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        # Whoever comes while the first keys are being read waits for them too.
        if self._keys is None or self._is_wanted(key_id):
            async with self._reading:
                if self._is_wanted(key_id):
                    await self._refresh()
        if self._keys is None:
            raise KeysUnavailable(self._url)
        return self._keys.get(key_id)

    def _is_wanted(self, key_id: str) -> bool:
        now = self._clock()
        if now - self._tried < REFETCH_SECONDS:
            return False
        return self._keys is None or key_id not in self._keys or now - self._read >= FRESH_SECONDS

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = usable_keys(await _document(self._url))
        except (httpx.HTTPError, OSError, ValueError, jwt.PyJWTError) as unreadable:
            if self._keys is None:
                raise KeysUnavailable(f"{self._url}: {unreadable!r}") from unreadable
            return
        self._read = self._tried
        self.generation += 1


def usable_keys(jwks: Mapping[str, object]) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS (RFC 7517) that may verify a token here, by id; others are left out.

    Raises:
        ValueError: it is no JWKS.
    """
    entries = jwks.get("keys")
    if not isinstance(entries, list):
        raise ValueError("a JWKS has a list `keys`")
    usable = (_usable(entry) for entry in entries if isinstance(entry, dict))
    return {key.key_id: key for key in usable if key is not None and key.key_id}


def _usable(entry: dict[str, object]) -> jwt.PyJWK | None:
    """The key, unless its kind, its use or its size is not ours: an issuer may have others."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry)
    except jwt.PyJWTError:
        return None
    if key.algorithm_name not in ALGORITHMS:
        return None
    if key.algorithm_name == "RS256" and key.key.key_size < _MINIMUM_RSA_BITS:
        return None
    return key


async def _document(url: str) -> Mapping[str, object]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        content = await asyncio.to_thread(Path(unquote(parts.path)).read_bytes)
    else:
        async with httpx.AsyncClient(timeout=_FETCH_SECONDS, follow_redirects=False) as client:
            answer = await client.get(url)
            content = answer.raise_for_status().content
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("a JWKS is a JSON object")
    return document
