"""Lifetimes of tokens as a person writes them."""

from datetime import timedelta

import pytest

from services.cli.lifetime import lifetime_of
from services.cli.refusal import Refusal


def test_a_lifetime_is_a_number_and_a_unit() -> None:
    assert lifetime_of("30m") == timedelta(minutes=30)
    assert lifetime_of("7d") == timedelta(days=7)


@pytest.mark.parametrize("text", ["", "12", "h", "-1h", "0h", "1.5h", "1w", "1h "])
def test_what_is_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        lifetime_of(text)
