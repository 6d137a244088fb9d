"""What the door says when it takes something not in: one kind of problem per reason.

A kind's slug is what programs compare with and what the counter of refusals is split by; the text
says what to do. What was sent is never repeated: it may be what nobody should read.
"""

from datetime import datetime

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.domain import entitlement, signatures
from services.domain.rejected import Rejected
from services.operation.problems import Kind, Problem, Text

MALFORMED = Kind("event-malformed", 400, Text("อ่านเหตุการณ์เป็น JSON ไม่ได้", "Not readable as JSON"))
BODY_MALFORMED = Kind("body-malformed", 400, Text("อ่านเนื้อหาคำขอไม่ได้", "The body is not readable"))
DUPLICATE_KEY = Kind("duplicate-key", 400, Text("มีคีย์ซ้ำ", "A key is stated twice"))
NOT_UNICODE = Kind("not-unicode", 400, Text("ข้อความไม่ใช่ยูนิโค้ดที่ถูกต้อง", "Text is not valid Unicode"))
NUMBER_OUT_OF_RANGE = Kind(
    "number-out-of-range", 400, Text("ตัวเลขเกินช่วงที่รับได้", "A number is out of range")
)
TOO_DEEP = Kind("too-deep", 400, Text("ซ้อนกันลึกเกินไป", "Nested too deeply"))
NULL_CHARACTER = Kind("null-character", 400, Text("มีอักขระศูนย์", "A null character"))
EVENT_TOO_LARGE = Kind("event-too-large", 413, Text("เหตุการณ์ใหญ่เกินกำหนด", "The event is too large"))
TOO_MANY_EVENTS = Kind("too-many-events", 413, Text("เหตุการณ์มากเกินกำหนด", "Too many events"))
TOO_SLOW = Kind("too-slow", 408, Text("ส่งเนื้อหาช้าเกินไป", "The body comes too slowly"))
ATTRIBUTE_MISSING = Kind(
    "attribute-missing", 422, Text("ขาดแอตทริบิวต์ที่ต้องมี", "A required attribute is missing")
)
ATTRIBUTE_INVALID = Kind(
    "attribute-invalid", 422, Text("แอตทริบิวต์ไม่ถูกต้อง", "An attribute is not valid")
)
NETWORK_ATTRIBUTE = Kind(
    "network-attribute", 422, Text("แอตทริบิวต์ของเครือข่าย", "An attribute of the network's own")
)
TIME_IN_FUTURE = Kind("time-in-future", 422, Text("เวลาอยู่ในอนาคต", "The time is in the future"))
BUDDHIST_ERA = Kind("buddhist-era", 422, Text("ปีเป็นพุทธศักราช", "The year is of the Buddhist Era"))
UNKNOWN_TYPE = Kind("unknown-type", 422, Text("ไม่รู้จักชนิดเหตุการณ์", "The event type is unknown"))
DATA_MISSING = Kind("data-missing", 422, Text("ไม่มี data", "There is no data"))
DATA_INVALID = Kind("data-invalid", 422, Text("data ไม่ตรงกับชนิด", "The data are not of the type"))
CONFLICT = Kind("conflict", 409, Text("รหัสนี้มีเนื้อหาอื่นอยู่แล้ว", "The id is taken by other content"))
SEALED = Kind("sealed", 409, Text("เหตุการณ์นี้ถูกปิดผนึก", "The event is sealed"))
NONE_TAKEN = Kind("none-taken", 422, Text("รับไม่ได้สักเหตุการณ์", "No event could be taken"))
NOT_A_CENTRE = Kind("not-a-centre", 403, Text("ผู้เรียกไม่ใช่ศูนย์ปฏิบัติการ", "The caller is no centre"))

_ATTRIBUTE_HINTS = {
    "time": Text(
        "time ต้องเป็น RFC 3339 พร้อมเขตเวลา เช่น 2004-12-26T07:58:53+07:00",
        "time must be RFC 3339 with an offset, like 2004-12-26T07:58:53+07:00",
    ),
    "recordedtime": Text(
        "recordedtime ต้องเป็น RFC 3339 พร้อมเขตเวลา",
        "recordedtime must be RFC 3339 with an offset",
    ),
    "realm": Text(
        "realm ต้องเป็น actual, exercise หรือ test", "realm must be actual, exercise or test"
    ),
    "specversion": Text("specversion ต้องเป็น 1.0", "specversion must be 1.0"),
    "id": Text("id ต้องเป็นข้อความ 1 ถึง 256 อักขระ", "id must be text of 1 to 256 characters"),
    "sequence": Text(
        "sequence ต้องเป็นเลขอารบิกล้วน ไม่เกิน 20 หลัก เติมศูนย์ข้างหน้า",
        "sequence must be digits 0 to 9, zero-padded, at most 20 of them, below 2^63",
    ),
}

_MALFORMED_AS = (
    ("duplicate key", DUPLICATE_KEY),
    ("unicode", NOT_UNICODE),
    ("hex escape", NOT_UNICODE),
    ("recursion", TOO_DEEP),
    ("out of range", NUMBER_OUT_OF_RANGE),
    ("control character (\\u0000-", MALFORMED),
)


def malformed(parser_says: str) -> Problem:
    """The problem behind what the JSON parser says; it names a place, and at most a key."""
    said = parser_says.lower()
    kind = next((kind for mark, kind in _MALFORMED_AS if mark in said), MALFORMED)
    place = parser_says.rpartition(" at ")[2] if " at line " in parser_says else "the beginning"
    return Problem(
        kind,
        Text(
            f"แก้ JSON ที่ {place}: ต้องเป็น JSON ตาม RFC 8259 เข้ารหัส UTF-8 ไม่มีคีย์ซ้ำ ไม่มี NaN",
            f"Correct the JSON at {place}: it must be RFC 8259 in UTF-8, without duplicate keys, "
            f"NaN or infinities",
        ),
    )


def attribute_invalid(attribute: str, why: str) -> Problem:
    """This attribute has the wrong shape."""
    hint = _ATTRIBUTE_HINTS.get(attribute) or Text(
        f"แก้ไข {attribute}: {why}", f"{attribute}: {why}"
    )
    return Problem(ATTRIBUTE_INVALID, hint, extensions={"attribute": attribute})


def attribute_missing(attribute: str) -> Problem:
    """CloudEvents or the network needs this attribute."""
    return Problem(
        ATTRIBUTE_MISSING,
        Text(f"เพิ่มแอตทริบิวต์ {attribute}", f"Add the attribute {attribute}"),
        extensions={"attribute": attribute},
    )


def envelope_invalid(wrong: msgspec.ValidationError) -> Problem:
    """What msgspec found wrong with the attributes."""
    message, _, path = str(wrong).partition(" - at `$.")
    if "missing required field" in message:
        return attribute_missing(message.split("`")[1])
    # The value an enumeration was given stands in the message; it goes no further.
    why = message.partition(" value ")[0]
    return attribute_invalid(path.rstrip("`") or "the event", why)


def network_attribute(attribute: str) -> Problem:
    """Only the network itself states this."""
    return Problem(
        NETWORK_ATTRIBUTE,
        Text(
            f"ลบ {attribute} ออก: เครือข่ายเป็นผู้กำหนดเอง",
            f"Leave {attribute} out: the network states it itself",
        ),
        extensions={"attribute": attribute},
    )


def unknown_type(known: list[str]) -> Problem:
    """No such event type."""
    return Problem(
        UNKNOWN_TYPE,
        Text(
            "ใช้ชนิดเหตุการณ์ที่เครือข่ายรู้จัก (ดู known_types)",
            "Use a type the network knows (see known_types)",
        ),
        extensions={"known_types": known},
    )


def data_invalid(wrong: ValidationError) -> Problem:
    """What the type's model found wrong, at most ten places of it."""
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    return Problem(
        DATA_INVALID,
        Text("แก้ไข data ตามรายการ errors", "Correct the data as listed in errors"),
        extensions={"errors": [_place(error) for error in errors[:10]]},
    )


def _place(error: ErrorDetails) -> dict[str, str]:
    steps = (str(step).replace("~", "~0").replace("/", "~1")[:100] for step in error["loc"])
    return {"pointer": "".join(f"/{step}" for step in steps), "detail_en": error["msg"]}


def time_in_future(attribute: str, now: datetime) -> Problem:
    """Later than the network's clock allows."""
    stated = now.isoformat(timespec="seconds")
    return Problem(
        TIME_IN_FUTURE,
        Text(
            f"{attribute} เกินเวลาของเครือข่าย ({stated}) มากกว่า 10 นาที ตรวจนาฬิกาของศูนย์",
            f"{attribute} is more than 10 minutes later than the network's clock ({stated}): "
            f"check the centre's clock",
        ),
        extensions={"attribute": attribute, "server_time": stated},
    )


def buddhist_era(attribute: str, year: int, now: datetime) -> Problem:
    """The year is one of the Buddhist Era (CE = BE - 543)."""
    return Problem(
        BUDDHIST_ERA,
        Text(
            f"{attribute}: ปี {year} เป็น พ.ศ. โปรดส่งเป็น ค.ศ. {year - 543}",
            f"{attribute}: {year} is a year of the Buddhist Era; send {year - 543} (CE = BE - 543)",
        ),
        extensions={
            "attribute": attribute,
            "year_ce": year - 543,
            "server_time": now.isoformat(timespec="seconds"),
        },
    )


def conflict(id_: str) -> Problem:
    """The first event with this id has effect, and it says something else."""
    return Problem(
        CONFLICT,
        Text(
            "เหตุการณ์ที่มี source และ id นี้มีอยู่แล้วและเนื้อหาต่างกัน ใช้ id ใหม่ หรือส่ง event.corrected.v1",
            "An event with this source and id is here and says something else: use a new id, or "
            "send event.corrected.v1",
        ),
        extensions={"id": id_},
    )


def sealed() -> Problem:
    """The event was hidden by an order; it does not come back."""
    return Problem(
        SEALED,
        Text(
            "เหตุการณ์นี้ถูกปิดผนึกตามคำสั่ง ไม่รับซ้ำ",
            "The event was sealed by an order and is not taken in again",
        ),
    )


def not_a_centre() -> Problem:
    """Only operations centres state facts here."""
    return Problem(
        NOT_A_CENTRE,
        Text(
            "ใช้โทเค็นของศูนย์ปฏิบัติการ เช่น poc:TH-83",
            "Use the token of an operations centre, like poc:TH-83",
        ),
    )


def _sentence(rejected: Rejected) -> Text:
    match rejected:
        case entitlement.NotOwnSource(own=own):
            return Text(f"ศูนย์พูดได้เฉพาะในนามตนเอง: ใช้ source {own}", f"Use your own source, {own}")
        case entitlement.NotForCentres(type=type_):
            return Text(
                f"ศูนย์ส่ง {type_} ไม่ได้: เป็นการตัดสินใจ ต้องผ่าน API ของผู้มีอำนาจ",
                f"{type_} is a decision: it is made through the API by who has the power",
            )
        case entitlement.CentreNotRegistered(centre=centre, day=day):
            return Text(
                f"ไม่มีทะเบียนศูนย์ {centre} ในวันที่ {day}", f"{centre} was not registered on {day}"
            )
        case _:
            return _sentence_of_place(rejected)


def _sentence_of_place(rejected: Rejected) -> Text:
    match rejected:
        case entitlement.ProvinceUnknown(province=province, day=day):
            return Text(
                f"ไม่มีจังหวัด {province} ในวันที่ {day}",
                f"There was no province {province} on {day}",
            )
        case entitlement.PlaceNotEntitled(centre=centre, province=province):
            return Text(
                f"{centre} รายงานได้เฉพาะ {province}", f"{centre} speaks about {province} alone"
            )
        case _:
            return _sentence_of_original(rejected)


def _sentence_of_original(rejected: Rejected) -> Text:
    match rejected:
        case entitlement.OriginalNotNamed(type=type_):
            return Text(
                f"{type_} ต้องระบุ originalid ของเหตุการณ์เดิม",
                f"{type_} names the event it is about in originalid",
            )
        case entitlement.OriginalNotOwn():
            return Text(
                "แก้ไขหรือถอนได้เฉพาะเหตุการณ์ของศูนย์เองหรือศูนย์ใต้สังกัด",
                "Only the original's own centre, or one above it, corrects or withdraws it",
            )
        case _:
            return _sentence_of_signature(rejected)


def _sentence_of_signature(rejected: Rejected) -> Text:
    match rejected:
        case signatures.SignatureMissing(centre=centre):
            return Text(
                f"{centre} ต้องลงลายมือชื่อดิจิทัล: เพิ่ม dssematerial",
                f"{centre} has to sign its events: add dssematerial",
            )
        case signatures.SignatureMalformed(why=why):
            return Text(f"dssematerial ไม่ถูกต้อง: {why}", f"dssematerial is not valid: {why}")
        case signatures.SignatureInvalid(part=part):
            return Text(
                f"ลายมือชื่อไม่ตรงกับเหตุการณ์ ({part}): ลงลายมือชื่อใหม่บนข้อมูลที่ส่งจริง",
                f"What was signed is not this event ({part}): sign the attributes and the bytes of "
                "data that you send",
            )
        case signatures.AttributesNotCovered(attributes=attributes):
            names = ", ".join(attributes)
            return Text(
                f"ลายมือชื่อต้องครอบคลุม {names}: ใส่ใน signedextattrs",
                f"The signature must cover {names}: name them in signedextattrs",
            )
        case _:
            return _sentence_of_key(rejected)


def _sentence_of_key(rejected: Rejected) -> Text:
    match rejected:
        case signatures.KeyUnknown(centre=centre):
            return Text(
                f"keyid ไม่ใช่กุญแจของ {centre}", f"The signature names no key registered of {centre}"
            )
        case signatures.KeyNotValid(key_id=key_id, at=at):
            return Text(
                f"กุญแจ {key_id} ใช้ไม่ได้ ณ {at.isoformat()}",
                f"The key {key_id} is not valid at {at.isoformat()}, the event's time",
            )
        case signatures.KeyRevoked(key_id=key_id):
            return Text(f"กุญแจ {key_id} ถูกเพิกถอน", f"The key {key_id} is revoked: use another")
        case _:
            return Text("กฎไม่อนุญาต", "A rule refuses it")


_OF_CONTENT = (
    entitlement.ProvinceUnknown,
    entitlement.OriginalNotNamed,
    signatures.SignatureMalformed,
    signatures.AttributesNotCovered,
)
_REJECTED = Text("กฎของเครือข่ายไม่อนุญาต", "A rule of the network refuses it")


def of_rule(rejected: Rejected) -> Problem:
    """A rule said no; its name is the problem's type."""
    status = 422 if isinstance(rejected, _OF_CONTENT) else 403
    return Problem(
        Kind(rejected.rule, status, _REJECTED),
        _sentence(rejected),
        extensions={"rule": rejected.rule},
    )
