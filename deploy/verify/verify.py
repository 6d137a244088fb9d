"""Checks one signed event of the network, for ever: `python verify.py EVENT.json KEYS.json`.

EVENT.json is what `GET /v1/events?source=…&id=…` answered, or the event itself in structured mode;
KEYS.json is what `GET /v1/keys?centre=…` answered. One file, of which only `cryptography` is not
Python's own: keep it beside the event and its keys. Exit code 0: it is what its centre signed, with
a key that was valid at the event's time. 1: it is not, by name. 2: a file cannot be read.

What is checked is CloudEvents' verifiability extension (github.com/cloudevents/spec,
cloudevents/extensions/verifiability.md) in DSSE v1.0.2 with Ed25519, and that what decides how the
network counts the event is covered.
"""

import base64
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD_TYPE = "https://cloudevents.io/verifiability/dsse/v0.1"
CORE = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")
MUST_BE_COVERED = ("sequence", "recordedtime", "realm", "originalid", "originalsource")
TIMES = ("time", "recordedtime")

# The network states these where the source did not, and they mean the same: an event without a
# content type holds JSON (CloudEvents' JSON format, 3.1), one without a realm is actual.
IMPLIED = {"datacontenttype": "application/json", "realm": "actual"}

_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class NotVerified(Exception):
    """The event is not shown to be its centre's; the message begins with the reason's name."""


def verify(text: str, keys: Sequence[Mapping[str, Any]]) -> str:
    """The sentence that says who signed the event, and what that covers.

    Raises:
        NotVerified: it is not what its centre signed.
        ValueError, KeyError: the event or the keys are not in the network's form.
    """
    event, data = read(text)
    if not (sealed := event.pop("dssematerial", None)):
        raise NotVerified("signature-missing: the event carries no dssematerial")
    payload, signatures, material = opened(sealed)
    centre = centre_of(event["source"])
    signer = signer_of(payload, signatures, centre, moment(event["time"]), keys)
    names = material.get("signedextattrs", [])
    if decoded(material["core"]) not in cores(event, data):
        raise NotVerified("signature-invalid: attributes or data are not what was signed")
    if "ext" in material and decoded(material["ext"]) not in extensions(event, names):
        raise NotVerified("signature-invalid: extension attributes are not what was signed")
    bare = [
        name for name in MUST_BE_COVERED if event.get(name, IMPLIED.get(name)) != IMPLIED.get(name)
    ]
    if bare := [name for name in bare if name not in names]:
        raise NotVerified(f"attributes-not-covered: {', '.join(bare)}")
    covered = ", ".join(("attributes", "data", *names))
    return f"verified: {event['source']} {event['id']}, by key {signer} of {centre}: {covered}"


def read(text: str) -> tuple[dict[str, Any], bytes]:
    """The event's attributes, and its data in the very bytes in which they stand there."""
    found = dict(members(text))
    if "event" in found:
        text = found["event"]
        found = dict(members(text))
    event = {name: json.loads(value) for name, value in found.items() if name != "data"}
    if "data_base64" in event:
        return event, base64.b64decode(event.pop("data_base64"), validate=True)
    return event, found["data"].encode()


def members(text: str) -> Iterator[tuple[str, str]]:
    """The names of a JSON object with the text of their values, as it stands."""
    at = after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("it must be a JSON object")
    seen: set[str] = set()
    while text[at] != "}":
        name, at = _JSON.raw_decode(text, after_space(text, at + 1))
        at = after_space(text, at)
        if not isinstance(name, str) or text[at] != ":" or name in seen:
            raise ValueError("it must be a JSON object that names everything once")
        seen.add(name)
        begin = after_space(text, at + 1)
        _, end = _JSON.raw_decode(text, begin)
        yield name, text[begin:end]
        at = after_space(text, end)


def after_space(text: str, at: int) -> int:
    """The place of what comes next."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def opened(sealed: str) -> tuple[bytes, list[dict[str, str]], dict[str, Any]]:
    """The payload, its signatures, and the material that it holds."""
    try:
        envelope = json.loads(decoded(sealed))
        payload = decoded(envelope["payload"])
        material = json.loads(payload)
        kind, signatures = envelope["payloadType"], envelope["signatures"]
        names = material.get("signedextattrs", [])
        decoded(material["core"])
        is_whole = ("ext" in material) == ("signedextattrs" in material)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise NotVerified(f"signature-malformed: {wrong!r}") from wrong
    forbidden = {*CORE, "data", "dssematerial"} & set(names)
    if kind != PAYLOAD_TYPE or not is_whole or forbidden or len(set(names)) != len(names):
        raise NotVerified("signature-malformed: it breaks a rule of the extension")
    return payload, signatures, material


def signer_of(
    payload: bytes,
    signatures: Sequence[Mapping[str, str]],
    centre: str,
    at: datetime,
    keys: Sequence[Mapping[str, Any]],
) -> str:
    """The id of the key of the centre that signed, and was valid at the event's time."""
    kind = PAYLOAD_TYPE.encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    named = {one.get("keyid", ""): decoded(one["sig"]) for one in signatures}
    known = [key for key in keys if key["centre"] == centre and key["key_id"] in named]
    if not known:
        raise NotVerified(f"key-unknown: no signature names a key of {centre}")
    valid = [key for key in known if is_valid(key, at)]
    if not valid:
        raise NotVerified(f"key-not-valid: {known[0]['key_id']} at {at.isoformat()}")
    for key in valid:
        try:
            public = Ed25519PublicKey.from_public_bytes(decoded(key["public_key"]))
            public.verify(named[key["key_id"]], message)
        except (InvalidSignature, ValueError):
            continue
        return str(key["key_id"])
    raise NotVerified("signature-invalid: no key of the centre made this signature")


def is_valid(key: Mapping[str, Any], at: datetime) -> bool:
    """Whether the key was the centre's own at that moment. An end is the first moment after."""
    ends = [moment(key[name]) for name in ("valid_to", "revoked_from") if key.get(name)]
    return moment(key["valid_from"]) <= at and all(at < end for end in ends)


def cores(event: Mapping[str, Any], data: bytes) -> list[bytes]:
    """The digest of attributes and data; two, when the content type may have been left out."""
    readings = [event]
    if event.get("datacontenttype") == IMPLIED["datacontenttype"]:
        readings.append({**event, "datacontenttype": None})
    return [
        sha256(b"".join(digest(one, name) for name in CORE) + sha256(data).digest()).digest()
        for one in readings
    ]


def extensions(event: Mapping[str, Any], names: Sequence[str]) -> list[bytes]:
    """The digest of these extension attributes; two, when the realm may have been left out."""
    readings = [event]
    if event.get("realm", IMPLIED["realm"]) == IMPLIED["realm"]:
        readings = [{**event, "realm": None}, {**event, "realm": IMPLIED["realm"]}]
    return [sha256(b"".join(digest(one, name) for name in names)).digest() for one in readings]


def digest(event: Mapping[str, Any], name: str) -> bytes:
    """The digest of one attribute; of nothing when the event does not have it."""
    value = event.get(name)
    if value is None:
        text = ""
    elif name in TIMES:
        text = moment(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = str(value)
    return sha256(text.encode()).digest()


def moment(stated: str) -> datetime:
    """RFC 3339 as a time; what is finer than Python counts is left out."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stated))


def centre_of(source: str) -> str:
    """`/centres/poc/TH-83` is `poc:TH-83`."""
    return source.removeprefix("/centres/").replace("/", ":", 1)


def decoded(text: str) -> bytes:
    """Base64, standard or URL-safe (RFC 4648)."""
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


def main(event: str, keys: str) -> int:
    """Say whether the event in this file is what its centre signed; returns the exit code."""
    try:
        history = json.loads(Path(keys).read_text("utf-8"))
        said = verify(Path(event).read_bytes().decode(), history["items"])
    except NotVerified as reason:
        sys.stdout.write(f"{reason}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError, IndexError) as unreadable:
        sys.stderr.write(f"cannot be read: {unreadable!r}\n")
        return 2
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
