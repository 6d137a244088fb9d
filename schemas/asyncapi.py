"""The AsyncAPI 3.0 document: topics, message types, and how they look on Kafka."""

from typing import Any

import msgspec

from schemas.envelope import ATTRIBUTES, REQUIRED, Envelope, to_headers
from schemas.events import DECISION_TYPES, MODELS, OUTWARD_TYPES, STATUS_TYPES, newest
from schemas.json_schema import event_schemas
from schemas.published import TYPES, Document, example, topics

CONTRACT_VERSION = "1.0.0"
_KAFKA_BINDING = "0.5.0"
_DEFINITIONS = "#/$defs/"
_ABOUT = (
    "Every event of the network is a CloudEvent in Kafka's binary mode: context attributes as "
    "`ce_` headers, the centre's own JSON bytes as the value, the source as the key."
)
_OUTWARD = {model.type for model in OUTWARD_TYPES}
_CARRIED = {
    "status": {model.type for model in STATUS_TYPES},
    "decisions": {model.type for model in DECISION_TYPES},
    "outward": _OUTWARD,
}
_CENTRE = "The centre's id with `.` in the place of `:`, because a topic's name has none: poc.TH-83"


def asyncapi() -> Document:
    """The whole contract of the log as one document, the same wherever it is made."""
    schemas: Document = {"headers": _headers()}
    for type_, schema in event_schemas().items():
        schemas |= _embedded(type_, schema)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Kamkap", "version": CONTRACT_VERSION, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic) for name, topic in topics()["topics"].items()},
        "operations": _operations(),
        "components": {
            "messages": {type_: _message(type_, schemas) for type_ in TYPES},
            "schemas": schemas,
        },
    }


def _channel(topic: Document) -> Document:
    carried = [type_ for type_ in TYPES if newest(type_) in _CARRIED[topic["messages"]]]
    channel: Document = {
        "address": topic["address"],
        "description": topic["about"],
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in carried},
        "bindings": {
            "kafka": {
                "partitions": topic["partitions"],
                "replicas": topics()["replicas"],
                "topicConfiguration": topics()["kept"],
                "bindingVersion": _KAFKA_BINDING,
            }
        },
        "x-writers": topic["writers"],
        "x-readers": topic["readers"],
    }
    if "{centre}" in topic["address"]:
        channel["parameters"] = {"centre": {"description": _CENTRE, "examples": ["poc.TH-83"]}}
    return channel


def _operations() -> Document:
    """What the network itself does with each channel."""
    return {
        f"{action}-{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
        for name, topic in topics()["topics"].items()
        for action in topic["network"]
    }


def _message(type_: str, schemas: Document) -> Document:
    event = example(type_)
    described = schemas[type_]["description"].partition("\n")[0]
    stated = {name: event[name] for name in ATTRIBUTES if name in event}
    headers = to_headers(msgspec.convert(stated, Envelope))
    return {
        "name": type_,
        "title": type_,
        "summary": described if type_ in MODELS else f"{described} Superseded, still read.",
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/headers"},
                {"type": "object", "properties": {"ce_type": {"const": type_}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{type_}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": _key(type_)},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
        "examples": [
            {
                "name": "real-looking",
                "headers": {name: value.decode() for name, value in headers},
                "payload": event["data"],
            }
        ],
    }


def _key(type_: str) -> str:
    return "The directive's id." if type_ in _OUTWARD else "The event's source."


def _headers() -> Document:
    """CloudEvents' Kafka binding, binary mode: every attribute is UTF-8 text in a header."""
    names = [name for name in ATTRIBUTES if name != "datacontenttype"]
    return {
        "type": "object",
        "properties": {
            "content-type": {"type": "string"},
            **{f"ce_{name}": {"type": "string"} for name in names},
        },
        "required": ["content-type", *(f"ce_{name}" for name in REQUIRED)],
    }


def _embedded(type_: str, schema: Document) -> Document:
    """The schema and its definitions as components: a reference inside it points into the whole."""

    def pointed(part: Any) -> Any:  # noqa: ANN401 - any JSON value
        match part:
            case list():
                return [pointed(item) for item in part]
            case dict():
                kept = part.keys() - {"$defs", "$schema", "$id"}
                return {key: pointed(value) for key, value in part.items() if key in kept}
            case str() if part.startswith(_DEFINITIONS):
                # A `$ref`, or where a discriminator leads.
                return part.replace(_DEFINITIONS, f"#/components/schemas/{type_}.")
            case _:
                return part

    definitions = {
        f"{type_}.{name}": pointed(part) for name, part in schema.get("$defs", {}).items()
    }
    return {type_: pointed(schema), **definitions}
