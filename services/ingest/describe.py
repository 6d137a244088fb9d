"""What the OpenAPI says about what centres post, and the routes that carry it.

The endpoint reads its stream itself, so nothing here is derived from types; tests hold it to what
the door does.
"""

from typing import Any

from fastapi import APIRouter, Request, Security
from fastapi.security import HTTPBearer
from starlette.responses import Response

from services.ingest.content import BATCH, CAP_TYPES, JSON, NDJSON, STRUCTURED
from services.ingest.endpoint import CAP_PATH, PATH, Answer, EventsEndpoint
from services.operation.problems import MEDIA_TYPE

type Schema = dict[str, Any]

_ID = "01938e9c-5a11-7c3e-9d6f-3b1f0a2c4d5e"
_POSITION = "gAAAAABnQc1wq2v0…"

_EVENT: Schema = {
    "specversion": "1.0",
    "id": _ID,
    "source": "/centres/poc/TH-83",
    "type": "situation.reported.v1",
    "subject": "incidents/flood-2569-phuket-01",
    "time": "2026-10-14T12:00:00+07:00",
    "sequence": "000000048219",
    "datacontenttype": JSON,
    "data": {"incident": "flood-2569-phuket-01", "place": "TH-83", "dead": 3, "injured": 27},
}

_CAP = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>TMD-2569-0412</identifier>
  <sender>warning@tmd.example.th</sender>
  <sent>2026-10-14T06:40:00+07:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>th-TH</language>
    <category>Met</category>
    <event>ฝนตกหนักมาก</event>
    <urgency>Expected</urgency>
    <severity>Severe</severity>
    <certainty>Likely</certainty>
    <expires>2026-10-14T18:00:00+07:00</expires>
    <headline>ฝนตกหนักมากในจังหวัดภูเก็ต</headline>
    <area>
      <areaDesc>จังหวัดภูเก็ต</areaDesc>
      <geocode><valueName>ISO 3166-2</valueName><value>TH-83</value></geocode>
    </area>
  </info>
</alert>
"""

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_OPTIONAL: dict[str, Schema] = {
    "subject": _TEXT,
    "datacontenttype": {"type": "string", "default": JSON},
    "realm": {"enum": ["actual", "exercise", "test"], "default": "actual"},
    "recordedtime": _MOMENT,
    "sequence": {"type": "string", "pattern": "^[0-9]{1,20}$"},
    "correlationid": _TEXT,
    "causationid": _TEXT,
    "originalid": _TEXT,
    "originalsource": _TEXT,
    "dssematerial": {"type": "string", "minLength": 1, "maxLength": 65_536},
}
"""A null is the same as an attribute left out (CloudEvents JSON format, 2.2)."""
_ENVELOPE: Schema = {
    "type": "object",
    "title": "CloudEvent",
    "description": "A CloudEvent (1.0) of a centre. Extension attributes are kept.",
    "required": ["specversion", "id", "source", "type", "time"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _TEXT,
        "source": {**_TEXT, "description": "The centre's own URI."},
        "type": {**_TEXT, "description": "A stored name, subject.verb.vN; see /asyncapi.json."},
        "time": {**_MOMENT, "description": "The moment of the fact, with an offset."},
        **{name: {"anyOf": [schema, {"type": "null"}]} for name, schema in _OPTIONAL.items()},
        "data": {"type": "object", "description": "As the type's JSON Schema says."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
}
_PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457, Thai first.",
    "required": ["type", "title", "title_en", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "title_en": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "detail_en": {"type": "string"},
    },
}
_ONE: Schema = {
    "type": "object",
    "title": "OneTaken",
    "required": ["id", "position", "duplicate"],
    "properties": {
        "id": {"type": "string"},
        "position": {"type": "string", "description": "A token for `after` of any read."},
        "duplicate": {"type": "boolean"},
    },
}
_MANY: Schema = {
    "type": "object",
    "title": "ManyTaken",
    "required": ["accepted", "duplicates", "rejected", "position"],
    "properties": {
        "accepted": {"type": "integer", "minimum": 0},
        "duplicates": {"type": "integer", "minimum": 0},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "id", "problem"],
                "properties": {
                    "index": {"type": "integer", "minimum": 0},
                    "id": {"type": ["string", "null"]},
                    "problem": _PROBLEM,
                },
            },
        },
        "position": {"type": ["string", "null"]},
    },
}

_REQUEST: Schema = {
    "required": True,
    "description": (
        "One event in structured mode, many in batch mode or as NDJSON (a line each), or one in "
        "binary mode: attributes as ce- headers, the body is `data`. At most 16 MiB (also after "
        "gzip or zstd is undone), 10,000 events, 256 KiB an event."
    ),
    "content": {
        STRUCTURED: {"schema": _ENVELOPE, "example": _EVENT},
        BATCH: {
            "schema": {"type": "array", "items": _ENVELOPE, "maxItems": 10_000},
            "example": [_EVENT],
        },
        NDJSON: {
            "schema": {"type": "string", "description": "A CloudEvent a line."},
            "example": '{"specversion":"1.0","id":"…","source":"/centres/poc/TH-83",…}\n',
        },
        JSON: {
            "schema": {"type": "object", "description": "Binary mode: `data` alone."},
            "example": _EVENT["data"],
        },
    },
}

_REFUSALS = {
    400: "The body, or the one event in it, is not readable.",
    401: "No bearer token, or one that is not believed.",
    403: "The bearer is no centre, or may not state this.",
    408: "The body came slower than 1 kB/s, or took longer than 15 minutes.",
    409: "The id is taken by other content, or the event is sealed.",
    413: "The body, or the one event in it, is too large, or there are too many events.",
    415: "The media type, the charset or the coding is not taken.",
    422: "The one event is not valid, or none of many could be taken.",
    429: "More events than one centre may state in a minute: again after `Retry-After` seconds.",
    503: "The log does not acknowledge, or too much is coming in: send the same again later.",
}


def _header(name: str, schema: Schema, example: str) -> Schema:
    return {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "description": "Binary mode only.",
        "schema": schema,
        "example": example,
    }


_PARAMETERS = [
    _header("specversion", {"type": "string"}, "1.0"),
    _header("id", {"type": "string"}, _ID),
    _header("source", {"type": "string"}, _EVENT["source"]),
    _header("type", {"type": "string"}, _EVENT["type"]),
    _header("time", {"type": "string"}, _EVENT["time"]),
]

RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "In the log, durably. Each of many stands for itself.",
        "content": {
            JSON: {
                "schema": {"oneOf": [_ONE, _MANY]},
                "examples": {
                    "one": {"value": {"id": _ID, "position": _POSITION, "duplicate": False}},
                    "many": {
                        "value": {
                            "accepted": 499,
                            "duplicates": 1,
                            "rejected": [],
                            "position": _POSITION,
                        }
                    },
                },
            }
        },
    },
    **{
        status: {"description": meaning, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        for status, meaning in _REFUSALS.items()
    },
}


CAP_RESPONSES: dict[int | str, dict[str, Any]] = {
    **RESPONSES,
    202: {
        "description": "In the log, durably.",
        "content": {
            JSON: {
                "schema": _ONE,
                "example": {"id": _ID, "position": _POSITION, "duplicate": False},
            }
        },
    },
    400: {**RESPONSES[400], "description": "The body is no XML that the door reads."},
    413: {**RESPONSES[413], "description": "The message has more than 128 KiB."},
    422: {**RESPONSES[422], "description": "No CAP 1.2, or its profile or the type refuses it."},
}
_CAP_REQUEST: Schema = {
    "required": True,
    "description": (
        "One OASIS CAP 1.2 message in UTF-8, at most 128 KiB, without a document type. "
        "`Actual`, `Exercise` or `Test`; `Alert`, `Update` or `Cancel`; `Public`; an info block in "
        "Thai, whose areas name provinces by the geocode `ISO 3166-2`."
    ),
    "content": {media: {"schema": {"type": "string"}, "example": _CAP} for media in CAP_TYPES},
}


def router(endpoint: EventsEndpoint) -> APIRouter:
    """The route as the OpenAPI shows it; behind `DoorFirst` it is never reached."""
    pages = APIRouter()
    bearer = HTTPBearer(auto_error=False, scheme_name="bearer")

    @pages.post(
        PATH,
        status_code=202,
        response_class=Response,
        responses=RESPONSES,
        openapi_extra={"requestBody": _REQUEST, "parameters": _PARAMETERS},
        dependencies=[Security(bearer)],
        tags=["events"],
        operation_id="take_events",
    )
    async def take_events(request: Request) -> Response:
        """State facts, one or many, of the bearer's own centre. Each is durable when answered.

        The same (source, id) again says `duplicate`; with other content it is refused.
        """
        return _response(await endpoint.answer(request.scope, request.receive))

    @pages.post(
        CAP_PATH,
        status_code=202,
        response_class=Response,
        responses=CAP_RESPONSES,
        openapi_extra={"requestBody": _CAP_REQUEST},
        dependencies=[Security(bearer)],
        tags=["alerts"],
        operation_id="take_cap",
    )
    async def take_cap(request: Request) -> Response:
        """State a CAP message, of the bearer's own centre or handed on by it, as a public alert.

        The alert's key is made of `sender`, `identifier` and `sent`, so an update or cancel finds
        what it refers to, whichever comes first, and the same message again says `duplicate`.
        """
        return _response(await endpoint.answer(request.scope, request.receive))

    return pages


def _response(answer: Answer | None) -> Response:
    if answer is None:
        return Response(status_code=400)
    return Response(
        answer.body,
        status_code=answer.status,
        headers={name.decode(): value.decode() for name, value in answer.headers},
        media_type=answer.media_type.decode(),
    )
