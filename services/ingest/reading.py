"""An event out of the bytes that a centre sent: envelope, `data` as sent, the type's model.

`data` is never written again: what goes into the log is the centre's own bytes.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from pydantic import ValidationError

from schemas.envelope import ATTRIBUTES, CONTENT_TYPE, REQUIRED, Envelope, fault
from schemas.events import STATUS_TYPES, EventModel, UnknownType, decode
from schemas.events.upcast import STEPS
from services.ingest.refusals import (
    DATA_MISSING,
    EVENT_TOO_LARGE,
    attribute_invalid,
    attribute_missing,
    buddhist_era,
    data_invalid,
    envelope_invalid,
    network_attribute,
    time_in_future,
    unknown_type,
)
from services.ingest.sanity import whole, whole_object
from services.operation.problems import Problem, Text

MAX_EVENT_BYTES = 256 * 1024
MAX_EXTENSIONS = 20
MAX_EXTENSION_CHARACTERS = 1_024
AHEAD = timedelta(minutes=10)
"""How far a centre's clock may be ahead of the network's."""

EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
"""Before any record of the state; a time of year 1 is a mistake, and some clocks cannot hold it."""

_BUDDHIST_YEARS = 543
_NETWORK = frozenset({"acceptedtime", "archiverevision", "position"})
_DATA = ("data", "data_base64")
_KNOWN = frozenset(ATTRIBUTES) | frozenset(_DATA)
_TAKEN_TYPES = sorted({model.type for model in STATUS_TYPES} | STEPS.keys())


class Stated(msgspec.Struct, frozen=True):
    """One event as its centre states it; nothing about it has been judged yet."""

    envelope: Envelope
    data: bytes
    event: EventModel
    size: int
    """Bytes as it came, attributes and all."""


class Refused(msgspec.Struct, frozen=True):
    """An event that is not taken in, with its id when that could be read."""

    id: str | None
    problem: Problem


class _Data(msgspec.Struct):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_RAW_DATA = msgspec.json.Decoder(_Data)


def read(raw: bytes, *, now: datetime) -> Stated | Refused:
    """One event in structured mode: a JSON object of attributes and `data`."""
    content: dict[str, object] = {}
    try:
        check_size(len(raw))
        content = whole_object(raw)
        _check_attributes(content)
        envelope = _envelope(content)
        data = _data(raw, content)
        event = _event(envelope, data, now=now)
        return Stated(envelope, data, event, len(raw))
    except Problem as problem:
        return Refused(_readable(content.get("id")), problem)


def read_binary(attributes: Mapping[str, str], data: bytes, *, now: datetime) -> Stated | Refused:
    """One event in binary mode: attributes from headers, the body is `data`."""
    try:
        check_size(len(data))
        _check_attributes(attributes)
        if not data:
            raise _no_data()
        whole(data)
        envelope = _converted(attributes)
        size = len(data) + sum(map(len, attributes.values()))
        return Stated(envelope, data, _event(envelope, data, now=now), size)
    except Problem as problem:
        return Refused(_readable(attributes.get("id")), problem)


def check_size(size: int) -> None:
    """An event is at most 256 KiB.

    Raises:
        Problem: it is larger.
    """
    if size > MAX_EVENT_BYTES:
        raise Problem(
            EVENT_TOO_LARGE,
            Text(
                "เหตุการณ์หนึ่งมีขนาดได้ไม่เกิน 256 KiB แบ่งเป็นหลายเหตุการณ์",
                "An event has at most 256 KiB: state it in several",
            ),
        )


def check_time(attribute: str, stated: datetime, *, now: datetime) -> None:
    """The time can be one of a fact that was, or is.

    Raises:
        Problem: it lies ahead of the network's clock, is counted in the Buddhist Era, or is older
            than any record.
    """
    if stated > now + AHEAD:
        if stated.year - _BUDDHIST_YEARS in range(EARLIEST.year, now.year + 2):
            raise buddhist_era(attribute, stated.year, now)
        raise time_in_future(attribute, now)
    if stated < EARLIEST:
        raise attribute_invalid(attribute, f"it is earlier than {EARLIEST.year}")


def _event(envelope: Envelope, data: bytes, *, now: datetime) -> EventModel:
    if why := fault(envelope):
        raise attribute_invalid(_named_in(why), why)
    if envelope.datacontenttype != CONTENT_TYPE and not _is_json(envelope.datacontenttype):
        raise attribute_invalid("datacontenttype", "data must be JSON: application/json")
    check_time("time", envelope.time, now=now)
    if envelope.recordedtime is not None:
        check_time("recordedtime", envelope.recordedtime, now=now)
    try:
        return decode(envelope.type, data)
    except UnknownType:
        raise unknown_type(_TAKEN_TYPES) from None
    except ValidationError as wrong:
        raise data_invalid(wrong) from None


def _check_attributes(content: Mapping[str, object]) -> None:
    """Everything that must be there is, and nothing that only the network states."""
    for attribute in REQUIRED:
        if content.get(attribute) is None:
            raise attribute_missing(attribute)
    if not _NETWORK.isdisjoint(content):
        raise network_attribute(next(name for name in content if name in _NETWORK))


def _envelope(content: dict[str, object]) -> Envelope:
    if content.keys() <= _KNOWN:
        return _conversion(content)
    return _converted({name: value for name, value in content.items() if name not in _DATA})


def _converted(attributes: Mapping[str, object]) -> Envelope:
    """The envelope with the attributes it does not know kept as extensions."""
    extensions = {
        name: _extension(name, value)
        for name, value in attributes.items()
        if name not in _KNOWN and value is not None
    }
    if len(extensions) > MAX_EXTENSIONS:
        raise attribute_invalid("extensions", f"at most {MAX_EXTENSIONS} attributes of your own")
    known = {name: value for name, value in attributes.items() if name in _KNOWN}
    if extensions:
        known["extensions"] = extensions
    return _conversion(known)


def _conversion(attributes: Mapping[str, object]) -> Envelope:
    try:
        return msgspec.convert(attributes, Envelope)
    except msgspec.ValidationError as wrong:
        raise envelope_invalid(wrong) from None


def _extension(name: str, value: object) -> str:
    """An extension's value as CloudEvents writes it in text (type system, canonical form)."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if -(2**31) <= value < 2**31:
            return str(value)
        case str() if len(value) <= MAX_EXTENSION_CHARACTERS:
            return value
        case _:
            shown = name if len(name) <= MAX_EXTENSIONS and name.isalnum() else "an extension"
            raise attribute_invalid(
                shown,
                f"text of at most {MAX_EXTENSION_CHARACTERS} characters, a 32-bit integer, "
                "true or false",
            )


def _data(raw: bytes, content: Mapping[str, object]) -> bytes:
    if "data_base64" in content:
        return _from_base64(content)
    data = _RAW_DATA.decode(raw).data
    if data is msgspec.UNSET:
        raise _no_data()
    return bytes(data)


def _from_base64(content: Mapping[str, object]) -> bytes:
    """CloudEvents' JSON format writes `data` so when a producer holds bytes; ours must be JSON."""
    stated = content["data_base64"]
    if "data" in content or not isinstance(stated, str):
        raise attribute_invalid("data_base64", "either data or data_base64, as base64 text")
    try:
        data = base64.b64decode(stated, validate=True)
    except (binascii.Error, ValueError):
        raise attribute_invalid("data_base64", "it is not base64 (RFC 4648)") from None
    whole(data)
    return data


def _no_data() -> Problem:
    return Problem(
        DATA_MISSING,
        Text("ใส่ data เป็นออบเจกต์ JSON (ว่างได้: {})", "Add data, a JSON object; {} when it is empty"),
    )


def _is_json(content_type: str) -> bool:
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if "charset=" in charset and "charset=utf-8" not in charset:
        return False
    return media == CONTENT_TYPE or (media.startswith("application/") and media.endswith("+json"))


def _named_in(why: str) -> str:
    first = why.partition(" ")[0]
    return first if first in ATTRIBUTES else "extensions"


def _readable(stated: object) -> str | None:
    return stated if isinstance(stated, str) and 0 < len(stated) <= 256 else None
