"""What was written under a released schema stays readable, or the change is named."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compatibility import Schema, breaks, inlined
from schemas.json_schema import event_schemas

SCHEMAS = event_schemas()


def one(**field: Any) -> Schema:  # noqa: ANN401 - any JSON Schema
    """A type with one optional field of this shape."""
    return {"type": "object", "properties": {"f": {"default": None, **field}}}


def required(*names: str) -> Schema:
    """A type with two integers, of which these must be there."""
    fields = {"f": {"type": "integer"}, "g": {"type": "integer"}}
    return {"type": "object", "properties": fields, "required": list(names)}


def referring(**definition: Any) -> Schema:  # noqa: ANN401 - any JSON Schema
    """A type whose field is defined elsewhere."""
    return {**one(**{"$ref": "#/$defs/Part"}), "$defs": {"Part": definition}}


NOTHING: Schema = {"type": "object", "properties": {}}
NULL: Schema = {"type": "null"}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}

INCOMPATIBLE: list[tuple[str, Schema, Schema]] = [
    ("field is removed", one(**TEXT), NOTHING),
    ("newly required", required("f"), required("f", "g")),
    ("type is narrowed", one(**TEXT), one(**WHOLE)),
    ("type is narrowed", one(type="number"), one(**WHOLE)),
    ("type is narrowed", one(), one(**TEXT)),
    ("type is narrowed", one(anyOf=[WHOLE, NULL]), one(**WHOLE)),
    ("type is narrowed", one(anyOf=[WHOLE, TEXT]), one(anyOf=[WHOLE, NULL])),
    ("value 'b' is removed", one(enum=["a", "b"]), one(enum=["a"])),
    ("value 'b' is removed", one(enum=["a", "b"]), one(const="a")),
    ("only listed values", one(**TEXT), one(**TEXT, enum=["a"])),
    ("minimum is tightened", one(minimum=0), one(minimum=1)),
    ("maximum is tightened", one(maximum=9), one(maximum=8)),
    ("maximum is tightened", one(), one(maximum=8)),
    ("exclusiveMinimum is tightened", one(minimum=0), one(exclusiveMinimum=0)),
    ("minLength is tightened", one(**TEXT), one(**TEXT, minLength=1)),
    ("maxLength is tightened", one(maxLength=300), one(maxLength=299)),
    ("minItems is tightened", one(type="array"), one(type="array", minItems=1)),
    ("maxItems is tightened", one(maxItems=77), one(maxItems=76)),
    ("pattern is new or changed", one(**TEXT), one(**TEXT, pattern="^a$")),
    ("pattern is new or changed", one(pattern="^a*$"), one(pattern="^a$")),
    ("format is new or changed", one(**TEXT), one(**TEXT, format="date")),
    ("multipleOf is new or changed", one(), one(multipleOf=2)),
    ("f[]: the type is narrowed", one(items=TEXT), one(items=WHOLE)),
    ("f[]: the type is narrowed", one(), one(items=WHOLE)),
    ("unknown fields are refused", NOTHING, {**NOTHING, "additionalProperties": False}),
    ("t.*: the type is narrowed", NOTHING, {**NOTHING, "additionalProperties": TEXT}),
    (
        "t.*: the type is narrowed",
        {**NOTHING, "additionalProperties": WHOLE},
        {**NOTHING, "additionalProperties": TEXT},
    ),
    ("default is changed", one(default="ok"), one(default="degraded")),
    ("t.f: the type is narrowed", referring(**TEXT), referring(**WHOLE)),
    ("t.f.f: the field is removed", referring(**one(**TEXT)), referring(**NOTHING)),
]

COMPATIBLE: list[tuple[Schema, Schema]] = [
    (NOTHING, one(**TEXT)),
    (required("f", "g"), required("f")),
    (one(**WHOLE), one(type="number")),
    (one(**WHOLE), one(anyOf=[WHOLE, NULL])),
    (one(anyOf=[WHOLE, NULL]), one(anyOf=[NULL, TEXT, WHOLE])),
    (one(**TEXT), one()),
    (one(enum=["a", "b"]), one(enum=["a", "b", "c"])),
    (one(const="a"), one(enum=["b", "a"])),
    (one(enum=["a"], **TEXT), one(**TEXT)),
    (one(minimum=1), one(minimum=0)),
    (one(minimum=1), one()),
    (one(maxLength=300), one(maxLength=301)),
    (one(maxItems=77), one()),
    (one(pattern="^a$"), one()),
    (one(items=WHOLE), one(items={"type": "number"})),
    (one(title="Old", description="Old"), one(title="New", description="New")),
    ({**NOTHING, "additionalProperties": False}, NOTHING),
    ({**NOTHING, "additionalProperties": False}, {**one(**TEXT), "additionalProperties": False}),
    (
        {**NOTHING, "additionalProperties": WHOLE},
        {**NOTHING, "additionalProperties": {"type": "number"}},
    ),
    (required("f"), {**required("f"), "properties": required()["properties"]}),
    (referring(**TEXT), one(**TEXT)),
    (one(**TEXT), referring(**TEXT)),
]


@pytest.mark.parametrize(("sentence", "old", "new"), INCOMPATIBLE)
def test_a_change_that_old_events_would_not_survive_is_named(
    sentence: str, old: Schema, new: Schema
) -> None:
    found = breaks({"t": old}, {"t": new})
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(("old", "new"), COMPATIBLE)
def test_a_change_that_accepts_all_old_events_is_allowed(old: Schema, new: Schema) -> None:
    assert breaks({"t": old}, {"t": new}) == []


def test_a_released_type_that_is_missing_is_named() -> None:
    assert breaks({"t": NOTHING}, {}) == ["t: the released type is missing"]


def test_a_new_type_is_allowed() -> None:
    assert breaks({}, {"t": NOTHING}) == []


@pytest.mark.parametrize("type_", SCHEMAS)
def test_a_type_is_compatible_with_itself(type_: str) -> None:
    assert breaks(SCHEMAS, {type_: SCHEMAS[type_]} | SCHEMAS) == []


@settings(deadline=None)
@given(data=st.data(), type_=st.sampled_from(sorted(SCHEMAS)))
def test_every_field_of_every_type_is_watched(data: st.DataObject, type_: str) -> None:
    schema = inlined(SCHEMAS[type_])
    name = data.draw(st.sampled_from(sorted(schema["properties"])))
    rest = {key: part for key, part in schema["properties"].items() if key != name}
    needed = [key for key in schema.get("required", []) if key != name]
    without = {**schema, "properties": rest, "required": needed}
    assert breaks({type_: schema}, {type_: without}) == [f"{type_}.{name}: the field is removed"]
