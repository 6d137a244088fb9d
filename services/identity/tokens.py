"""Bearer tokens: what a JWT (RFC 7519) must be before the network believes it."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import jwt
import msgspec

from services.identity.identity import Identity, UnknownIdentity
from services.identity.keys import Keys

IDENTITY_CLAIM = "kamkap_identity"
"""The claim that holds the identity's text; `sub` is who uses it."""

LEEWAY = timedelta(seconds=30)
"""How far the issuer's clock may be from ours."""

REQUIRED = ("iss", "aud", "sub", "exp", "iat", IDENTITY_CLAIM)

_REMEMBERED = 4_096
_LONGEST_TOKEN = 8_192


class Unbelieved(Exception):
    """A token that is not believed. The message says why, without repeating the token."""


class Unreadable(Unbelieved):
    """It is no JWT, lacks a claim, or a claim has the wrong shape."""


class UnknownKey(Unbelieved):
    """No key of the issuer has its key id, or its algorithm is not the key's own."""


class Forged(Unbelieved):
    """The signature is not the key's."""


class WrongIssuer(Unbelieved):
    """Another issuer signed it."""


class WrongAudience(Unbelieved):
    """It is meant for somebody else."""


class Expired(Unbelieved):
    """Its time is over."""


class NotYetValid(Unbelieved):
    """Its time has not come, or it was issued in the future."""


type _Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


class _Claims(msgspec.Struct):
    iat: _Seconds
    exp: _Seconds
    kamkap_identity: str
    nbf: _Seconds = 0


@dataclass(frozen=True, slots=True)
class _Believed:
    identity: Identity
    valid_from: float
    expires: float


class Verifier:
    """Believes the tokens of one issuer for one audience."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        # A signature costs about 0.1 ms, more than the rest of a small request: a token that was
        # verified is remembered as long as the keys stay the same.
        self._believed: OrderedDict[str, _Believed] = OrderedDict()
        self._generation = keys.generation

    async def verify(self, token: str, *, now: datetime) -> Identity:
        """Who the token speaks for at this moment.

        Raises:
            Unbelieved: one of its subclasses says why.
            KeysUnavailable: the issuer's keys are not known.
        """
        if len(token) > _LONGEST_TOKEN:
            raise Unreadable(f"longer than {_LONGEST_TOKEN} characters")
        key = await self._key_of(token)
        if self._generation != self._keys.generation:
            self._believed.clear()
            self._generation = self._keys.generation
        believed = self._believed.get(token)
        if believed is None:
            believed = self._read(token, key)
            self._believed[token] = believed
            if len(self._believed) > _REMEMBERED:
                self._believed.popitem(last=False)
        _check_time(believed, now.timestamp())
        return believed.identity

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, UnicodeError) as wrong:
            raise Unreadable("not a JSON Web Token") from wrong
        key_id = header.get("kid")
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        # The algorithm is the key's, never the token's: `none` and HMAC over a public key end here.
        if key is None or header.get("alg") != key.algorithm_name:
            raise UnknownKey("no key of the issuer has this `kid` and this `alg`")
        return key

    def _read(self, token: str, key: jwt.PyJWK) -> _Believed:
        try:
            claims = msgspec.convert(self._claims(token, key), _Claims)
            return _Believed(
                Identity.parse(claims.kamkap_identity),
                valid_from=max(claims.iat, claims.nbf),
                expires=claims.exp,
            )
        except UnknownIdentity as unknown:
            raise Unreadable(str(unknown)) from unknown
        except msgspec.ValidationError as wrong:
            raise Unreadable(f"a claim has the wrong shape: {wrong}") from wrong

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, object]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                # Times are checked by us, against the moment we are given.
                options={
                    "require": list(REQUIRED),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError as wrong:
            raise Forged("the signature is not the issuer's") from wrong
        except jwt.InvalidIssuerError as wrong:
            raise WrongIssuer("`iss` is not the issuer this network believes") from wrong
        except jwt.InvalidAudienceError as wrong:
            raise WrongAudience("`aud` does not name this network") from wrong
        except (jwt.PyJWTError, ValueError, TypeError) as wrong:
            raise Unreadable(str(wrong)) from wrong


def _check_time(believed: _Believed, now: float) -> None:
    leeway = LEEWAY.total_seconds()
    if not now < believed.expires + leeway:
        raise Expired("`exp` has passed")
    if not now >= believed.valid_from - leeway:
        raise NotYetValid("`nbf` or `iat` is still to come")
