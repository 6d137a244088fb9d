"""The issuer's public keys: where they come from, and which algorithm each may be used with."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import httpx
import jwt
import structlog

from services.identity.documents import Place
from services.operation.logs import describe

ALGORITHMS = frozenset({"EdDSA", "ES256", "ES384", "ES512", "PS256", "RS256", "RS384", "RS512"})
"""Signatures with a public key alone. None of them can be confused with a shared secret."""

REFETCH_SECONDS = 30.0
"""An unknown key id asks the issuer again at most this often, whoever sends it."""

FIRST_SECONDS = 2.0
"""As long as no keys are known at all, the issuer is asked again this often."""

FRESH_SECONDS = 300.0
"""After this long a key that the issuer took back is no longer honoured."""

LONGEST_SECONDS = 86_400.0
"""An issuer that has been away for longer vouches for nobody."""

_MINIMUM_RSA_BITS = 2_048

logger = structlog.get_logger()


class KeysUnavailable(Exception):
    """The issuer's keys could not be read, so nobody's token can be judged."""


class Keys(Protocol):
    """The keys of one issuer."""

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this id, or None when the issuer has none.

        A token may leave the id out where the issuer has one key (OpenID Connect Core 1.0, 10.1).

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

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        return _of(self._keys, key_id)


class FetchedKeys:
    """Keys of an issuer elsewhere, read again when they are old or one is new.

    When the issuer does not answer, the keys last read stay in force for a day.
    """

    def __init__(self, place: Place, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._tried = -REFETCH_SECONDS
        self._read = 0.0
        self._reading = asyncio.Lock()
        self.generation = 0

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        # Whoever comes while the first keys are being read waits for them too.
        if self._keys is None or self._is_wanted(key_id):
            async with self._reading:
                if self._is_wanted(key_id):
                    await self._refresh()
        if self._keys is None:
            raise KeysUnavailable(str(self._place))
        return _of(self._keys, key_id)

    def _is_wanted(self, key_id: str | None) -> bool:
        now = self._clock()
        since = now - self._tried
        if self._keys is None:
            return since >= FIRST_SECONDS
        if since < REFETCH_SECONDS:
            return False
        return _of(self._keys, key_id) is None or now - self._read >= FRESH_SECONDS

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = usable_keys(await self._place.jwks())
        except (httpx.HTTPError, OSError, ValueError, jwt.PyJWTError) as unreadable:
            if self._tried - self._read >= LONGEST_SECONDS:
                self._keys = None
            if self._keys is None:
                raise KeysUnavailable(f"{self._place}: {unreadable!r}") from unreadable
            logger.warning("issuer_away", place=str(self._place), error=describe(unreadable))
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


def _of(keys: Mapping[str, jwt.PyJWK], key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(key_id)


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
    if entry.get("kty") == "RSA" and key.key.key_size < _MINIMUM_RSA_BITS:
        return None
    return key
