"""Writes the generated part of the contract: `python -m schemas.generate [FOLDER]`.

`json/` gets one JSON Schema per type and version (a superseded version keeps its released file) and
the envelope's; `asyncapi.json` gets the whole. The same code gives the same bytes anywhere.
"""

import json
import sys
from pathlib import Path

from schemas.asyncapi import asyncapi
from schemas.json_schema import envelope_schema, event_schemas
from schemas.published import FOLDER, Document


def documents() -> dict[str, str]:
    """Every generated file's text, by its path inside `schemas/`."""
    made = {f"json/{type_}.schema.json": schema for type_, schema in event_schemas().items()}
    made |= {"json/envelope.schema.json": envelope_schema(), "asyncapi.json": asyncapi()}
    return {path: text_of(document) for path, document in made.items()}


def text_of(document: Document) -> str:
    """The document as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def main(folder: Path = FOLDER) -> None:
    """Write every generated file under the folder."""
    for path, text in documents().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
