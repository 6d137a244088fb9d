"""Positions and their tokens: opaque, of one network, of one epoch."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.position import BadToken, Position, PositionTokens

TOKENS = PositionTokens(Fernet.generate_key(), epoch=1)
positions = st.dictionaries(st.integers(0, 64), st.integers(0, 2**53), max_size=65).map(Position)


@given(positions)
def test_a_token_opens_to_the_position_it_was_made_of(position: Position) -> None:
    assert TOKENS.open(TOKENS.seal(position)) == position


@given(st.integers(0, 2**53), st.integers(0, 64))
def test_a_token_is_as_long_however_much_the_log_holds(at: int, slot: int) -> None:
    assert len(TOKENS.seal(Position({slot: at}))) == len(TOKENS.seal(Position({0: 0})))


@given(positions, st.dictionaries(st.integers(0, 64), st.integers(0, 2**53)))
def test_a_position_is_covered_when_every_slot_it_speaks_of_is(
    position: Position, progress: dict[int, int]
) -> None:
    behind = [slot for slot, at in position.next.items() if progress.get(slot, 0) < at]
    assert position.is_covered_by(progress) == (not behind)
    assert position.is_covered_by(position.next)


@pytest.mark.parametrize("token", ["", "x", "ก", "gAAAAA", "=" * 400])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BadToken):
        TOKENS.open(token)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    token = TOKENS.seal(Position({3: 7}))
    # The last character carries bits that base64 throws away.
    place = data.draw(st.integers(0, len(token) - 2))
    other = "A" if token[place] != "A" else "B"
    with pytest.raises(BadToken):
        TOKENS.open(token[:place] + other + token[place + 1 :])


def test_a_token_of_another_network_or_epoch_is_refused() -> None:
    key = Fernet.generate_key()
    token = PositionTokens(key, epoch=1).seal(Position({0: 1}))
    with pytest.raises(BadToken):
        TOKENS.open(token)
    with pytest.raises(BadToken, match="epoch 1"):
        PositionTokens(key, epoch=2).open(token)


@given(positions)
def test_a_token_that_is_one_reader_s_opens_for_no_other_and_for_nobody(
    position: Position,
) -> None:
    token = TOKENS.seal(position, reader="a")
    assert TOKENS.open(token, reader="a") == position
    for other in ("b", "", None):
        with pytest.raises(BadToken):
            TOKENS.open(token, reader=other)
