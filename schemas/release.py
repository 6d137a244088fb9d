"""Releases today's event types: `python -m schemas.release [FOLDER]`.

What is released is what the log may hold for ever, so an incompatible change is refused: it needs a
new version of the type and a step in `schemas.events.upcast`.
"""

import sys
from pathlib import Path

from schemas.compatibility import Schema, breaks
from schemas.generate import text_of
from schemas.json_schema import event_schemas
from schemas.published import FOLDER, released


class ReleaseRefused(Exception):
    """Today's types cannot read everything that was written under the released ones."""


def release(before: dict[str, Schema], today: dict[str, Schema]) -> dict[str, str]:
    """The released files as they are to be, by path inside `schemas/`.

    Raises:
        ReleaseRefused: a released type changed incompatibly; names each change.
    """
    if found := breaks(before, today):
        raise ReleaseRefused("\n".join(found))
    return {f"released/{type_}.schema.json": text_of(schema) for type_, schema in today.items()}


def main(folder: Path = FOLDER) -> None:
    """Write the released schemas under the folder.

    Raises:
        ReleaseRefused: a released type changed incompatibly.
    """
    for path, text in release(released(), event_schemas()).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
