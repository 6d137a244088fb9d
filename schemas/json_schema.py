"""The JSON Schemas (2020-12) of the contract, made from the models."""

from typing import Any

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from schemas.envelope import REQUIRED, Envelope
from schemas.events import MODELS, EventModel
from schemas.events.upcast import STEPS
from schemas.published import Document, released

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _WithoutTitles(GenerateJsonSchema):
    """A title made from a field's name says nothing that the name does not."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own
        return False


def event_schema(model: type[EventModel]) -> Document:
    """The schema of a type's `data`, as the door reads it."""
    schema = model.model_json_schema(mode="validation", schema_generator=_WithoutTitles)
    identity = {"$schema": DIALECT, "$id": f"urn:kamkap:event:{model.type}"}
    return {**identity, **schema, "title": model.type}


def event_schemas() -> dict[str, Document]:
    """The schema of every type and version of a message, by stored name.

    A superseded version has no model any more: its released schema stays as it is.
    """
    current = {type_: event_schema(model) for type_, model in MODELS.items()}
    return {**current, **{type_: released()[type_] for type_ in STEPS}}


def envelope_schema() -> Document:
    """The schema of an event in CloudEvents' structured mode, whatever its type."""
    schema: Document = msgspec.json.schema(Envelope)["$defs"]["Envelope"]
    attributes = {name: part for name, part in schema["properties"].items() if name != "extensions"}
    return {
        "$schema": DIALECT,
        "$id": "urn:kamkap:envelope",
        **schema,
        "properties": {**attributes, "data": {"type": "object"}},
        "required": [*REQUIRED, "data"],
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    }
