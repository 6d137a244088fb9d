"""One event as it was taken in: `data` byte for byte, where it lies, and what corrects it."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict
from starlette.responses import Response

from schemas.envelope import DECISIONS_SLOT, STATUS_TOPIC, Envelope, from_headers
from schemas.ids import CentreId, source_of_centre
from services.api.answers import answer_bytes, read_responses, stated, tag_of
from services.api.bodies import Body, When
from services.api.database import Row
from services.api.problems import not_found
from services.api.reading import Asked, Question
from services.domain.scope import Resource
from services.eventlog.position import Position
from services.readmodels.moment import Archive, Moment

router = APIRouter(tags=["events"])

# A placeholder (no slot) is an event that something refers to and that is not here. An order is
# seen whole or not at all here: not when it reserves a matter that the reader may not know of.
_IDENTITY = """
SELECT i.slot, i.position, i.accepted_at, i.archive_revision,
       (SELECT t.time FROM eventlog.ticks t WHERE t.number = eventlog.tick_of(i.slot, i.position))
           AS ticked_at
FROM events.identities i
WHERE i.realm = :realm AND i.source = :source AND i.id = :id AND i.time <= :as_of
  AND i.slot IS NOT NULL AND NOT i.sealed AND {known}
  AND (:nation OR i.source = ANY(:scope_sources) OR i.subject = ANY(:scope_subjects))
  AND (i.type <> 'order.issued.v1' OR :matters OR EXISTS (
      SELECT FROM oversight.orders o
      WHERE (o.slot, o.position) = (i.slot, i.position) AND NOT EXISTS (
          SELECT FROM jsonb_array_elements(o.body -> 'clauses') clause
          WHERE clause ->> 'act' = 'reserve' AND clause ->> 'subject' IS NOT NULL
            AND (clause ->> 'deputy' = ANY(:scope_deputies)) IS NOT TRUE
      )
  ))
  AND (:directives OR i.type NOT LIKE 'directive.%')
"""
_VERSIONS = """
SELECT v.source, v.id, v.time, v.withdrawn FROM events.versions v
WHERE v.root_slot = :slot AND v.root_position = :position AND {known}
ORDER BY v.time, v.source, coalesce(v.sequence, -1), v.id
"""
_CONFLICTS = """
SELECT c.slot, c.position, encode(c.digest, 'hex') AS digest FROM events.conflicts c
WHERE c.realm = :realm AND c.source = :source AND c.id = :id AND {known}
ORDER BY c.slot, c.position
"""
_DECISION = "SELECT headers, data FROM decisions.events WHERE position = :position"


class CloudEvent(Body):
    """A CloudEvent in structured mode; `data` has the very bytes its source sent."""

    model_config = ConfigDict(extra="allow")

    specversion: str
    id: str
    source: str
    type: str
    time: When
    data: Any


class Version(Body):
    """An event that corrects or withdraws this one."""

    source: str
    id: str
    time: When
    withdrawn: bool


class Conflict(Body):
    """Other content that came under the same id; it has no effect."""

    position: str
    digest: str


class TakenEvent(Body):
    """An event, where it lies in the log, since when it is known, and what was said about it."""

    event: CloudEvent
    position: str
    """A token: `after=` it waits until the event is visible."""
    accepted_at: When | None
    """As its archive states, or the first tick that covers it; null until there is one."""
    archive_revision: int | None
    versions: list[Version]
    """Corrections and withdrawals, the last one rules."""
    conflicts: list[Conflict]


@router.get("/v1/events", responses=read_responses(403, 404), response_model=TakenEvent)
async def get_event(
    request: Request,
    question: Asked,
    source: Annotated[
        str, Query(max_length=256, description="The URI of its centre.", examples=["/centres/pmoc"])
    ],
    id: Annotated[str, Query(max_length=256, description="Unique within the source.")],
) -> Response:
    """The event as it was taken in."""
    question.require(Resource.SITUATION)
    moment = question.moment
    rows = await question.rows(
        _IDENTITY.format(known=moment.known_by("i")), source=source, id=id, **_scoped(question)
    )
    if not rows:
        raise not_found()
    place = rows[0]
    content = await _content(question, place)
    versions = await question.rows(
        _VERSIONS.format(known=moment.known_by("v")), slot=place.slot, position=place.position
    )
    conflicts = await question.rows(
        _CONFLICTS.format(known=conflicts_known(moment)), source=source, id=id
    )
    accepted_at = place.accepted_at or place.ticked_at
    body = {
        "event": content,
        "accepted_at": None if accepted_at is None else stated(accepted_at),
        "archive_revision": place.archive_revision,
        "versions": [{**row, "time": stated(row.time)} for row in versions],
        "conflicts": [{"digest": row.digest} for row in conflicts],
    }
    # Tokens are sealed anew for each answer, so the tag is taken without them.
    tag = tag_of(msgspec.json.encode(body))
    body["position"] = _token(question, place)
    body["conflicts"] = [
        {"position": _token(question, row), "digest": row.digest} for row in conflicts
    ]
    return answer_bytes(request, question, msgspec.json.encode(body), tag)


def conflicts_known(moment: Moment) -> str:
    """SQL: this conflict `c` was known. An archive has none: its own keys are unique."""
    return "FALSE" if isinstance(moment.known, Archive) else moment.known_by("c")


async def _content(question: Question, place: Row) -> dict[str, object]:
    """The event in structured mode, its data not read but carried along."""
    if place.slot == DECISIONS_SLOT:
        (row,) = await question.rows(_DECISION, position=place.position)
        texts: dict[str, str] = msgspec.json.decode(row.headers)
        headers = [(name, value.encode()) for name, value in texts.items()]
        return _structured(from_headers(headers), row.data)
    record = await question.resources.log.at(STATUS_TOPIC, place.slot, place.position)
    if record is None:
        raise not_found()
    return _structured(from_headers(record.headers), record.value)


def _structured(envelope: Envelope, data: bytes) -> dict[str, object]:
    attributes: dict[str, object] = msgspec.to_builtins(envelope)
    extensions = attributes.pop("extensions", {})
    assert isinstance(extensions, dict)  # noqa: S101 -- as the envelope has it
    return {
        "specversion": envelope.specversion,
        "datacontenttype": envelope.datacontenttype,
        **attributes,
        **extensions,
        "data": msgspec.Raw(data),
    }


def _token(question: Question, place: Row) -> str:
    return question.resources.tokens.seal(Position({place.slot: place.position + 1}))


def _scoped(question: Question) -> dict[str, object]:
    """Events that the reader's centres state, or that are about the reader's provinces."""
    scope = question.scope
    centres = {
        one.centre
        for one in question.registered.centres
        if one.centre in scope.centres or one.province in scope.provinces
    }
    return {
        "nation": scope.nation,
        "matters": scope.reads(Resource.MATTERS),
        "scope_deputies": sorted(scope.deputies),
        # A draft, or what is confidential, is read as a directive, by its own scope.
        "directives": question.identity.kind == "pm",
        "scope_sources": sorted(source_of_centre(CentreId(centre)) for centre in centres),
        "scope_subjects": sorted(f"provinces/{code}" for code in scope.provinces),
    }
