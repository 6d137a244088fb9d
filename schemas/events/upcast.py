"""From the version an event was written in to today's: one step each, on read, by one path.

Stored bytes never change. A step is a pure function from the older `data` to the newer; `STEPS`
says where it leads. A chain is followed until no step is left.
"""

from collections.abc import Callable
from typing import Any

import jiter

type Data = dict[str, Any]


def complaints_v1_to_v2(data: Data) -> Data:
    """Version 1 counted one category an event; version 2 counts all of a period together."""
    counted = {"category": data.pop("category"), "count": data.pop("count")}
    return {**data, "counts": [counted]}


STEPS: dict[str, tuple[str, Callable[[Data], Data]]] = {
    "complaints.counted.v1": ("complaints.counted.v2", complaints_v1_to_v2),
}


def upcast(type_: str, data: bytes) -> tuple[str | None, Data]:
    """The newest type this one leads to and its data; the type is None when no step is known.

    Raises:
        ValueError: the bytes are not JSON.
        KeyError: the data lack what a step needs.
    """
    if type_ not in STEPS:
        return None, {}
    content: Data = jiter.from_json(data)
    while type_ in STEPS:
        type_, step = STEPS[type_]
        content = step(dict(content))
    return type_, content
