"""From the version an event was written in to today's: one step each, on read, by one path.

Stored bytes never change. A step is a pure function from the older `data` to the newer; `STEPS`
says where it leads. A chain is followed until no step is left. A step moves what is there and
judges nothing: today's model refuses what is missing.
"""

from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_json

type Data = dict[str, Any]

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(
    dict[str, Any], config=ConfigDict(hide_input_in_errors=True)
)


def complaints_v1_to_v2(data: Data) -> Data:
    """Version 1 counted one category an event; version 2 counts all of a period together."""
    counted = {name: data[name] for name in ("category", "count") if name in data}
    rest = {name: value for name, value in data.items() if name not in counted}
    return {**rest, "counts": [counted]}


STEPS: dict[str, tuple[str, Callable[[Data], Data]]] = {
    "complaints.counted.v1": ("complaints.counted.v2", complaints_v1_to_v2),
}


def newest(type_: str) -> str:
    """The version this one leads to; itself when no step leads on."""
    while type_ in STEPS:
        type_, _ = STEPS[type_]
    return type_


def upcast(type_: str, data: bytes) -> tuple[str, bytes]:
    """The newest version of the type and the data in it; the same bytes when it is the newest.

    Raises:
        pydantic.ValidationError: the bytes are not a JSON object.
    """
    if type_ not in STEPS:
        return type_, data
    content = _OBJECT.validate_json(data)
    while type_ in STEPS:
        type_, step = STEPS[type_]
        content = step(content)
    return type_, to_json(content)
