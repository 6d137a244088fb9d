"""A request's body, whole: bounded in size, in pace and in what all bodies of the process hold."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import zstandard

from services.ingest.content import Content
from services.ingest.refusals import BODY_MALFORMED, TOO_SLOW
from services.operation.problems import BODY_TOO_LARGE, Problem, Text, unavailable

type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_BODY_BYTES = 16 * 1024 * 1024
IN_FLIGHT_BYTES = 64 * 1024 * 1024

_STEP = 64 * 1024
# A zstd block of 4 bytes makes up to 128 KiB, so 512 bytes in make at most 16 MiB out.
_ZSTD_STEP = 512
_ZSTD_WINDOW = 8 * 1024 * 1024
_CLOSE = {"Connection": "close"}


class ClientLeft(Exception):
    """The client closed the connection before its body was whole; nobody waits for an answer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a body may be: 1 kB/s after a first patience, for 15 minutes in all."""

    bytes_per_second: float = 1_000.0
    patience_seconds: float = 30.0
    longest_seconds: float = 15 * 60.0

    def deadline(self, received: int) -> float:
        """Seconds after its beginning at which a body that has this many bytes is cut off."""
        earned = self.patience_seconds + received / self.bytes_per_second
        return min(earned, self.longest_seconds)


PACE = Pace()


class InFlight:
    """What the bodies of this process hold together, in bytes."""

    def __init__(self, limit: int = IN_FLIGHT_BYTES) -> None:
        self._limit = limit
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def expect(self, size: int) -> None:
        """There is room for a body of this size, as far as one can know before reading it.

        Raises:
            Problem: there is none; nothing was read.
        """
        if self._held + size > self._limit:
            raise self._full()

    @contextmanager
    def account(self) -> "Iterator[Share]":
        """A body's share, given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.held

    def take(self, size: int) -> None:
        """Hold this much more.

        Raises:
            Problem: the process would hold more than its limit.
        """
        if self._held + size > self._limit:
            raise self._full()
        self._held += size

    def _full(self) -> Problem:
        return unavailable(
            Text(
                "ขณะนี้มีเนื้อหาเข้ามามากเกินไป โปรดส่งใหม่ภายหลัง",
                "Too much is coming in at the moment: send the same again after a while",
            ),
            retry_after_seconds=2,
        )


@dataclass
class Share:
    """What one body holds of the process's room."""

    room: InFlight
    held: int = 0

    def take(self, size: int) -> None:
        """Hold this much more.

        Raises:
            Problem: the process has no room for it.
        """
        self.room.take(size)
        self.held += size


async def read_body(receive: Receive, content: Content, share: Share, *, pace: Pace) -> bytes:
    """The body as the centre wrote it, decompressed.

    Raises:
        Problem: it is too large, too slow, not of its coding, or the process has no room.
        ClientLeft: the connection ended first.
    """
    if content.length is not None:
        if content.length > MAX_BODY_BYTES:
            raise _too_large()
        share.room.expect(content.length)
    body = await _received(receive, share, pace)
    if content.coding == "identity":
        return body
    whole = BytesIO()
    for piece in _decompressed(body, content.coding, share):
        whole.write(piece)
    return whole.getvalue()


async def _received(receive: Receive, share: Share, pace: Pace) -> bytes:
    loop = asyncio.get_running_loop()
    began = loop.time()
    # Grows in place and hands over what it holds: pieces joined would be the body twice.
    whole = BytesIO()
    received = 0
    while True:
        try:
            async with asyncio.timeout_at(began + pace.deadline(received)):
                message = await receive()
        except TimeoutError:
            raise _too_slow(pace) from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if chunk := message.get("body", b""):
            received += len(chunk)
            if received > MAX_BODY_BYTES:
                raise _too_large()
            share.take(len(chunk))
            whole.write(chunk)
        if not message.get("more_body", False):
            return whole.getvalue()


def _decompressed(body: bytes, coding: str, share: Share) -> Iterator[bytes]:
    """The pieces that come out; a bomb is refused after the limit, having cost one piece more."""
    out = 0
    pieces = _gunzipped(body) if coding == "gzip" else _unzstandard(body)
    try:
        for piece in pieces:
            out += len(piece)
            if out > MAX_BODY_BYTES:
                raise _too_large()
            share.take(len(piece))
            yield piece
    except (zlib.error, zstandard.ZstdError):
        raise _not_of_coding(coding) from None


def _gunzipped(body: bytes) -> Iterator[bytes]:
    while body:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(body, _STEP)
            body = member.unused_data if member.eof else member.unconsumed_tail
            if not piece and not member.eof and not body:
                raise _not_of_coding("gzip")
            yield piece


def _unzstandard(body: bytes) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = context.decompressobj()
    view = memoryview(body)
    while view:
        if frame.eof:
            frame = context.decompressobj()
        step, view = view[:_ZSTD_STEP], view[_ZSTD_STEP:]
        yield frame.decompress(step)
        if frame.eof and frame.unused_data:
            rest = len(frame.unused_data)
            view = memoryview(body)[len(body) - len(view) - rest :]
    if not frame.eof:
        raise _not_of_coding("zstd")


def _too_large() -> Problem:
    return Problem(
        BODY_TOO_LARGE,
        Text(
            "เนื้อหามีได้ไม่เกิน 16 MiB นับหลังคลายการบีบอัดด้วย แบ่งเป็นหลายคำขอ",
            "A body has at most 16 MiB, also after decompression: send several requests",
        ),
        headers=_CLOSE,
    )


def _too_slow(pace: Pace) -> Problem:
    rate, minutes = f"{pace.bytes_per_second:.0f}", f"{pace.longest_seconds / 60:.0f}"
    return Problem(
        TOO_SLOW,
        Text(
            f"ส่งให้เร็วกว่า {rate} ไบต์ต่อวินาที และให้จบใน {minutes} นาที หรือแบ่งส่งทีละน้อย",
            f"Send faster than {rate} bytes a second and end within {minutes} minutes; "
            f"send less at a time",
        ),
        headers=_CLOSE,
    )


def _not_of_coding(coding: str) -> Problem:
    return Problem(
        BODY_MALFORMED,
        Text(f"เนื้อหาไม่ใช่ {coding} ที่สมบูรณ์", f"The body is not whole {coding}"),
        headers={"Accept-Encoding": "gzip, zstd"},
    )
