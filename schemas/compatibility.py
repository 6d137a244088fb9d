"""Whether events written under a released JSON Schema can still be read under today's.

The direction is that of a log kept for ever: today's schema must accept everything the released one
accepted, and lose none of its fields. The other direction (an old reader, a new event) is answered
by stored names: a change that this module refuses is a new `vN` with a step in `upcast`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

type Schema = dict[str, Any]

_ANNOTATIONS = frozenset(
    {"$id", "$schema", "$defs", "title", "description", "default", "examples", "deprecated"}
    # The alternatives themselves say what it repeats.
    | {"discriminator"}
)
_ALTERNATIVES = ("anyOf", "oneOf")
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_COMPARED = frozenset(
    {"type", "enum", "const", "properties", "required", "additionalProperties", "items"}
    | {*_ALTERNATIVES}
)
_UNREAD = _ANNOTATIONS | _LOWER | _UPPER | _COMPARED


def breaks(released: Mapping[str, Schema], today: Mapping[str, Schema]) -> list[str]:
    """What changed incompatibly, one sentence each, by stored name; empty when nothing did."""
    found: list[str] = []
    for type_, schema in released.items():
        if type_ in today:
            found.extend(_narrowings(inlined(schema), inlined(today[type_]), type_))
        else:
            found.append(f"{type_}: the released type is missing")
    return found


def inlined(schema: Schema) -> Schema:
    """The schema with its references replaced; no event type contains itself."""
    definitions: Schema = schema.get("$defs", {})

    def inline(part: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(part, list):
            return [inline(item) for item in part]
        if not isinstance(part, dict):
            return part
        whole = {key: inline(value) for key, value in part.items() if key not in {"$ref", "$defs"}}
        if "$ref" in part:
            whole = {**inline(definitions[part["$ref"].removeprefix("#/$defs/")]), **whole}
        return whole

    whole: Schema = inline(schema)
    return whole


def _narrowings(old: Schema, new: Schema, at: str) -> Iterator[str]:
    """For each alternative of the old, what the new one nearest to it refuses."""
    for old_choice in _choices(old):
        refused = [list(_refusals(old_choice, new_choice, at)) for new_choice in _choices(new)]
        yield from min(refused, key=len)


def _choices(schema: Schema) -> list[Schema]:
    beside = {key: value for key, value in schema.items() if key not in _ALTERNATIVES}
    choices = [choice for keyword in _ALTERNATIVES for choice in schema.get(keyword, [])]
    return [{**beside, **choice} for choice in choices or [{}]]


def _refusals(old: Schema, new: Schema, at: str) -> Iterator[str]:
    yield from _types(old, new, at)
    yield from _values(old, new, at)
    yield from _bounds(old, new, at)
    yield from _fields(old, new, at)
    if "items" in new:
        yield from _narrowings(old.get("items", {}), new["items"], f"{at}[]")
    for keyword in new.keys() - _UNREAD:
        if old.get(keyword) != new[keyword]:
            yield f"{at}: {keyword} is new or changed"


def _types(old: Schema, new: Schema, at: str) -> Iterator[str]:
    wider = new.get("type")
    if wider is None or wider == old.get("type"):
        return
    if (old.get("type"), wider) != ("integer", "number"):
        yield f"{at}: the type is narrowed from {old.get('type', 'any')} to {wider}"


def _values(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, now = _listed(old), _listed(new)
    if now is None:
        return
    if before is None:
        yield f"{at}: only listed values are accepted"
        return
    yield from (f"{at}: the value {value!r} is removed" for value in before if value not in now)


def _listed(schema: Schema) -> list[Any] | None:
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return values


def _bounds(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for keyword in sorted(new.keys() & _LOWER):
        if keyword not in old or old[keyword] < new[keyword]:
            yield f"{at}: {keyword} is tightened"
    for keyword in sorted(new.keys() & _UPPER):
        if keyword not in old or old[keyword] > new[keyword]:
            yield f"{at}: {keyword} is tightened"


def _fields(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    required = set(old.get("required", []))
    for name in sorted(set(new.get("required", [])) - required):
        yield f"{at}.{name}: the field is newly required"
    for name, schema in before.items():
        if name not in now:
            yield f"{at}.{name}: the field is removed"
            continue
        yield from _narrowings(schema, now[name], f"{at}.{name}")
        # An event that left the field out would read differently.
        if name not in required and schema.get("default") != now[name].get("default"):
            yield f"{at}.{name}: the default is changed"
    yield from _others(old, new, at)


def _others(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if now is True or before is False:
        return
    if now is False:
        yield f"{at}: unknown fields are refused"
    else:
        yield from _narrowings({} if before is True else before, now, f"{at}.*")
