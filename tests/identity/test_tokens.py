"""Which bearer tokens the network believes, and why it does not believe the others."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.identity.identity import Identity
from services.identity.issuer import DEFAULT_LIFETIME, Issuer
from services.identity.keys import FixedKeys
from services.identity.tokens import (
    IDENTITY_CLAIM,
    LEEWAY,
    Expired,
    Forged,
    NotYetValid,
    Unbelieved,
    UnknownKey,
    Unreadable,
    Verifier,
    WrongAudience,
    WrongIssuer,
)
from services.operation.settings import EMBEDDED_ISSUER, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHUKET = Identity("poc", "TH-83")


@pytest.fixture
def key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture
def issuer(key: ed25519.Ed25519PrivateKey) -> Issuer:
    return Issuer(key, Settings())


@pytest.fixture
def verifier(issuer: Issuer) -> Verifier:
    return Verifier(FixedKeys(issuer.jwks()), issuer=EMBEDDED_ISSUER, audience="kamkap")


def claims(**changed: object) -> dict[str, object]:
    moment = int(NOW.timestamp())
    usual = {
        "iss": EMBEDDED_ISSUER,
        "aud": "kamkap",
        "sub": "somebody",
        "iat": moment,
        "exp": moment + 3600,
        IDENTITY_CLAIM: "poc:TH-83",
    }
    stated = {**usual, **changed}
    return {name: value for name, value in stated.items() if value is not None}


def signed(key: ed25519.Ed25519PrivateKey, issuer: Issuer, **changed: object) -> str:
    return jwt.encode(claims(**changed), key, algorithm="EdDSA", headers={"kid": issuer.key_id})


def segment(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_an_issued_token_speaks_for_its_identity(issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.issue(PHUKET, now=NOW, lifetime=DEFAULT_LIFETIME)
    assert await verifier.verify(token, now=NOW) == PHUKET


async def test_a_token_without_a_signature_is_not_believed(
    issuer: Issuer, verifier: Verifier
) -> None:
    for algorithm in ("none", "None", "NONE"):
        header = {"alg": algorithm, "typ": "JWT", "kid": issuer.key_id}
        with pytest.raises(UnknownKey):
            await verifier.verify(f"{segment(header)}.{segment(claims())}.", now=NOW)


async def test_a_public_key_used_as_a_shared_secret_is_not_believed(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer, verifier: Verifier
) -> None:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": issuer.key_id}
    content = f"{segment(header)}.{segment(claims())}"
    mac = hmac.new(public, content.encode(), hashlib.sha256).digest()
    forged = f"{content}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(UnknownKey):
        await verifier.verify(forged, now=NOW)


async def test_a_token_of_another_key_under_our_key_id_is_forged(
    issuer: Issuer, verifier: Verifier
) -> None:
    with pytest.raises(Forged):
        await verifier.verify(signed(ed25519.Ed25519PrivateKey.generate(), issuer), now=NOW)


async def test_changed_claims_are_forged(issuer: Issuer, verifier: Verifier) -> None:
    header, _, signature = issuer.issue(PHUKET, now=NOW, lifetime=DEFAULT_LIFETIME).split(".")
    changed = segment(claims(**{IDENTITY_CLAIM: "pm"}))
    with pytest.raises(Forged):
        await verifier.verify(f"{header}.{changed}.{signature}", now=NOW)


async def test_a_key_id_nobody_knows_is_not_believed(
    key: ed25519.Ed25519PrivateKey, verifier: Verifier
) -> None:
    for headers in ({"kid": "other"}, None):
        token = jwt.encode(claims(), key, algorithm="EdDSA", headers=headers)
        with pytest.raises(UnknownKey):
            await verifier.verify(token, now=NOW)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"aud": "somebody-else"}, WrongAudience),
        ({"aud": None}, Unreadable),
        ({"iss": "https://elsewhere.example"}, WrongIssuer),
        ({"sub": None}, Unreadable),
        ({"exp": None}, Unreadable),
        ({"exp": "tomorrow"}, Unreadable),
        ({"exp": float("inf")}, Unreadable),
        ({"exp": 10**400}, Unreadable),
        ({"iat": True}, Unreadable),
        ({IDENTITY_CLAIM: None}, Unreadable),
        ({IDENTITY_CLAIM: "emperor"}, Unreadable),
        ({IDENTITY_CLAIM: ["pm"]}, Unreadable),
        ({"nbf": int((NOW + timedelta(hours=1)).timestamp())}, NotYetValid),
        ({"iat": int((NOW + timedelta(hours=1)).timestamp())}, NotYetValid),
    ],
)
async def test_a_claim_that_is_not_what_it_must_be_is_named(
    key: ed25519.Ed25519PrivateKey,
    issuer: Issuer,
    verifier: Verifier,
    changed: dict[str, object],
    refusal: type[Unbelieved],
) -> None:
    with pytest.raises(refusal):
        await verifier.verify(signed(key, issuer, **changed), now=NOW)


async def test_a_token_ends_at_its_time_and_a_leeway_also_when_remembered(
    issuer: Issuer, verifier: Verifier
) -> None:
    token = issuer.issue(PHUKET, now=NOW, lifetime=timedelta(minutes=5))
    end = NOW + timedelta(minutes=5)
    assert await verifier.verify(token, now=end + LEEWAY - timedelta(seconds=1)) == PHUKET
    with pytest.raises(Expired):
        await verifier.verify(token, now=end + LEEWAY)


@pytest.mark.parametrize(
    "junk", ["", "a", "a.b.c", "é.é.é", "x" * 10_000, "\ud800.a.b", "..", "e30.e30."]
)
async def test_what_is_no_token_is_not_believed(verifier: Verifier, junk: str) -> None:
    with pytest.raises(Unbelieved):
        await verifier.verify(junk, now=NOW)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_an_outside_issuer_may_sign_with(algorithm: str) -> None:
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "RS256":
        private = rsa.generate_private_key(65537, 2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    keys = FixedKeys({"keys": [{**public, "kid": "k"}]})
    verifier = Verifier(keys, issuer="https://id.example", audience="kamkap")
    token = jwt.encode(
        claims(iss="https://id.example"), private, algorithm=algorithm, headers={"kid": "k"}
    )
    assert await verifier.verify(token, now=NOW) == PHUKET
    other = {"ES256": "RS256", "RS256": "PS256"}[algorithm]
    _header, body, signature = token.split(".")
    renamed = segment({"alg": other, "kid": "k"})
    with pytest.raises(UnknownKey):
        await verifier.verify(f"{renamed}.{body}.{signature}", now=NOW)


async def test_keys_that_could_be_shared_secrets_or_are_small_are_left_out() -> None:
    small = jwt.algorithms.RSAAlgorithm.to_jwk(
        rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 -- refused here
        as_dict=True,
    )
    secret = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256"}
    keys = FixedKeys({"keys": [{**small, "kid": "small"}, {**secret, "kid": "shared"}]})
    assert await keys.find("small") is None
    assert await keys.find("shared") is None
