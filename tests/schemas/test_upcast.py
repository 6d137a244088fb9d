"""Old versions lead, one step each, to a type of today."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.events import MODELS, decode, newest
from schemas.events.complaint import CategoryCount, ComplaintsCounted
from schemas.events.upcast import STEPS, upcast
from schemas.published import example, released
from tests.schemas.strategies import data_of


def version(type_: str) -> tuple[str, int]:
    """The subject and verb, and the number of the version."""
    name, _, number = type_.rpartition(".v")
    return name, int(number)


@pytest.mark.parametrize("type_", STEPS)
def test_a_step_leads_to_the_next_version_of_the_same_type(type_: str) -> None:
    name, number = version(type_)
    # Numbers that only grow cannot run in a circle.
    assert version(STEPS[type_][0]) == (name, number + 1)


@pytest.mark.parametrize("type_", STEPS)
def test_every_chain_ends_in_a_type_of_today(type_: str) -> None:
    assert newest(type_) in MODELS


@pytest.mark.parametrize("type_", MODELS)
def test_a_type_of_today_is_its_newest_and_follows_a_chain_from_version_one(type_: str) -> None:
    name, number = version(type_)
    assert newest(type_) == type_
    assert [newest(f"{name}.v{older}") for older in range(1, number)] == [type_] * (number - 1)


@pytest.mark.parametrize("type_", sorted(released()))
def test_every_released_version_is_of_today_or_leads_there(type_: str) -> None:
    assert newest(type_) in MODELS


@pytest.mark.parametrize("type_", STEPS)
def test_a_superseded_version_still_has_its_released_schema(type_: str) -> None:
    assert type_ in released()


def test_complaints_of_version_1_are_read_as_version_2() -> None:
    event = example("complaints.counted.v1")
    read = decode(event["type"], json.dumps(event["data"]).encode())
    assert isinstance(read, ComplaintsCounted)
    assert read.counts == [CategoryCount(category="road", count=97)]
    assert read.place == "TH-83"


@pytest.mark.parametrize("type_", STEPS)
@settings(deadline=None)
@given(data=st.data())
def test_whatever_was_written_in_an_old_version_is_read(type_: str, data: st.DataObject) -> None:
    written = data.draw(data_of(type_))
    assert decode(type_, json.dumps(written).encode()).type == newest(type_)


def test_the_bytes_of_a_type_of_today_are_not_touched() -> None:
    assert upcast("heartbeat.sent.v1", b"any bytes") == ("heartbeat.sent.v1", b"any bytes")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"{}", b'{"category": "road"}'])
def test_what_an_old_version_lacks_is_refused_and_not_invented(data: bytes) -> None:
    with pytest.raises(ValidationError):
        decode("complaints.counted.v1", data)
