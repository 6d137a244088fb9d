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
"""How far the issuer's clock may be from ours, unless stated otherwise."""

TYPES = frozenset({"jwt", "at+jwt"})
"""What a token's `typ` may be where it has one (RFC 9068, 2.1): a logout token, say, is no access
token, though the same key signs it for the same audience (RFC 8725, 3.11)."""

REQUIRED = ("iss", "aud", "sub", "exp", "iat")

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


class WrongClient(Unbelieved):
    """It was issued to a client this network does not believe."""


class Expired(Unbelieved):
    """Its time is over."""


class NotYetValid(Unbelieved):
    """Its time has not come, or it was issued in the future."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are believed, for whom, and where they state who speaks."""

    issuer: str
    audience: str
    identity_claim: str = IDENTITY_CLAIM
    clients: frozenset[str] = frozenset()
    """Clients whose tokens are believed: `azp`, or `client_id` (RFC 9068). Empty: any."""
    leeway: timedelta = LEEWAY


type _Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


class _Claims(msgspec.Struct):
    iat: _Seconds
    exp: _Seconds
    nbf: _Seconds = 0
    azp: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Believed:
    """What a token proves: who speaks, from when to when (Unix seconds)."""

    identity: Identity
    key_id: str | None
    valid_from: float
    expires: float


class Verifier:
    """Believes the tokens of one issuer for one audience."""

    def __init__(self, keys: Keys, trust: Trust) -> None:
        self._keys = keys
        self._trust = trust
        # A signature costs about 0.1 ms, more than the rest of a small request, and its header
        # a fifth of one: a token that was verified is remembered as long as the keys stay the same.
        self._believed: OrderedDict[str, Believed] = OrderedDict()
        self._generation = keys.generation

    async def verify(self, token: str, *, now: datetime) -> Identity:
        """Who the token speaks for at this moment.

        Raises:
            Unbelieved, KeysUnavailable: as for `believe`.
        """
        return (await self.believe(token, now=now)).identity

    async def believe(self, token: str, *, now: datetime) -> Believed:
        """What the token proves at this moment.

        Raises:
            Unbelieved: one of its subclasses says why.
            KeysUnavailable: the issuer's keys are not known.
        """
        if len(token) > _LONGEST_TOKEN:
            raise Unreadable(f"longer than {_LONGEST_TOKEN} characters")
        believed = await self._remembered(token)
        if believed is None:
            key_id, key = await self._key_of(token)
            believed = self._read(token, key, key_id)
            self._forget_under_old_keys()
            self._believed[token] = believed
            if len(self._believed) > _REMEMBERED:
                self._believed.popitem(last=False)
        self._check_time(believed, now.timestamp())
        return believed

    async def _remembered(self, token: str) -> Believed | None:
        """What is known of a token under the keys in force; they are asked for, so they age."""
        if (believed := self._believed.get(token)) is None:
            return None
        await self._keys.find(believed.key_id)
        self._forget_under_old_keys()
        return self._believed.get(token)

    def _forget_under_old_keys(self) -> None:
        if self._generation != self._keys.generation:
            self._believed.clear()
            self._generation = self._keys.generation

    async def _key_of(self, token: str) -> tuple[str | None, jwt.PyJWK]:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, UnicodeError) as wrong:
            raise Unreadable("not a JSON Web Token") from wrong
        type_ = header.get("typ")
        if type_ is not None and str(type_).lower().removeprefix("application/") not in TYPES:
            raise Unreadable("its `typ` is not that of an access token")
        key_id: str | None = header.get("kid")
        key = await self._keys.find(key_id)
        # The algorithm is the key's, never the token's: `none` and HMAC over a public key end here.
        if key is None or header.get("alg") != key.algorithm_name:
            raise UnknownKey("no key of the issuer has this `kid` and this `alg`")
        return key_id, key

    def _read(self, token: str, key: jwt.PyJWK, key_id: str | None) -> Believed:
        stated = self._claims(token, key)
        try:
            claims = msgspec.convert(stated, _Claims)
            identity = _identity(stated.get(self._trust.identity_claim))
        except UnknownIdentity as unknown:
            raise Unreadable(f"`{self._trust.identity_claim}`: {unknown}") from unknown
        except msgspec.ValidationError as wrong:
            raise Unreadable(f"a claim has the wrong shape: {wrong}") from wrong
        client = claims.azp or claims.client_id
        if self._trust.clients and client not in self._trust.clients:
            raise WrongClient("`azp` is no client this network believes")
        return Believed(identity, key_id, max(claims.iat, claims.nbf), claims.exp)

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, object]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._trust.audience,
                issuer=self._trust.issuer,
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

    def _check_time(self, believed: Believed, now: float) -> None:
        leeway = self._trust.leeway.total_seconds()
        if not now < believed.expires + leeway:
            raise Expired("`exp` has passed")
        if not now >= believed.valid_from - leeway:
            raise NotYetValid("`nbf` or `iat` is still to come")


def _identity(claim: object) -> Identity:
    """The identity a claim names; a provider may put roles and groups into lists."""
    if isinstance(claim, list) and len(claim) == 1:
        (claim,) = claim
    if not isinstance(claim, str):
        raise UnknownIdentity("it must name one identity")
    return Identity.parse(claim)
