"""Places in the log, and the sealed tokens that carry them outside.

A position names, for some slots, the next place after what it covers. A token is a position that
only the network can read: it tells its bearer nothing and survives no restore.
"""

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, slots=True)
class Position:
    """The next position after what is covered, for each slot that is spoken of."""

    next: Mapping[int, int]

    def is_covered_by(self, progress: Mapping[int, int]) -> bool:
        """Whether progress has reached it in every slot."""
        return all(progress.get(slot, 0) >= position for slot, position in self.next.items())


class BadToken(Exception):
    """Not a token of this network, or one of an epoch before a restore; says which."""


_EPOCH = struct.Struct(">Q")
_PLACE = struct.Struct(">BQ")


class PositionTokens:
    """Seals and opens position tokens of one epoch, under a key derived from the network's secret.

    AES-SIV (RFC 5297) needs no random number, so no number of tokens is too many for one key; a
    position always has the same token. It costs a seventh of Fernet, which was an eighth of a
    request of one event.
    """

    def __init__(self, secret: bytes, *, epoch: int) -> None:
        derivation = HKDF(SHA256(), length=64, salt=None, info=b"kamkap position token")
        self._cipher = AESSIV(derivation.derive(base64.urlsafe_b64decode(secret)))
        self._epoch = epoch

    def seal(self, position: Position, *, reader: str | None = None) -> str:
        """The position as an opaque token; with a reader, one that is the reader's alone."""
        # Each number has its fixed room: how long a token is must not tell how much others sent.
        places = (_PLACE.pack(slot, at) for slot, at in sorted(position.next.items()))
        content = b"".join((_EPOCH.pack(self._epoch), *places))
        sealed = self._cipher.encrypt(content, _bound(reader))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, token: str, *, reader: str | None = None) -> Position:
        """The position a token carries; with a reader, one that was sealed for the reader.

        Raises:
            BadToken: it is not ours, was changed, or belongs to another epoch or reader.
        """
        try:
            padded = token + "=" * (-len(token) % 4)
            sealed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            content = self._cipher.decrypt(sealed, _bound(reader))
        except (InvalidTag, UnicodeEncodeError, binascii.Error, ValueError) as unreadable:
            raise BadToken("the position token is not one of this network") from unreadable
        try:
            (epoch,) = _EPOCH.unpack_from(content)
            places = dict(_PLACE.iter_unpack(content[_EPOCH.size :]))
        except struct.error as short:
            raise BadToken("the position token is of another kind") from short
        if epoch != self._epoch:
            raise BadToken(f"the token is of epoch {epoch}, the log is in {self._epoch}")
        return Position(places)


def _bound(reader: str | None) -> list[bytes] | None:
    return None if reader is None else [reader.encode()]
