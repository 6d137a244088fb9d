"""In which form events come: the media type and the coding that a request's headers state."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_to_bytes

from services.domain.cap import MEDIA_TYPE as CAP
from services.ingest.refusals import NOT_UNICODE, attribute_invalid
from services.operation.problems import UNSUPPORTED_MEDIA_TYPE, Problem, Text

type Headers = Iterable[tuple[bytes, bytes]]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
JSON = "application/json"
CAP_TYPES = (CAP, "application/xml", "text/xml")
CODINGS = ("gzip", "zstd")

_PREFIX = b"ce-"
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]*)"?', re.IGNORECASE)


class Form(Enum):
    """How a body holds events."""

    STRUCTURED = STRUCTURED
    BATCH = BATCH
    NDJSON = NDJSON
    BINARY = "binary"
    CAP = CAP


_FORMS = {
    STRUCTURED: Form.STRUCTURED,
    BATCH: Form.BATCH,
    NDJSON: Form.NDJSON,
    "application/ndjson": Form.NDJSON,
}


@dataclass(frozen=True, slots=True)
class Content:
    """What the headers say about the body."""

    form: Form
    coding: str
    """`identity`, `gzip` or `zstd`."""
    length: int | None
    """Bytes on the wire, when stated."""
    attributes: dict[str, str]
    """Binary mode's attributes; empty in the others."""


def content_of(headers: Headers) -> Content:
    """What the request's headers say about its body.

    Raises:
        Problem: the media type, the charset or the coding is none the door takes, or an attribute
            in a header is not readable.
    """
    media_type, coding, length = "", "identity", None
    stated: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"content-type":
            media_type = value.decode("latin-1")
        elif name == b"content-encoding":
            coding = value.decode("latin-1").strip().lower() or "identity"
        elif name == b"content-length" and value.isdigit():
            length = int(value)
        elif name.startswith(_PREFIX):
            stated.append((name, value))
    media = media_type.partition(";")[0].strip().lower()
    form = _FORMS.get(media) or _binary(media, stated)
    _check_charset(media_type)
    attributes = _attributes(stated, media_type) if form is Form.BINARY else {}
    return Content(form, _known(coding), length, attributes)


def cap_content_of(headers: Headers) -> Content:
    """What the headers say about a body that is one CAP message.

    Raises:
        Problem: the media type, the charset or the coding is none the door takes here.
    """
    stated = dict(headers)
    media_type = stated.get(b"content-type", b"").decode("latin-1")
    if media_type.partition(";")[0].strip().lower() not in CAP_TYPES:
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            Text(f"ใช้ Content-Type {CAP}", f"Use the Content-Type {CAP}"),
            headers={"Accept-Post": ", ".join(CAP_TYPES)},
        )
    _check_charset(media_type)
    coding = stated.get(b"content-encoding", b"").decode("latin-1").strip().lower() or "identity"
    length = stated.get(b"content-length", b"")
    return Content(Form.CAP, _known(coding), int(length) if length.isdigit() else None, {})


def _binary(media: str, stated: list[tuple[bytes, bytes]]) -> Form:
    named = any(name == b"ce-specversion" for name, _ in stated)
    # CloudEvents 1.0 lets a producer leave the content type out; all data of the network is JSON.
    is_json = media in ("", JSON) or (media.startswith("application/") and media.endswith("+json"))
    if named and is_json and not media.startswith("application/cloudevents"):
        return Form.BINARY
    raise Problem(
        UNSUPPORTED_MEDIA_TYPE,
        Text(
            f"ใช้ Content-Type {STRUCTURED}, {BATCH}, {NDJSON} หรือ {JSON} พร้อมส่วนหัว ce-",
            f"Use the Content-Type {STRUCTURED}, {BATCH} or {NDJSON}, or {JSON} with ce- headers",
        ),
        headers={"Accept-Post": f"{STRUCTURED}, {BATCH}, {NDJSON}, {JSON}"},
    )


def _check_charset(media_type: str) -> None:
    charset = _CHARSET.search(media_type)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            Text(
                "เข้ารหัสเนื้อหาเป็น UTF-8", "Encode the body in UTF-8: the door takes no other charset"
            ),
        )


def _known(coding: str) -> str:
    coding = coding.removeprefix("x-")
    if coding == "identity" or coding in CODINGS:
        return coding
    raise Problem(
        UNSUPPORTED_MEDIA_TYPE,
        Text("บีบอัดด้วย gzip หรือ zstd ชั้นเดียว", "Compress with gzip or zstd, once"),
        # RFC 9110, 12.5.3 and 15.5.16: the answer names the codings that are taken.
        headers={"Accept-Encoding": ", ".join(CODINGS)},
    )


def _attributes(stated: list[tuple[bytes, bytes]], media_type: str) -> dict[str, str]:
    """Attributes by name, decoded as the HTTP binding says (CloudEvents 1.0.2, 3.1.3.2)."""
    attributes: dict[str, str] = {}
    for header, value in stated:
        name = header.removeprefix(_PREFIX).decode("latin-1")
        if name == "datacontenttype" or name in attributes:
            raise attribute_invalid(
                "datacontenttype" if name == "datacontenttype" else "the headers",
                "each attribute is stated once, datacontenttype as Content-Type",
            )
        attributes[name] = _decoded(value)
    if media_type.strip():
        attributes["datacontenttype"] = media_type.strip()
    return attributes


def _decoded(value: bytes) -> str:
    value = value.strip()
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Problem(
            NOT_UNICODE,
            Text(
                "เข้ารหัสค่าในส่วนหัว ce- เป็น UTF-8 แบบ percent-encoding",
                "Percent-encode the values of ce- headers as UTF-8",
            ),
        ) from None
