"""Cursors: where a list goes on, sealed, bound to who asked for what, and to the same pair.

A cursor tells its bearer nothing and never expires; a restore makes it useless, because the log
behind it may be another.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from schemas.envelope import SLOTS
from services.api.problems import BAD_CURSOR
from services.operation.problems import Problem, Text
from services.readmodels.moment import Archive, Cut, Known, Live, Moment

_FREE = frozenset({"cursor", "limit", "after", "as_of", "known_at", "archive_revision"})
"""Parameters that a later page may state otherwise: the cursor has its own pair."""

type Key = Sequence[str | int | float | None]
"""The sort key of the last item of a page."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a cursor belongs to: who asks, and the question without its page."""

    identity: str
    path: str
    query: Iterable[tuple[str, str]]

    @property
    def digest(self) -> bytes:
        """The same for the same question of the same reader."""
        asked = sorted((name, value) for name, value in self.query if name not in _FREE)
        text = msgspec.json.encode([self.identity, self.path, asked])
        return hashlib.blake2b(text, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Answered:
    """A pair that was answered for: what is stated of it, and what it means."""

    moment: Moment
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pair of the first page, which every later page answers for."""

    moment: Moment
    known_at: datetime
    last: Key
    earlier: Answered | None = None
    """The pair it is compared with, where two are."""


class _Pair(msgspec.Struct, array_like=True):
    as_of: datetime
    known_at: datetime
    revision: int | None
    ends: bytes | None
    time: datetime | None


# Each number has its fixed room: how long a cursor is must not tell how much others sent.
_ENDS = struct.Struct(f">{SLOTS + 1}Q")


class _Sealed(msgspec.Struct, array_like=True):
    epoch: int
    bound: bytes
    realm: str
    pair: _Pair
    earlier: _Pair | None
    last: list[str | int | float | None]


class Cursors:
    """Seals and opens the cursors of one epoch."""

    def __init__(self, secret: bytes, *, epoch: int) -> None:
        self._fernet = Fernet(secret)
        self._epoch = epoch

    def seal(self, bound: Bound, pinned: Pinned) -> str:
        """The place after `pinned.last`, as an opaque text."""
        earlier = pinned.earlier
        sealed = _Sealed(
            self._epoch,
            bound.digest,
            pinned.moment.realm,
            _pair(Answered(pinned.moment, pinned.known_at)),
            _pair(earlier) if earlier else None,
            list(pinned.last),
        )
        return self._fernet.encrypt(msgspec.msgpack.encode(sealed)).decode().rstrip("=")

    def open(self, cursor: str, bound: Bound) -> Pinned:
        """Where the list goes on, and for which pair.

        Raises:
            Problem: 400; not ours, another reader's, another question's, or of another epoch.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            content = self._fernet.decrypt(padded.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError, ValueError):
            raise _bad("ไม่ใช่เคอร์เซอร์ของเครือข่ายนี้", "not a cursor of this network") from None
        try:
            sealed = msgspec.msgpack.decode(content, type=_Sealed)
        except msgspec.ValidationError:
            # Position tokens are sealed with the same secret.
            raise _bad("ไม่ใช่เคอร์เซอร์", "another kind of token") from None
        if sealed.epoch != self._epoch:
            raise _bad("เคอร์เซอร์มาจากก่อนการกู้คืน", "of an epoch before a restore: ask anew")
        if sealed.bound != bound.digest:
            raise _bad("เคอร์เซอร์เป็นของคำถามหรือผู้ถามอื่น", "of another question or another reader")
        answered = _answered(sealed.pair, sealed.realm)
        earlier = _answered(sealed.earlier, sealed.realm) if sealed.earlier else None
        return Pinned(answered.moment, answered.known_at, sealed.last, earlier)


def _pair(answered: Answered) -> _Pair:
    moment = answered.moment
    cut = moment.known
    assert not isinstance(cut, Live)  # noqa: S101 -- a page's pair is pinned before it is sealed
    return _Pair(
        moment.as_of,
        answered.known_at,
        cut.revision if isinstance(cut, Archive) else None,
        _ENDS.pack(*cut.ends) if isinstance(cut, Cut) else None,
        cut.time,
    )


def _answered(sealed: _Pair, realm: str) -> Answered:
    return Answered(Moment(sealed.as_of, _known(sealed), realm), sealed.known_at)


def _known(sealed: _Pair) -> Known:
    time = sealed.time or sealed.known_at
    if sealed.ends is not None:
        return Cut(time, _ENDS.unpack(sealed.ends))
    return Archive(time, sealed.revision or 0)


def _bad(th: str, en: str) -> Problem:
    return Problem(BAD_CURSOR, Text(th, en))
