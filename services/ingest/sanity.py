"""JSON that means the same to every reader: one look at the whole event, before it is believed.

Parsers differ in what they make of duplicate keys, NaN, lone surrogates or 1e400, and Postgres
stores no null character. What any of them would read differently is refused by name.
"""

import sys
from collections.abc import Iterable
from math import isfinite
from typing import Any

import jiter

from schemas.null_character import holds_null_character
from services.ingest.refusals import (
    MALFORMED,
    NULL_CHARACTER,
    NUMBER_OUT_OF_RANGE,
    malformed,
)
from services.operation.problems import Problem, Text

_NULL_ESCAPE = rb"\u0000"
_LARGEST = int(sys.float_info.max)
_SMALL = 2**53


def whole(raw: bytes) -> object:
    """The JSON text as Python values.

    Raises:
        Problem: it is not JSON in UTF-8, or readers would disagree about it.
    """
    try:
        content = jiter.from_json(
            raw, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys"
        )
    except ValueError as unreadable:
        raise malformed(str(unreadable)) from None
    _check_numbers((content,))
    # The parser has refused raw null characters already; an escaped one begins like this.
    if _NULL_ESCAPE in raw and holds_null_character(content):
        raise Problem(
            NULL_CHARACTER,
            Text("ลบ \\u0000 ออกจากข้อความ", "Leave \\u0000 out: no text of the network holds it"),
        )
    return content


def whole_object(raw: bytes) -> dict[str, object]:
    """The JSON object as a dictionary.

    Raises:
        Problem: as `whole`, or it is no object.
    """
    content = whole(raw)
    if not isinstance(content, dict):
        raise Problem(MALFORMED, Text("ต้องเป็นออบเจกต์ JSON", "It must be a JSON object"))
    return content


def _check_numbers(values: Iterable[Any]) -> None:
    """1e400 would be infinity in one reader and an error in another."""
    for value in values:
        # By type and not by isinstance: this runs for every value of every event.
        kind = type(value)
        if kind is str:
            continue
        if kind is int:
            if not -_SMALL < value < _SMALL and not -_LARGEST <= value <= _LARGEST:
                raise _out_of_range()
        elif kind is dict:
            _check_numbers(value.values())
        elif kind is list:
            _check_numbers(value)
        elif kind is float and not isfinite(value):
            raise _out_of_range()


def _out_of_range() -> Problem:
    return Problem(
        NUMBER_OUT_OF_RANGE,
        Text("ส่งตัวเลขในช่วงของ double", "Send numbers in the range of a double"),
    )
