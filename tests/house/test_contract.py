"""The committed contract is whole, true to the code, and never breaks what was released."""

import json
import re

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas.compatibility import breaks
from schemas.envelope import ATTRIBUTES, Envelope
from schemas.events import decode
from schemas.generate import documents
from schemas.json_schema import envelope_schema, event_schemas
from schemas.published import FOLDER, TYPES, example, released, topics

SCHEMAS = event_schemas()
DATES = Draft202012Validator.FORMAT_CHECKER


def test_released_types_never_change_incompatibly() -> None:
    assert breaks(released(), SCHEMAS) == [], "make a new version and a step in schemas.upcast"


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_is_released(type_: str) -> None:
    assert type_ in released(), "python -m schemas.release"


@pytest.mark.parametrize("path", sorted(documents()))
def test_a_committed_file_is_what_the_generator_makes(path: str) -> None:
    assert (FOLDER / path).read_text("utf-8") == documents()[path], "python -m schemas.generate"


def test_no_schema_or_example_lies_about_that_nobody_makes() -> None:
    schemas = {f"json/{file.name}" for file in (FOLDER / "json").iterdir()}
    examples = {file.stem for file in (FOLDER / "examples").iterdir()}
    assert schemas == {path for path in documents() if path.startswith("json/")}
    assert examples == set(TYPES)


@pytest.mark.parametrize("type_", TYPES)
def test_a_schema_is_json_schema(type_: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[type_])


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_validates_against_its_schemas(type_: str) -> None:
    event = example(type_)
    Draft202012Validator(envelope_schema(), format_checker=DATES).validate(event)
    Draft202012Validator(SCHEMAS[type_], format_checker=DATES).validate(event["data"])


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_is_read_by_the_models(type_: str) -> None:
    event = example(type_)
    stated = {name: event[name] for name in ATTRIBUTES if name in event}
    assert msgspec.convert(stated, Envelope).type == type_
    assert decode(type_, json.dumps(event["data"]).encode())


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_states_nothing_that_its_type_does_not_know(type_: str) -> None:
    event = example(type_)
    assert event["data"].keys() <= SCHEMAS[type_]["properties"].keys()
    assert event.keys() - {"data"} <= set(ATTRIBUTES)


def test_no_two_examples_are_the_same_event() -> None:
    assert len({(example(type_)["source"], example(type_)["id"]) for type_ in TYPES}) == len(TYPES)


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_has_a_uuid_of_version_7(type_: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        example(type_)["id"])  # fmt: skip


@pytest.mark.parametrize("type_", TYPES)
def test_a_stored_name_is_subject_verb_version(type_: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+\.v[1-9][0-9]*", type_)


@pytest.mark.parametrize("type_", TYPES)
def test_every_text_has_a_bound(type_: str) -> None:
    def texts(part: object) -> list[dict[str, object]]:
        if isinstance(part, dict):
            inner = [found for value in part.values() for found in texts(value)]
            return [part, *inner] if part.get("type") == "string" else inner
        if isinstance(part, list):
            return [found for item in part for found in texts(item)]
        return []

    for text in texts(SCHEMAS[type_]):
        assert text.keys() & {"maxLength", "enum", "const", "pattern", "format"}


def test_every_topic_names_its_writers_and_readers() -> None:
    for topic in topics()["topics"].values():
        assert topic["writers"]
        assert topic["readers"]
