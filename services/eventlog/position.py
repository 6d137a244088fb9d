"""Places in the log, and the sealed tokens that carry them outside.

A position names, for some slots, the next place after what it covers. A token is a position that
only the network can read: it tells its bearer nothing and survives no restore.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.fernet import Fernet, InvalidToken


@dataclass(frozen=True, slots=True)
class Position:
    """The next position after what is covered, for each slot that is spoken of."""

    next: Mapping[int, int]

    def is_covered_by(self, progress: Mapping[int, int]) -> bool:
        """Whether progress has reached it in every slot."""
        return all(progress.get(slot, 0) >= position for slot, position in self.next.items())


class BadToken(Exception):
    """Not a token of this network, or one of an epoch before a restore; says which."""


class _Sealed(msgspec.Struct, array_like=True):
    epoch: int
    next: dict[int, int]


class PositionTokens:
    """Seals and opens position tokens of one epoch."""

    def __init__(self, secret: bytes, *, epoch: int) -> None:
        self._fernet = Fernet(secret)
        self._epoch = epoch

    def seal(self, position: Position) -> str:
        """The position as an opaque token."""
        sealed = _Sealed(self._epoch, dict(position.next))
        return self._fernet.encrypt(msgspec.msgpack.encode(sealed)).decode().rstrip("=")

    def open(self, token: str) -> Position:
        """The position a token carries.

        Raises:
            BadToken: it is not ours, was changed, or belongs to another epoch.
        """
        try:
            padded = token + "=" * (-len(token) % 4)
            content = self._fernet.decrypt(padded.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError, ValueError) as unreadable:
            raise BadToken("the position token is not one of this network") from unreadable
        sealed = msgspec.msgpack.decode(content, type=_Sealed)
        if sealed.epoch != self._epoch:
            raise BadToken(f"the token is of epoch {sealed.epoch}, the log is in {self._epoch}")
        return Position(sealed.next)
