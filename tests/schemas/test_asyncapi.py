"""The AsyncAPI document holds together and says what stands on Kafka."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.asyncapi import asyncapi
from schemas.envelope import DECISIONS_TOPIC, INBOX_PREFIX, SLOTS, STATUS_TOPIC
from schemas.events import DECISION_TYPES, STATUS_TYPES, newest
from schemas.published import TYPES, Document

DOCUMENT = asyncapi()
CHANNELS = DOCUMENT["channels"]
MESSAGES = DOCUMENT["components"]["messages"]


def references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every reference in it: of a `$ref`, and of a discriminator to what it chooses."""
    if isinstance(part, dict):
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)
    elif isinstance(part, str) and part.startswith("#/"):
        yield part


def leads_somewhere(reference: str) -> bool:
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        if step not in place:
            return False
        place = place[step]
    return True


def test_every_reference_leads_somewhere_in_the_document() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > len(CHANNELS)
    assert [one for one in sorted(found) if not leads_somewhere(one)] == []


def test_the_channels_are_the_topics_of_the_network() -> None:
    assert {channel["address"] for channel in CHANNELS.values()} == {
        STATUS_TOPIC,
        DECISIONS_TOPIC,
        INBOX_PREFIX + "{centre}",
        "out.{centre}",
    }


@pytest.mark.parametrize(("name", "partitions"), [("status", SLOTS), ("decisions", 1)])
def test_a_channel_states_the_partitions_that_positions_count(name: str, partitions: int) -> None:
    assert CHANNELS[name]["bindings"]["kafka"]["partitions"] == partitions


def test_every_topic_is_kept_for_ever() -> None:
    for channel in CHANNELS.values():
        kept = channel["bindings"]["kafka"]["topicConfiguration"]
        assert (kept["retention.ms"], kept["cleanup.policy"]) == (-1, ["delete"])


def test_centres_write_status_types_alone() -> None:
    status = {model.type for model in STATUS_TYPES}
    for name in ("status", "inbox"):
        assert {newest(type_) for type_ in CHANNELS[name]["messages"]} == status


def test_decisions_carries_decision_types_alone() -> None:
    assert set(CHANNELS["decisions"]["messages"]) == {model.type for model in DECISION_TYPES}


def test_outsiders_are_told_notices_alone() -> None:
    assert set(CHANNELS["out"]["messages"]) == {"directive.notice.v1"}


def test_every_type_and_version_is_a_message() -> None:
    assert set(MESSAGES) == set(TYPES)


@pytest.mark.parametrize("type_", TYPES)
def test_a_messages_example_is_one_of_its_schema(type_: str) -> None:
    message: Document = MESSAGES[type_]
    (example,) = message["examples"]
    for part, schema in (
        (example["payload"], message["payload"]),
        (example["headers"], message["headers"]),
    ):
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(part)
    assert example["headers"]["ce_type"] == type_
