"""What every body is made of: times of Bangkok, names Thai first, pages."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from services.domain.registry import BANGKOK_TIME


def _in_bangkok(moment: datetime) -> str:
    return moment.astimezone(BANGKOK_TIME).isoformat()


When = Annotated[
    datetime,
    PlainSerializer(_in_bangkok, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""RFC 3339 with the offset of Bangkok."""

Measured = Annotated[
    Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")
]
"""A measured value: a string that keeps every digit."""


class Body(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(
        frozen=True,
        use_attribute_docstrings=True,
        extra="forbid",
        json_schema_serialization_defaults_required=True,
    )


class Named(Body):
    """A thing by its id, and by its name in Thai and English."""

    id: str
    name_th: str
    name_en: str | None


class Page[Item: BaseModel](Body):
    """One page of a list."""

    items: list[Item]
    next: str | None = None
    """The cursor of the page after it."""


class Interval(Body):
    """Dates in Bangkok; `valid_to` is the first day after it, and null is open."""

    valid_from: date | None
    valid_to: date | None


def self_contained(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema with what it refers to in the place of each reference."""
    definitions = schema.get("$defs", {})
    named = {name: value for name, value in schema.items() if name != "$defs"}
    whole: dict[str, Any] = _whole(named, definitions)
    return whole


def _whole(part: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- any part of it
    """The part with each reference replaced by what it refers to: it stands by itself."""
    match part:
        case {"$ref": str(reference)}:
            return _whole(definitions[reference.rpartition("/")[2]], definitions)
        case dict():
            # The mapping of a discriminator names schemas that are not apart any more.
            kept = {name: value for name, value in part.items() if name != "discriminator"}
            return {name: _whole(value, definitions) for name, value in kept.items()}
        case list():
            return [_whole(value, definitions) for value in part]
        case _:
            return part
