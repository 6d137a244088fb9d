"""One public alert as an OASIS CAP 1.2 message: what the public's own systems read."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from schemas.envelope import STATUS_TOPIC, from_headers
from schemas.events import corrected, decode
from schemas.events.alert import AlertIssued
from schemas.events.record import EventCorrected
from schemas.ids import Realm, centre_of_source
from services.api.answers import answer_bytes, read_responses, tag_of
from services.api.database import Row
from services.api.problems import not_found
from services.api.reading import Asked, Question
from services.domain.cap import MEDIA_TYPE, Reference, corrected_name, sender_of
from services.domain.cap_writing import Circumstances, PlaceName, write
from services.domain.registry import day_of
from services.domain.scope import Resource

router = APIRouter(tags=["alerts"])

_SEEN = "{known} AND (:nation OR {row}.provinces && CAST(:scope_provinces AS text[]))"
# A message, and where it is a correction, which event made it and when.
_NAMED = """m.source, m.alert, m.time, m.slot, m.position, m.root_slot, m.root_position,
       m."references", m.cap_sender, m.cap_identifier,
       v.source AS corrected_by, v.id AS correction, v.time AS corrected_at"""
_MESSAGE = f"""
SELECT {_NAMED} FROM alerts.messages m LEFT JOIN events.versions v
    ON (v.root_slot, v.root_position, v.slot, v.position)
     = (m.root_slot, m.root_position, m.slot, m.position)
WHERE m.source = :source AND m.id = :id AND {{seen}}
"""
# Source: OASIS CAP 1.2, 3.2.1 `references`. All of the chain, each message with what it was before
# it was corrected: who missed one between drops the first one too. What the reader does not see is
# not in it.
_CHAIN = f"""
WITH RECURSIVE chain AS (
    SELECT a.source, a.alert, a."references", a.root_slot, a.root_position
    FROM alerts.messages a
    WHERE a.source = :source AND a.alert = ANY(CAST(:references AS text[])) AND {{seen}}
    UNION
    SELECT b.source, b.alert, b."references", b.root_slot, b.root_position
    FROM chain JOIN alerts.messages b
        ON b.source = chain.source AND b.alert = ANY(chain."references") AND {{seen_before}}
), roots AS (
    SELECT root_slot, root_position FROM chain WHERE alert <> :alert
    UNION SELECT CAST(:root_slot AS smallint), CAST(:root_position AS bigint)
), stated AS (
    SELECT root_slot AS slot, root_position AS position, NULL::text AS source, NULL::text AS id,
           NULL::timestamptz AS time
    FROM roots
    UNION ALL
    SELECT v.slot, v.position, v.source, v.id, v.time
    FROM roots JOIN events.versions v USING (root_slot, root_position)
)
SELECT {_NAMED} FROM stated v JOIN alerts.messages m USING (slot, position)
WHERE (slot, position) <> (:slot, :position) AND {{seen_stated}}
ORDER BY coalesce(v.time, m.time), m.alert, v.id LIMIT 1000
"""

_EXAMPLE = """<?xml version='1.0' encoding='utf-8'?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>ddpm-2569-0412</identifier>
  <sender>urn:kamkap:centre:doc:moi.ddpm</sender>
  <sent>2026-10-14T06:40:00+07:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <incidents>flood-2569-phuket-01</incidents>
  <info>
    <language>th-TH</language>
    <category>Met</category>
    <event>น้ำป่าไหลหลาก</event>
    <urgency>Immediate</urgency>
    <severity>Severe</severity>
    <certainty>Observed</certainty>
    <expires>2026-10-14T18:00:00+07:00</expires>
    <headline>ให้ผู้อยู่ใกล้ทางน้ำในอำเภอกะทู้อพยพขึ้นที่สูงทันที</headline>
    <area>
      <areaDesc>ภูเก็ต</areaDesc>
      <geocode><valueName>ISO 3166-2</valueName><value>TH-83</value></geocode>
    </area>
  </info>
</alert>
"""


def _responses() -> dict[int | str, dict[str, Any]]:
    responses = read_responses(403, 404)
    content = {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}}
    return {**responses, 200: {**responses[200], "content": content}}


@router.get("/v1/alerts/{id:path}.cap", responses=_responses(), response_class=Response)
async def get_cap(
    request: Request,
    question: Asked,
    id_: Annotated[str, Path(alias="id", max_length=256, description="The alert's event id.")],
    source: Annotated[
        str,
        Query(max_length=256, description="Whose alert it is.", examples=["/centres/doc/moi.ddpm"]),
    ],
) -> Response:
    """The alert as CAP 1.2: `Exercise` or `Test` in those realms and never `Actual`.

    An update or cancel names in `references` every earlier message of its chain. A corrected alert
    is another message, an update of what it was before. What came in as CAP goes out as it came,
    byte for byte.
    """
    question.require(Resource.SITUATION)
    message = await _message(question, source, id_)
    alert = await _alert(question, message)
    if message.cap_sender is not None and alert.cap is not None:
        content = alert.cap.xml.encode()
    else:
        content = write(alert, await _circumstances(question, message, alert))
    return answer_bytes(request, question, content, tag_of(content), media_type=MEDIA_TYPE)


async def _message(question: Question, source: str, id_: str) -> Row:
    sql = _MESSAGE.format(seen=_seen(question, "m"))
    rows = await question.rows(sql, source=source, id=id_, **_scoped(question))
    if not rows:
        raise not_found()
    return rows[0]


async def _alert(question: Question, message: Row) -> AlertIssued:
    """The alert in its own words, which lie in the log."""
    log = question.resources.log
    record = await log.at(STATUS_TOPIC, message.slot, message.position)
    if record is None:
        raise not_found()
    event = decode(from_headers(record.headers).type, record.value)
    return cast(AlertIssued, corrected(event) if isinstance(event, EventCorrected) else event)


async def _circumstances(question: Question, message: Row, alert: AlertIssued) -> Circumstances:
    centre, day = centre_of_source(message.source), day_of(message.time)
    registered = None if centre is None else question.registry.centre(centre, day)
    provinces = (question.registry.province(code, day) for code in alert.provinces)
    chain = await _chain(question, message)
    return Circumstances(
        own=_reference(message),
        realm=cast(Realm, question.moment.realm),
        sender_name=None if registered is None else registered.name_th,
        chain=[_reference(row) for row in chain if not _is_same(row, message)],
        places={
            one.province: PlaceName(one.name_th, one.name_en)
            for one in provinces
            if one is not None
        },
        corrects=[_reference(row) for row in chain if _is_same(row, message)],
    )


async def _chain(question: Question, message: Row) -> list[Row]:
    """The messages that it replaces, the first one first; what it corrects among them."""
    scope = _SEEN.format(known=question.moment.known_by("m"), row="m")
    sql = _CHAIN.format(
        seen=_seen(question, "a"), seen_before=_seen(question, "b"), seen_stated=scope
    )
    names = ("source", "alert", "references", "slot", "position", "root_slot", "root_position")
    named = {name: message[name] for name in names}
    return await question.rows(sql, **named, **_scoped(question))


def _is_same(row: Row, message: Row) -> bool:
    """Whether both are versions of one alert."""
    return (row.root_slot, row.root_position) == (message.root_slot, message.root_position)


def _reference(row: Row) -> Reference:
    """By what the message is known outside the network."""
    if row.cap_sender is not None:
        return Reference(row.cap_sender, row.cap_identifier, row.time)
    sender = sender_of(centre_of_source(row.source) or row.source)
    if row.correction is not None:
        name = corrected_name(row.alert, row.corrected_by, row.correction)
        return Reference(sender, name, row.corrected_at)
    return Reference(sender, row.alert, row.time)


def _seen(question: Question, row: str) -> str:
    return _SEEN.format(known=question.moment.counts(row), row=row)


def _scoped(question: Question) -> dict[str, object]:
    scope = question.scope
    return {"nation": scope.nation, "scope_provinces": sorted(scope.provinces)}
