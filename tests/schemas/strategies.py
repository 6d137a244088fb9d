"""Data that a JSON Schema of the contract accepts, and the rules its models hold beside it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.compatibility import Schema, inlined
from schemas.events.situation import FIGURES
from schemas.json_schema import event_schemas

type Data = dict[str, Any]

TIMEZONES = st.sampled_from([UTC, timezone(timedelta(hours=7)), timezone(timedelta(hours=-3.5))])
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=TIMEZONES)  # noqa: DTZ001 - Hypothesis adds the zone
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def _period_runs_forward(data: Data) -> bool:
    return bool(data["period_from"] < data["period_to"])


def _states_something(data: Data) -> bool:
    stated = any(data.get(name) is not None for name in FIGURES)
    return stated or any(data.get(name) for name in ("severity", "needs", "note"))


def _is_an_order(data: Data) -> bool:
    end = data.get("effective_to")
    if end and datetime.fromisoformat(end) <= datetime.fromisoformat(data["effective_from"]):
        return False
    reserved = [clause for clause in data.get("clauses", []) if clause["act"] == "reserve"]
    return all(_names_a_matter(reservation) for reservation in reserved)


def _names_a_matter(reservation: Data) -> bool:
    dimension, target, subject = map(reservation.get, ("dimension", "target", "subject"))
    return (dimension is None) == (target is None) and not target is subject is None


def _is_a_draft(data: Data) -> bool:
    addressees = data["addressees"]
    suspends = data["kind"] == "suspension"
    return len(set(addressees)) == len(addressees) and suspends == (data.get("stops") is not None)


def _names_what_it_updates(data: Data) -> bool:
    return data.get("message", "alert") == "alert" or bool(data.get("references"))


def _runs_forward(begin: str, end: str) -> Callable[[Data], bool]:
    def holds(data: Data) -> bool:
        ended = data.get(end)
        return ended is None or datetime.fromisoformat(ended) > datetime.fromisoformat(data[begin])

    return holds


RULES: dict[str, Callable[[Data], bool]] = {
    "complaints.counted.v1": _period_runs_forward,
    "complaints.counted.v2": _period_runs_forward,
    "situation.reported.v1": _states_something,
    "order.issued.v1": _is_an_order,
    "directive.drafted.v1": _is_a_draft,
    "alert.issued.v1": _names_what_it_updates,
    "key.registered.v1": _runs_forward("valid_from", "valid_to"),
    "signing.required.v1": _runs_forward("required_from", "required_to"),
}
"""What a model asks of its fields together, which its JSON Schema cannot say."""


@cache
def data_of(type_: str) -> st.SearchStrategy[Data]:
    """The `data` of events of this type and version."""
    found = _values(inlined(event_schemas()[type_]))
    if type_ == "event.corrected.v1":
        return st.builds(_correcting, found, data_of("situation.reported.v1"))
    return found.filter(RULES.get(type_, bool))


def _correcting(correction: Data, data: Data) -> Data:
    return {**correction, "corrected_type": "situation.reported.v1", "corrected_data": data}


def _values(schema: Schema) -> st.SearchStrategy[Any]:
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return st.one_of([_values(choice) for choice in choices])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return _KINDS[schema["type"]](schema)


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "date":
        return st.dates().map(date.isoformat)
    if schema.get("format") == "date-time":
        return MOMENTS.map(datetime.isoformat)
    if "maxLength" in schema:
        return st.text(TEXT, min_size=schema["minLength"], max_size=min(40, schema["maxLength"]))
    return st.from_regex(str(schema["pattern"]), fullmatch=True)


def _number(schema: Schema) -> st.SearchStrategy[float]:
    if not schema.keys() & {"minimum", "exclusiveMinimum"}:
        return st.integers(-(10**12), 10**12).map(lambda millionths: millionths / 10**6)
    return st.floats(
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum"),
        exclude_min="exclusiveMinimum" in schema,
        allow_infinity=False,
    )


def _array(schema: Schema) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    most = min(least + 3, schema.get("maxItems", least + 3))
    return st.lists(_values(schema["items"]), min_size=least, max_size=most)


def _object(schema: Schema) -> st.SearchStrategy[Data]:
    fields = {name: _values(part) for name, part in schema.get("properties", {}).items()}
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


_KINDS: dict[str, Callable[[Schema], st.SearchStrategy[Any]]] = {
    "string": _text,
    "number": _number,
    "array": _array,
    "object": _object,
    "integer": lambda schema: st.integers(schema["minimum"], schema.get("maximum", 2**53)),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}
