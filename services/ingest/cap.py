"""Others' CAP 1.2 messages as events of the centre that hands them in."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from schemas.events.alert import AlertIssued
from schemas.ids import CentreId, source_of_centre
from services.domain.cap import Fault, NotTaken
from services.domain.cap_reading import Received, read
from services.domain.cap_xml import MAX_BYTES, MAX_DEPTH
from services.ingest.reading import Refused, Stated, read_binary
from services.operation.problems import Kind, Problem, Text

_TITLE = Text("รับข้อความ CAP นี้ไม่ได้", "The CAP message is not taken")

# What to do about each; the place is named beside it.
SENTENCES: Mapping[Fault, Text] = {
    Fault.NOT_XML: Text("แก้ให้เป็น XML 1.0 ที่ถูกต้อง", "Correct it: it is not well-formed XML 1.0"),
    Fault.DOCTYPE: Text(
        "ลบ DOCTYPE ออก: ไม่รับเอนทิตีใด ๆ", "Leave the document type out: no entities are taken"
    ),
    Fault.ENCODING: Text(
        "เข้ารหัสเป็น UTF-8 ไม่มีอักขระศูนย์ และระบุ encoding ตามนั้น",
        "Encode it in UTF-8 without null characters, and declare no other encoding",
    ),
    Fault.TOO_DEEP: Text(
        f"ซ้อนองค์ประกอบไม่เกิน {MAX_DEPTH} ชั้น", f"Nest elements at most {MAX_DEPTH} deep"
    ),
    Fault.TOO_LARGE: Text(
        f"ข้อความ CAP มีได้ไม่เกิน {MAX_BYTES // 1024} KiB แนบเอกสารด้วย resource/uri แทน",
        f"A CAP message has at most {MAX_BYTES // 1024} KiB: name large resources by their uri",
    ),
    Fault.NAMESPACE: Text(
        "ใช้ CAP 1.2: องค์ประกอบ alert ใน urn:oasis:names:tc:emergency:cap:1.2",
        "Send CAP 1.2: an alert in urn:oasis:names:tc:emergency:cap:1.2",
    ),
    Fault.STRUCTURE: Text(
        "เรียงองค์ประกอบตามสคีมา CAP 1.2 ครบ ไม่ซ้ำ ไม่มีแอตทริบิวต์",
        "Its elements must be those of the CAP 1.2 schema, in its order, without attributes",
    ),
    Fault.VALUE: Text("ใช้ค่าตามสคีมา CAP 1.2", "Use one of the values of the CAP 1.2 schema"),
    Fault.NAME: Text(
        "ใช้ 1 ถึง 256 อักขระ ไม่มีช่องว่าง จุลภาค < หรือ &",
        "Use 1 to 256 characters without spaces, commas, < or &",
    ),
    Fault.TIME: Text(
        "ระบุเวลาถึงวินาทีพร้อมเขตเวลาเป็นตัวเลข เช่น 2026-10-14T06:40:00+07:00 (UTC เขียน -00:00)",
        "Write it to the second with an offset in digits, like 2026-10-14T06:40:00+07:00; UTC is "
        "-00:00, never Z",
    ),
    Fault.STATUS: Text(
        "status ต้องเป็น Actual, Exercise หรือ Test", "status must be Actual, Exercise or Test"
    ),
    Fault.MESSAGE: Text(
        "msgType ต้องเป็น Alert, Update หรือ Cancel", "msgType must be Alert, Update or Cancel"
    ),
    Fault.SCOPE: Text(
        "scope ต้องเป็น Public: ที่นี่มีแต่การเตือนภัยสาธารณะ",
        "scope must be Public: alerts of the network are for everybody",
    ),
    Fault.SENDER: Text(
        "ข้อความนี้ออกจากเครือข่ายนี้เอง ส่ง alert.issued.v1 แทน",
        "The sender is this network itself: state alert.issued.v1 instead",
    ),
    Fault.REFERENCES: Text(
        "Update และ Cancel ต้องอ้างถึงข้อความก่อนหน้าเป็น sender,identifier,sent ส่วน Alert ไม่อ้าง",
        "An Update or Cancel names earlier messages as sender,identifier,sent; an Alert names none",
    ),
    Fault.REFERENCES_OTHERS: Text(
        "ปรับปรุงหรือยกเลิกได้เฉพาะข้อความของ sender เดียวกัน",
        "A sender updates and cancels messages of its own alone",
    ),
    Fault.LANGUAGE: Text(
        "ต้องมี info ภาษาไทย (th-TH) หนึ่งชุด และภาษาละไม่เกินหนึ่งชุด",
        "There must be one info block in Thai (th-TH), and one at most of each language",
    ),
    Fault.DIFFERENT: Text(
        "info ทุกภาษาต้องมี category, urgency, severity, certainty, effective, expires และพื้นที่เดียวกัน "
        "ถ้าต่างกันให้ส่งแยกข้อความ",
        "All info blocks must agree in category, urgency, severity, certainty, effective, expires "
        "and areas: send what differs as messages of their own",
    ),
    Fault.EXPIRES: Text(
        "ทุก info ต้องมี expires หลังเวลา sent", "Each info block states expires, later than sent"
    ),
    Fault.AREA: Text(
        "ทุก area ต้องมี geocode ชื่อ ISO 3166-2 ค่าเป็นรหัสจังหวัด เช่น TH-83",
        "Each area names its provinces: a geocode ISO 3166-2 with a value like TH-83",
    ),
}
_STATUS = {Fault.TOO_LARGE: 413}
_UNREADABLE = (Fault.NOT_XML, Fault.DOCTYPE, Fault.ENCODING, Fault.TOO_DEEP)


def read_cap(content: bytes, *, centre: CentreId, now: datetime) -> Stated | Refused:
    """The message as an event of the centre: the same message again is the same event."""
    try:
        received = read(content)
    except NotTaken as not_taken:
        return Refused(None, problem_of(not_taken))
    data = {name: value for name, value in received.data.items() if value is not None}
    return read_binary(_attributes(received, centre), msgspec.json.encode(data), now=now)


def problem_of(not_taken: NotTaken) -> Problem:
    """The rule that refuses the message, where, and what to do about it."""
    fault, place = not_taken.fault, not_taken.place
    status = _STATUS.get(fault, 400 if fault in _UNREADABLE else 422)
    said = SENTENCES[fault]
    return Problem(
        Kind(fault.value, status, _TITLE),
        Text(f"{place}: {said.th}", f"{place}: {said.en}"),
        extensions={"rule": fault.value, "place": place},
    )


def _attributes(received: Received, centre: CentreId) -> dict[str, str]:
    reference = received.reference
    subject = {"subject": f"incidents/{received.incident}"} if received.incident else {}
    return {
        "specversion": "1.0",
        "id": reference.id,
        "source": source_of_centre(centre),
        "type": AlertIssued.type,
        "time": reference.sent.isoformat(),
        "realm": received.realm,
        **subject,
    }
