"""Lifetimes as a person writes them."""

import re
from datetime import timedelta

from services.cli.refusal import Refusal

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_LIFETIME = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def lifetime_of(text: str) -> timedelta:
    """`30m`, `12h`, `7d` as a span of time.

    Raises:
        Refusal: it is written otherwise.
    """
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise Refusal(f"{text!r} is no lifetime; 30m, 12h and 7d are")
    return int(found[1]) * _UNITS[found[2]]
