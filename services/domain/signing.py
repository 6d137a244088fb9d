"""Who signs with what, and who has to: the keys of centres with their validity.

Intervals are half-open and may overlap, so that a centre changes its key without a gap.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.events.model import EventModel
from schemas.events.signing import KeyRegistered, SigningRequired
from services.domain.decider import Decider
from services.domain.ed25519 import is_strong
from services.domain.rejected import Rejected


@dataclass
class WeakKey(Rejected):
    """These bytes are no Ed25519 key that proves anything. Source: `ed25519.is_strong`."""

    key_id: str
    rule = "weak-key"


@dataclass
class KeyIdTaken(Rejected):
    """The id stands for another key, for ever: what was signed with that one names it."""

    key_id: str
    rule = "key-id-taken"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of a centre. Half-open: `valid_to` is the first moment after."""

    key_id: str
    public_key: bytes
    valid_from: datetime
    valid_to: datetime | None = None
    revoked_from: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether the key was the centre's at that moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything about how one centre signs."""

    centre: str
    keys: Mapping[str, SigningKey] = field(default_factory=dict)
    required: tuple[SigningRequired, ...] = ()

    def key(self, key_id: str) -> SigningKey | None:
        """The centre's key of this id, whenever it was valid."""
        return self.keys.get(key_id)

    def requires(self, at: datetime) -> bool:
        """Whether what the centre states of that moment has to be signed."""
        return any(
            one.required_from <= at and (one.required_to is None or at < one.required_to)
            for one in self.required
        )


def keys_of(centre: str, stated: Iterable[EventModel]) -> Keys:
    """How the centre signs, by what is registered of it. A key that proves nothing is no key."""
    keys: dict[str, SigningKey] = {}
    required: list[SigningRequired] = []
    for model in stated:
        match model:
            case KeyRegistered() if is_strong(public_key := raw_key(model)):
                keys[model.key_id] = SigningKey(
                    model.key_id, public_key, model.valid_from, model.valid_to, model.revoked_from
                )
            case SigningRequired():
                required.append(model)
    return Keys(centre, keys, tuple(required))


def raw_key(key: KeyRegistered) -> bytes:
    """The key's 32 bytes; nothing when they are not written as base64."""
    try:
        return base64.b64decode(key.public_key, validate=True)
    except binascii.Error:
        return b""


def key_id_of(public_key: bytes) -> str:
    """The id by which `kamkap` names a key: the beginning of its SHA-256 in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Stated:
    """What was decided about one centre's signing."""

    keys: Mapping[str, KeyRegistered] = field(default_factory=dict)
    required: Mapping[datetime, SigningRequired] = field(default_factory=dict)


def evolve(stated: Stated, event: EventModel) -> Stated:
    """Apply one recorded fact."""
    match event:
        case KeyRegistered(key_id=key_id):
            return Stated({**stated.keys, key_id: event}, stated.required)
        case SigningRequired(required_from=begin):
            return Stated(stated.keys, {**stated.required, begin: event})
        case _:
            return stated


DECIDER = Decider("signing", Stated(), evolve)


def register(stated: Stated, key: KeyRegistered) -> list[EventModel]:
    """The key is registered as it says; one that is, stays.

    Raises:
        WeakKey: it proves nothing.
        KeyIdTaken: its id is another key's.
    """
    if not is_strong(raw_key(key)):
        raise WeakKey(key.key_id)
    before = stated.keys.get(key.key_id)
    if before is not None and raw_key(before) != raw_key(key):
        raise KeyIdTaken(key.key_id)
    return [] if before == key else [key]


def require(stated: Stated, required: SigningRequired) -> list[EventModel]:
    """The centre has to sign in this interval; one stated with the same beginning is replaced."""
    return [] if stated.required.get(required.required_from) == required else [required]
