"""Which keys a centre has, and whether it has to sign."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.model import EventModel
from schemas.events.signing import KeyRegistered, SigningRequired
from services.domain import signing
from services.domain.registry import MODELS, Entry, registry_of
from services.domain.signing import KeyIdTaken, Stated, WeakKey, keys_of

NOON = datetime(2026, 10, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENTS = st.integers(-50, 50).map(lambda hours: NOON + hours * HOUR)
SMALL_ORDER = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")


def key(
    seed: int = 1,
    *,
    key_id: str = "one",
    begin: datetime = NOON,
    end: datetime | None = None,
    raw: bytes | None = None,
) -> KeyRegistered:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = base64.b64encode(raw or private.public_key().public_bytes_raw()).decode()
    return KeyRegistered(
        centre="poc:TH-83",
        key_id=key_id,
        public_key=public,
        valid_from=begin,
        valid_to=end,
        source="test",
    )


def required(begin: datetime = NOON, end: datetime | None = None) -> SigningRequired:
    return SigningRequired(centre="poc:TH-83", required_from=begin, required_to=end, source="test")


def stated(*events: EventModel) -> Stated:
    return signing.DECIDER.fold(events)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_a_key_is_valid_from_its_beginning_and_not_at_its_end(
    begin: datetime, end: datetime, at: datetime
) -> None:
    end = max(end, begin + HOUR)
    found = keys_of("poc:TH-83", [key(begin=begin, end=end)]).key("one")
    assert found is not None
    assert found.is_valid(at) == (begin <= at < end)


@given(MOMENTS, st.integers(1, 5))
def test_while_keys_overlap_both_are_valid_and_there_is_no_gap(at: datetime, overlap: int) -> None:
    keys = keys_of(
        "poc:TH-83",
        [
            key(1, key_id="old", begin=NOON - 99 * HOUR, end=NOON + overlap * HOUR),
            key(2, key_id="new", begin=NOON),
        ],
    )
    old, new = keys.key("old"), keys.key("new")
    assert old is not None
    assert new is not None
    assert (old.is_valid(at), new.is_valid(at)) == (at < NOON + overlap * HOUR, at >= NOON)
    assert old.is_valid(at) or new.is_valid(at)


def test_signing_is_required_within_its_intervals_alone() -> None:
    keys = keys_of("poc:TH-83", [required(NOON, NOON + HOUR), required(NOON + 3 * HOUR)])
    asked = [keys.requires(NOON + hours * HOUR) for hours in range(-1, 5)]
    assert asked == [False, True, False, False, True, True]
    assert not keys_of("poc:TH-83", []).requires(NOON)


def test_a_key_of_small_order_is_none() -> None:
    assert keys_of("poc:TH-83", [key(raw=SMALL_ORDER)]).keys == {}
    with pytest.raises(WeakKey):
        signing.register(stated(), key(raw=SMALL_ORDER))


def test_a_key_is_registered_once() -> None:
    assert signing.register(stated(), key()) == [key()]
    assert signing.register(stated(key()), key()) == []
    assert signing.require(stated(), required()) == [required()]
    assert signing.require(stated(required()), required()) == []


def test_an_end_is_stated_later_under_the_same_id() -> None:
    ended = key(end=NOON + HOUR)
    assert signing.register(stated(key()), ended) == [ended]
    assert signing.require(stated(required()), required(end=NOON + HOUR))


def test_an_id_never_becomes_another_keys() -> None:
    with pytest.raises(KeyIdTaken):
        signing.register(stated(key(1)), key(2))


def test_what_is_stated_last_rules_in_the_registry() -> None:
    models = [key(), key(end=NOON + HOUR), required(), key(2, key_id="two")]
    entries = [
        Entry(model.type.partition(".")[0], name, None, None, model)
        for name, model in zip(["one", "one", "req", "two"], models, strict=True)
    ]
    keys = registry_of(entries).signing("poc:TH-83")
    assert set(keys.keys) == {"one", "two"}
    assert keys.keys["one"].valid_to == NOON + HOUR
    assert keys.required == (required(),)
    assert registry_of(entries).signing("poc:TH-82").keys == {}
    assert {"key", "signing"} <= set(MODELS)


def test_others_streams_do_not_change_what_is_stated() -> None:
    before = stated(key())
    assert signing.evolve(before, MODELS["network"](opened_at=NOON)) is before
