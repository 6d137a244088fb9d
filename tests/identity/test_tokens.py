"""Which bearer tokens the network believes, and why it does not believe the others."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.identity.documents import Stated
from services.identity.identity import Identity
from services.identity.issuer import DEFAULT_LIFETIME, Issuer
from services.identity.keys import FRESH_SECONDS, FetchedKeys, FixedKeys
from services.identity.tokens import (
    IDENTITY_CLAIM,
    LEEWAY,
    Expired,
    Forged,
    NotYetValid,
    Trust,
    Unbelieved,
    UnknownKey,
    Unreadable,
    Verifier,
    WrongAudience,
    WrongClient,
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
    return Verifier(FixedKeys(issuer.jwks()), Trust(EMBEDDED_ISSUER, "kamkap"))


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
    for headers in ({"kid": "other"}, {"kid": ""}):
        token = jwt.encode(claims(), key, algorithm="EdDSA", headers=headers)
        with pytest.raises(UnknownKey):
            await verifier.verify(token, now=NOW)


async def test_a_token_may_leave_the_key_id_out_where_the_issuer_has_one_key(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer, verifier: Verifier
) -> None:
    token = jwt.encode(claims(), key, algorithm="EdDSA")
    assert await verifier.verify(token, now=NOW) == PHUKET
    other = Issuer(ed25519.Ed25519PrivateKey.generate(), Settings())
    two = FixedKeys({"keys": [*issuer.jwks()["keys"], *other.jwks()["keys"]]})
    with pytest.raises(UnknownKey):
        await Verifier(two, Trust(EMBEDDED_ISSUER, "kamkap")).verify(token, now=NOW)


@pytest.mark.parametrize("type_", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
async def test_a_token_says_that_it_is_an_access_token_or_nothing(
    key: ed25519.Ed25519PrivateKey, verifier: Verifier, type_: str
) -> None:
    token = jwt.encode(claims(), key, algorithm="EdDSA", headers={"typ": type_})
    assert await verifier.verify(token, now=NOW) == PHUKET
    other = jwt.encode(claims(), key, algorithm="EdDSA", headers={"typ": "logout+jwt"})
    with pytest.raises(Unreadable):
        await verifier.verify(other, now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "kamkap"]},
        {"aud": ["kamkap"], "azp": "portal"},
        {"client_id": "batch"},
        {IDENTITY_CLAIM: ["poc:TH-83"]},
    ],
)
async def test_audiences_and_identities_may_be_lists(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer, verifier: Verifier, changed: dict[str, object]
) -> None:
    assert await verifier.verify(signed(key, issuer, **changed), now=NOW) == PHUKET


async def test_only_the_clients_named_are_believed(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer
) -> None:
    trust = Trust(EMBEDDED_ISSUER, "kamkap", clients=frozenset({"portal"}))
    verifier = Verifier(FixedKeys(issuer.jwks()), trust)
    for stated in ({"azp": "portal"}, {"client_id": "portal"}):
        assert await verifier.verify(signed(key, issuer, **stated), now=NOW) == PHUKET
    for stated in ({}, {"azp": "other"}, {"azp": "other", "client_id": "portal"}):
        with pytest.raises(WrongClient):
            await verifier.verify(signed(key, issuer, **stated), now=NOW)


async def test_another_claim_may_name_the_identity(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer
) -> None:
    claim = "https://kamkap.example/identity"
    verifier = Verifier(FixedKeys(issuer.jwks()), Trust(EMBEDDED_ISSUER, "kamkap", claim))
    token = signed(key, issuer, **{claim: "opdc"})
    assert await verifier.verify(token, now=NOW) == Identity("opdc")
    with pytest.raises(Unreadable, match=r"kamkap\.example"):
        await verifier.verify(signed(key, issuer), now=NOW)


async def test_clocks_may_differ_by_what_is_stated(
    key: ed25519.Ed25519PrivateKey, issuer: Issuer
) -> None:
    exact = Trust(EMBEDDED_ISSUER, "kamkap", leeway=timedelta())
    verifier = Verifier(FixedKeys(issuer.jwks()), exact)
    with pytest.raises(NotYetValid):
        await verifier.verify(signed(key, issuer), now=NOW - timedelta(seconds=1))
    with pytest.raises(Expired):
        await verifier.verify(signed(key, issuer), now=NOW + timedelta(hours=1))


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
        ({IDENTITY_CLAIM: ["pm", "opdc"]}, Unreadable),
        ({IDENTITY_CLAIM: []}, Unreadable),
        ({IDENTITY_CLAIM: {"pm": True}}, Unreadable),
        ({"aud": ["somebody-else", "another"]}, WrongAudience),
        ({"azp": ["portal"]}, Unreadable),
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


async def test_a_remembered_token_ends_with_its_key(tmp_path: Path, issuer: Issuer) -> None:
    document, moment = tmp_path / "jwks.json", 0.0
    document.write_text(json.dumps(issuer.jwks()))
    keys = FetchedKeys(Stated(document.as_uri()), clock=lambda: moment)
    verifier = Verifier(keys, Trust(EMBEDDED_ISSUER, "kamkap"))
    token = issuer.issue(PHUKET, now=NOW, lifetime=DEFAULT_LIFETIME)
    assert await verifier.verify(token, now=NOW) == PHUKET
    document.write_text(json.dumps({"keys": []}))
    assert await verifier.verify(token, now=NOW) == PHUKET
    moment = FRESH_SECONDS
    with pytest.raises(UnknownKey):
        await verifier.verify(token, now=NOW)


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
    verifier = Verifier(keys, Trust("https://id.example", "kamkap"))
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
