"""Every type's data survive the codec, and what is not of the type is refused by name."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.events import (
    CORRECTABLE,
    DECISION_TYPES,
    MODELS,
    OUTWARD_TYPES,
    STATUS_TYPES,
    UnknownType,
    decode,
)
from schemas.events.indicator import IndicatorMeasured
from schemas.events.record import EventCorrected
from schemas.events.situation import SituationReported
from schemas.json_schema import event_schemas
from schemas.published import TYPES, Document, example
from tests.schemas.strategies import data_of

SITUATION = example("situation.reported.v1")["data"]
UNHURRIED = settings(deadline=None, max_examples=30)
SCHEMAS = event_schemas()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(type_: str, data: object) -> object:
    return decode(type_, json.dumps(data).encode())


@pytest.mark.parametrize("type_", TYPES)
@UNHURRIED
@given(data=st.data())
def test_what_a_schema_accepts_round_trips_through_the_codec(
    type_: str, data: st.DataObject
) -> None:
    event = decode(type_, json.dumps(data.draw(data_of(type_))).encode())
    assert decode(event.type, event.model_dump_json().encode()) == event


@pytest.mark.parametrize("type_", MODELS)
@UNHURRIED
@given(data=st.data())
def test_what_a_model_writes_its_schema_accepts(type_: str, data: st.DataObject) -> None:
    event = decode(type_, json.dumps(data.draw(data_of(type_))).encode())
    Draft202012Validator(SCHEMAS[type_]).validate(json.loads(event.model_dump_json()))


@UNHURRIED
@given(type_=st.sampled_from(TYPES), data=JSON.map(json.dumps).map(str.encode) | st.binary())
def test_bytes_of_another_kind_are_refused_and_nothing_else_happens(
    type_: str, data: bytes
) -> None:
    with pytest.raises(ValidationError):
        decode(type_, data)


@UNHURRIED
@given(beside=st.dictionaries(st.text(min_size=1).map("x_{}".format), JSON))
def test_unknown_fields_of_a_status_event_are_not_fatal(beside: Document) -> None:
    assert read("situation.reported.v1", {**beside, **SITUATION}) == read(
        "situation.reported.v1", SITUATION
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dead", "5"),
        ("dead", 5.5),
        ("dead", True),
        ("dead", -1),
        ("dead", 10**400),
        ("damage_baht", 18450000.0),
        ("damage_baht", 18450000),
        ("damage_baht", "18450000.005"),
        ("damage_baht", "1e9"),
        ("damage_baht", "-1.00"),
        ("damage_baht", "๑๐๐.๐๐"),
        ("damage_baht", "NaN"),
        ("note", "ก\0ข"),
        ("note", ""),
        ("place", "TH-83\n"),
        ("district", "83020"),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        read("situation.reported.v1", {**SITUATION, field: value})


def test_amounts_made_in_python_are_decimals() -> None:
    data = {**SITUATION, "damage_baht": Decimal("18450000.00")}
    assert SituationReported.model_validate(data) == read("situation.reported.v1", SITUATION)
    data = example("indicator.measured.v1")["data"]
    made = IndicatorMeasured.model_validate({**data, "value": Decimal("187.4")})
    assert made == read("indicator.measured.v1", data)


@pytest.mark.parametrize("value", [True, "1e3", "๑๒", " 5 ", "1_000", "1.1234567", None, [1]])
def test_a_measured_value_is_a_number_or_plain_digits(value: object) -> None:
    data = example("indicator.measured.v1")["data"]
    with pytest.raises(ValidationError, match="value"):
        read("indicator.measured.v1", {**data, "value": value})


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e400"])
def test_a_measured_value_is_finite(bad: str) -> None:
    data = json.dumps(example("indicator.measured.v1")["data"])
    with pytest.raises(ValidationError, match="value"):
        decode("indicator.measured.v1", data.replace('"187.4"', bad).encode())


def test_a_number_is_no_date() -> None:
    data = example("complaints.counted.v2")["data"]
    with pytest.raises(ValidationError, match="period_from"):
        read("complaints.counted.v2", {**data, "period_from": 0})


def test_a_moment_without_offset_is_refused() -> None:
    data = example("centre.heard.v1")["data"]
    with pytest.raises(ValidationError, match="heard_at"):
        read("centre.heard.v1", {**data, "heard_at": "2026-10-15T03:25:10"})


@pytest.mark.parametrize("note", [b"\\ud800", b"\xff"])
def test_text_that_is_not_unicode_is_refused(note: bytes) -> None:
    with pytest.raises(ValidationError):
        decode("incident.closed.v1", b'{"incident":"i","reason":"' + note + b'"}')


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ValidationError):
        decode("situation.reported.v1", b"[" * 100_000)


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(UnknownType, match=r"weather\.dreamt\.v1"):
        read("weather.dreamt.v1", {})


@pytest.mark.parametrize(
    ("type_", "changed"),
    [
        ("alert.issued.v1", {"message": "update"}),
        ("complaints.counted.v2", {"period_to": "2026-09-01"}),
        ("order.issued.v1", {"effective_to": "2019-07-31T00:00:00+07:00"}),
    ],
)
def test_fields_that_do_not_go_together_are_refused(type_: str, changed: Document) -> None:
    with pytest.raises(ValidationError):
        read(type_, {**example(type_)["data"], **changed})


def test_a_situation_report_that_states_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one figure"):
        read("situation.reported.v1", {"incident": "flood-2569-phuket-01", "place": "TH-83"})


def test_an_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(ValidationError) as refused:
        read("incident.closed.v1", {"incident": "นายสมชาย ใจดี", "reason": "จบ"})
    assert "สมชาย" not in str(refused.value)


def corrected_to(type_: str, data: Document) -> Document:
    return {"corrected_type": type_, "corrected_data": data, "reason": "นับซ้ำ"}


@pytest.mark.parametrize("type_", sorted(CORRECTABLE))
def test_what_a_centre_states_of_the_world_can_be_corrected(type_: str) -> None:
    correction = corrected_to(type_, example(type_)["data"])
    assert isinstance(read("event.corrected.v1", correction), EventCorrected)


def test_a_correction_in_a_superseded_version_is_taken() -> None:
    data = example("complaints.counted.v1")["data"]
    assert read("event.corrected.v1", corrected_to("complaints.counted.v1", data))


@pytest.mark.parametrize("type_", ["event.corrected.v1", "order.issued.v1", "no.such.v1"])
def test_a_correction_of_another_kind_of_event_is_refused(type_: str) -> None:
    with pytest.raises(UnknownType, match=type_):
        read("event.corrected.v1", corrected_to(type_, {}))


def test_corrected_data_are_held_to_the_rules_of_their_type() -> None:
    data = {**example("complaints.counted.v2")["data"], "phone": "0812345678"}
    with pytest.raises(ValidationError, match="phone"):
        read("event.corrected.v1", corrected_to("complaints.counted.v2", data))


def test_no_type_is_of_two_kinds() -> None:
    assert len(MODELS) == len(STATUS_TYPES) + len(DECISION_TYPES) + len(OUTWARD_TYPES)
