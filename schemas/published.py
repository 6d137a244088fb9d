"""The contract's files as they lie in this folder: examples, released schemas, topics."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from schemas.events import MODELS
from schemas.events.upcast import STEPS

type Document = dict[str, Any]

FOLDER = Path(__file__).parent

TYPES = (*MODELS, *STEPS)
"""Every stored name of a message: today's types, then the superseded ones."""


@cache
def example(type_: str) -> Document:
    """One event of this type and version, as a CloudEvent in structured mode. Not to be changed."""
    return _read(FOLDER / "examples" / f"{type_}.json")


@cache
def released() -> dict[str, Document]:
    """The JSON Schema of every released type, by stored name. Not to be changed."""
    files = sorted((FOLDER / "released").glob("*.schema.json"))
    return {file.name.removesuffix(".schema.json"): _read(file) for file in files}


@cache
def topics() -> Document:
    """Who writes and reads which topic, how it is cut and kept. Not to be changed."""
    document: Document = yaml.safe_load((FOLDER / "topics.yaml").read_text("utf-8"))
    return document


def _read(file: Path) -> Document:
    document: Document = json.loads(file.read_text("utf-8"))
    return document
