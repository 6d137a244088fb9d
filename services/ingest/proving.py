"""Checks signatures for a door, as a process of its own: `python -m services.ingest.proving`.

A signature costs a tenth of a millisecond and holds Python's lock meanwhile, so the door could take
nothing else in. Frames come on stdin until it ends; each is answered with a byte per claim.
"""

import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from services.domain.ed25519 import Claim, holds

LENGTH_BYTES = 4
"""Before each frame: how long it is, big-endian."""

_DECODER = msgspec.msgpack.Decoder(list[Claim])


def frame_of(claims: Sequence[Claim]) -> bytes:
    """The claims as they go to the process."""
    content = msgspec.msgpack.encode(claims)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def judged(claims: Sequence[Claim]) -> bytes:
    """A byte for each claim: 1 when it holds."""
    return bytes(map(holds, claims))


def serve(frames: BinaryIO, answers: BinaryIO) -> None:
    """Every frame is answered; returns when there are no more."""
    while len(length := frames.read(LENGTH_BYTES)) == LENGTH_BYTES:
        content = frames.read(int.from_bytes(length, "big"))
        answers.write(judged(_DECODER.decode(content)))
        answers.flush()


if __name__ == "__main__":
    # Who stops the door from a terminal stops its whole group; the door still needs its answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
