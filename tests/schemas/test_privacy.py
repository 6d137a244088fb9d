"""A citizen number never enters the log, however it is written."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.events import decode
from schemas.events.model import EventModel, PrivateModel
from schemas.events.privacy import holds_citizen_number, is_citizen_number
from schemas.published import example

UNHURRIED = settings(deadline=None)
VALID = "1101700230708"
PRINTED = "1-1017-00230-70-8"


def checked(twelve: str) -> str:
    """The number that begins like this, its check digit read off a table by the remainder."""
    weighted = sum(int(digit) * (13 - place) for place, digit in enumerate(twelve))
    return twelve + "10987654321"[weighted % 11]


TWELVE = st.text("0123456789", min_size=12, max_size=12)
NUMBERS = TWELVE.map(checked)
WORDS = st.text(st.characters(categories=["L", "P", "Zs"]))


@UNHURRIED
@given(NUMBERS)
def test_a_number_with_its_check_digit_is_a_citizen_number(number: str) -> None:
    assert is_citizen_number(number)


@UNHURRIED
@given(NUMBERS, st.integers(1, 9))
def test_another_check_digit_makes_it_none(number: str, shift: int) -> None:
    assert not is_citizen_number(number[:12] + str((int(number[12]) + shift) % 10))


@pytest.mark.parametrize("text", ["", VALID[:12], VALID + "0", PRINTED, "110170023070x"])
def test_only_thirteen_digits_are_a_citizen_number(text: str) -> None:
    assert not is_citizen_number(text)


@UNHURRIED
@given(NUMBERS, WORDS, WORDS)
def test_a_number_inside_other_text_is_found(number: str, before: str, after: str) -> None:
    assert holds_citizen_number(f"{before}{number}{after}")


@UNHURRIED
@given(NUMBERS, st.text("0123456789"), st.text("0123456789"))
def test_digits_around_a_number_do_not_hide_it(number: str, before: str, after: str) -> None:
    assert holds_citizen_number(before + number + after)


@UNHURRIED
@given(NUMBERS, st.sampled_from(["-", " ", ".", "_", "/", " - ", "\u200b", "\u00a0"]))
def test_the_printed_grouping_is_found(number: str, gap: str) -> None:
    groups = (number[0], number[1:5], number[5:10], number[10:12], number[12])
    assert holds_citizen_number(gap.join(groups))


def test_thai_digits_are_digits() -> None:
    assert holds_citizen_number(VALID.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")))


class Holder(EventModel):
    """A model with something in it."""

    type = "test.held.v1"
    inside: object


@UNHURRIED
@given(NUMBERS.filter(lambda number: number[0] != "0"))
def test_a_number_is_found_wherever_it_lies(number: str) -> None:
    for held in (
        number,
        int(number),
        -int(number),
        float(number),
        Decimal(number),
        [[number]],
        {"a": (1, {number})},
        {number: None},
        Holder(inside=[Holder(inside=int(number))]),
    ):
        assert holds_citizen_number(held)


@UNHURRIED
@given(st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**12) | st.dates() | WORDS | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=8,
))  # fmt: skip
def test_counts_dates_and_words_are_none(value: object) -> None:
    assert not holds_citizen_number(value)


class Survey(PrivateModel):
    """A private type with every place where a number could hide."""

    type = "survey.counted.v1"
    name: str = ""
    size: int = 0
    rows: list["Survey"] = []


@pytest.mark.parametrize(
    "data",
    [
        {"name": VALID},
        {"name": f"ผู้ร้อง {PRINTED} ครับ"},
        {"size": int(VALID)},
        {"rows": [{"rows": [{"name": VALID}]}]},
    ],
)
def test_a_private_type_refuses_a_citizen_number_anywhere(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="citizen number") as refused:
        Survey.model_validate_json(json.dumps(data))
    assert VALID not in str(refused.value)


def test_a_private_type_refuses_unknown_fields() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Survey.model_validate_json('{"phone": "0812345678"}')


@pytest.mark.parametrize("type_", ["complaints.counted.v1", "complaints.counted.v2"])
@pytest.mark.parametrize("beside", [{"name": "สมชาย"}, {"category": f"road:{PRINTED}"}])
def test_complaints_of_every_version_refuse_what_could_name_a_person(
    type_: str, beside: dict[str, str]
) -> None:
    data = {**example(type_)["data"], **beside}
    with pytest.raises(ValidationError):
        decode(type_, json.dumps(data).encode())
