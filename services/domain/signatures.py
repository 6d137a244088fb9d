"""Signed events: what a signature covers, who may have made it, whether it holds.

CloudEvents' verifiability extension (DSSE v1.0.2, `dssematerial`) with Ed25519 (RFC 8032). What is
signed are digests of the attributes and of the `data` bytes as they are, so a signature holds in
every mode as long as nothing writes `data` anew.

Source: github.com/cloudevents/spec, cloudevents/extensions/verifiability.md (payload type v0.1);
github.com/secure-systems-lab/dsse, protocol.md and envelope.md, v1.0.2.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.envelope import ATTRIBUTES, CONTENT_TYPE, Envelope
from services.domain.ed25519 import Claim, holds
from services.domain.rejected import Rejected
from services.domain.signing import Keys, SigningKey

PAYLOAD_TYPE = "https://cloudevents.io/verifiability/dsse/v0.1"

COVERED = ("sequence", "recordedtime", "realm", "originalid", "originalsource")
"""Extension attributes that a signature must cover when the event has them: they say what the event
is counted as, or which one it replaces."""

CORE = (
    "id",
    "source",
    "specversion",
    "type",
    "datacontenttype",
    "dataschema",
    "subject",
    "time",
)
"""The context attributes in the order in which they are digested; `data` is the last."""

MOST_SIGNATURES = 8
"""More in one envelope are refused: each costs a tenth of a millisecond."""

_MOST_NAMES = 100
_ABSENT = sha256(b"").digest()
_DIGEST_BYTES = 32
_NOT_SIGNED_BY_NAME = frozenset((*CORE, "data", "dssematerial"))
_EXTENSIONS = frozenset(ATTRIBUTES) - _NOT_SIGNED_BY_NAME


@dataclass
class SignatureMissing(Rejected):
    """The centre has to sign what it states of that time, and did not.

    Source: the extension, "Downgrade and stripping attacks": an event without material from a
    source that has to sign is a verification failure.
    """

    centre: str
    rule = "signature-missing"


@dataclass
class SignatureMalformed(Rejected):
    """`dssematerial` is no envelope that the extension knows. Source: its verification, 3 to 6."""

    why: str
    rule = "signature-malformed"


@dataclass
class SignatureInvalid(Rejected):
    """The event is not what was signed, or not by this key. Source: verification, 7 to 9."""

    part: str
    """`signature`, `core` (context attributes and data) or `ext` (extension attributes)."""
    rule = "signature-invalid"


@dataclass
class KeyUnknown(Rejected):
    """None of the signatures names a key of the centre. Source: verification, 7.1."""

    centre: str
    rule = "key-unknown"


@dataclass
class KeyNotValid(Rejected):
    """The key was not valid, or not yet, at the event's time."""

    key_id: str
    at: datetime
    rule = "key-not-valid"


@dataclass
class KeyRevoked(Rejected):
    """The key was revoked: whoever has it could state any time, so nothing new is believed."""

    key_id: str
    rule = "key-revoked"


@dataclass
class AttributesNotCovered(Rejected):
    """The event has attributes that its signature must cover and does not."""

    attributes: tuple[str, ...]
    rule = "attributes-not-covered"


@dataclass(frozen=True, slots=True)
class Verified:
    """The event is what the centre signed."""

    key_ids: tuple[str, ...]
    """The keys one of which signed."""
    attributes: tuple[str, ...]
    """The extension attributes that are covered too."""


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Dsse(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Material(msgspec.Struct):
    core: str
    ext: str | msgspec.UnsetType = msgspec.UNSET
    signedextattrs: list[str] | msgspec.UnsetType = msgspec.UNSET


_DSSE = msgspec.json.Decoder(_Dsse)
_MATERIAL = msgspec.json.Decoder(_Material)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What `dssematerial` holds, taken apart; nothing of it is believed yet."""

    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    core: bytes
    ext: bytes | None
    names: tuple[str, ...]


def verify(envelope: Envelope, data: bytes, keys: Keys, *, at: datetime) -> Verified:
    """The event is what its centre signed, with a key that was valid `at`.

    Raises:
        Rejected: one of this module's refusals, by name.
    """
    sealed, claims = claimed(envelope, data, keys, at=at)
    if not any(map(holds, claims)):
        raise SignatureInvalid("signature")
    return Verified(tuple(key_id for key_id, _ in sealed.signatures), sealed.names)


def claimed(
    envelope: Envelope, data: bytes, keys: Keys, *, at: datetime
) -> tuple[Sealed, tuple[Claim, ...]]:
    """Everything but the signatures themselves is right; one of the claims has to hold.

    Raises:
        Rejected: as `verify`, for all that is cheap to tell.
    """
    if envelope.dssematerial is None:
        raise SignatureMissing(keys.centre)
    sealed = opened(envelope.dssematerial)
    message = pre_authentication(PAYLOAD_TYPE, sealed.payload)
    claims = tuple(
        (key.public_key, signature, message) for key, signature in _acceptable(sealed, keys, at)
    )
    if sealed.core not in _cores(envelope, data):
        raise SignatureInvalid("core")
    if sealed.ext is not None and sealed.ext not in _exts(envelope, sealed.names):
        raise SignatureInvalid("ext")
    if bare := tuple(name for name in present(envelope) if name not in sealed.names):
        raise AttributesNotCovered(bare)
    return sealed, claims


def present(envelope: Envelope) -> Iterator[str]:
    """The attributes that a signature of this event must cover.

    A realm `actual` is the same as none, so only another one has to be covered.
    """
    for name in COVERED:
        value = getattr(envelope, name)
        if value is not None and (name != "realm" or value != "actual"):
            yield name


def opened(dssematerial: str) -> Sealed:
    """The envelope taken apart, as the extension's verification protocol has it (3 to 6).

    Raises:
        SignatureMalformed: it breaks a rule of the extension.
    """
    envelope = _decoded(_DSSE, _from_base64(dssematerial, "dssematerial"), "the DSSE envelope")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise SignatureMalformed(f"payloadType must be {PAYLOAD_TYPE}")
    if not 1 <= len(envelope.signatures) <= MOST_SIGNATURES:
        raise SignatureMalformed(f"signatures: 1 to {MOST_SIGNATURES} of them")
    payload = _from_base64(envelope.payload, "payload")
    material = _decoded(_MATERIAL, payload, "the verification material")
    if (material.ext is msgspec.UNSET) != (material.signedextattrs is msgspec.UNSET):
        raise SignatureMalformed("ext and signedextattrs are both there, or neither is")
    ext = None if material.ext is msgspec.UNSET else _digest(material.ext, "ext")
    names = () if material.signedextattrs is msgspec.UNSET else tuple(material.signedextattrs)
    check_names(names)
    signatures = tuple((one.keyid, _from_base64(one.sig, "sig")) for one in envelope.signatures)
    return Sealed(payload, signatures, _digest(material.core, "core"), ext, names)


def check_names(names: Sequence[str]) -> None:
    """These attributes may be signed by name.

    Raises:
        SignatureMalformed: a name is repeated, is a context attribute's, or there are too many.
    """
    if len(set(names)) != len(names) or len(names) > _MOST_NAMES:
        raise SignatureMalformed("signedextattrs names an attribute twice, or too many")
    if not _NOT_SIGNED_BY_NAME.isdisjoint(names):
        raise SignatureMalformed("signedextattrs names extension attributes alone")


def sign(
    envelope: Envelope, data: bytes, names: Sequence[str], *, key_id: str, key: Ed25519PrivateKey
) -> str:
    """The event's `dssematerial`, signed with this key; these extension attributes are covered.

    Raises:
        SignatureMalformed: the names may not be signed.
        AttributesNotCovered: one that must be covered is not among them.
    """
    check_names(names)
    if bare := tuple(name for name in present(envelope) if name not in names):
        raise AttributesNotCovered(bare)
    payload = material(envelope, data, names)
    signature = key.sign(pre_authentication(PAYLOAD_TYPE, payload))
    sealed = {
        "payloadType": PAYLOAD_TYPE,
        "payload": _to_base64(payload),
        "signatures": [{"keyid": key_id, "sig": _to_base64(signature)}],
    }
    return _to_base64(msgspec.json.encode(sealed))


def material(envelope: Envelope, data: bytes, names: Sequence[str]) -> bytes:
    """The verification material: the digests of the event as it stands, as JSON."""
    said: dict[str, object] = {"core": _to_base64(next(_cores(envelope, data)))}
    if names:
        said |= {"ext": _to_base64(next(_exts(envelope, names))), "signedextattrs": list(names)}
    return msgspec.json.encode(said)


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """What DSSE signs (protocol.md, PAE): type and body with their lengths."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _acceptable(sealed: Sealed, keys: Keys, at: datetime) -> Iterable[tuple[SigningKey, bytes]]:
    """The signatures by keys that were valid; refused is what speaks of none of them."""
    known = [(key, signature) for id_, signature in sealed.signatures if (key := keys.key(id_))]
    if not known:
        raise KeyUnknown(keys.centre)
    believed = [(key, signature) for key, signature in known if key.revoked_from is None]
    if not believed:
        raise KeyRevoked(known[0][0].key_id)
    valid = [(key, signature) for key, signature in believed if key.is_valid(at)]
    if not valid:
        raise KeyNotValid(believed[0][0].key_id, at)
    return valid


def _cores(envelope: Envelope, data: bytes) -> Iterator[bytes]:
    """The core digest; where the content type is the implied one, also as if it were not stated.

    JSON without a `datacontenttype` is `application/json` (CloudEvents' JSON format, 3.1), and the
    log always states it, so nobody can tell which of the two was signed.
    """
    # An envelope always has a time; that the extension allows none is for its vectors alone.
    of_time = sha256(_zulu(envelope.time)).digest() if envelope.time else _ABSENT
    before = b"".join(map(_of, (envelope.id, envelope.source, envelope.specversion, envelope.type)))
    after = b"".join(
        (_of(envelope.dataschema), _of(envelope.subject), of_time, sha256(data).digest())
    )
    yield sha256(before + _of(envelope.datacontenttype) + after).digest()
    if envelope.datacontenttype == CONTENT_TYPE:
        yield sha256(before + _ABSENT + after).digest()


def _exts(envelope: Envelope, names: Sequence[str]) -> Iterator[bytes]:
    """The digest of extension attributes; a realm `actual` may have been stated or not."""
    values = [_of_extension(envelope, name) for name in names]
    yield sha256(b"".join(values)).digest()
    if "realm" in names and envelope.realm == "actual":
        values[names.index("realm")] = _of("actual")
        yield sha256(b"".join(values)).digest()


def _of_extension(envelope: Envelope, name: str) -> bytes:
    """Source: the signing protocol, 5.2.1; what is not there is digested as nothing."""
    if name not in _EXTENSIONS:
        return _of(envelope.extensions.get(name))
    value = getattr(envelope, name)
    if isinstance(value, datetime):
        return sha256(_zulu(value)).digest()
    if name == "realm" and value == "actual":
        return _ABSENT
    return _ABSENT if value is None else _of(str(value))


def _of(text: str | None) -> bytes:
    return _ABSENT if text is None else _of_text(text)


# A centre's events differ in few of their attributes.
@lru_cache(maxsize=8_192)
def _of_text(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _zulu(moment: datetime) -> bytes:
    """RFC 3339 in UTC, to the second: what is finer is not covered (signing protocol, 3.8)."""
    # Written out: `replace` and `isoformat` take twice as long, for every event.
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19].encode() + b"Z"


def _digest(text: str, name: str) -> bytes:
    digest = _from_base64(text, name)
    if len(digest) != _DIGEST_BYTES:
        raise SignatureMalformed(f"{name} is no SHA-256 digest")
    return digest


def _decoded[Kind](decoder: msgspec.json.Decoder[Kind], text: bytes, name: str) -> Kind:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SignatureMalformed(f"{name} is not JSON of the extension's shape") from None


def _from_base64(text: str, name: str) -> bytes:
    """Standard or URL-safe: DSSE lets a producer choose (envelope.md)."""
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise SignatureMalformed(f"{name} is not base64 (RFC 4648)") from None


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
