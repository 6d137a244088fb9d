"""Signatures at the door: a few are checked at once, many in processes beside it.

The processes are started when they are first needed, and end with the door, however it ends.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

import structlog

from services.domain.ed25519 import Claim
from services.domain.rejected import Rejected
from services.domain.signatures import SignatureInvalid, claimed
from services.domain.signing import Keys
from services.ingest.proving import frame_of, judged
from services.ingest.reading import Refused, Stated
from services.ingest.refusals import of_rule
from services.operation.logs import describe

type Indexed = tuple[int, Stated]
"""An event and its place in the request."""

FEW = 16
"""So many signatures are checked in the door itself: less than two milliseconds."""

_AT_ONCE = 125
_MOST_PROCESSES = 4
_STOP_SECONDS = 5.0
_GONE = (OSError, asyncio.IncompleteReadError)

logger = structlog.get_logger()


def _processes() -> int:
    return min(os.cpu_count() or 1, _MOST_PROCESSES)


@dataclass
class Verifiers:
    """Where one process's doors have signatures checked."""

    most: int = field(default_factory=_processes)
    idle: list[asyncio.subprocess.Process] = field(default_factory=list)
    """Processes that wait for work."""
    _places: asyncio.Semaphore | None = None

    async def refused(self, events: Sequence[Indexed], keys: Keys) -> dict[int, Refused]:
        """Those that are not signed as they have to be. A wrong signature is always refused.

        An event without a signature, of a centre that need not sign, costs one look at it.
        """
        refused: dict[int, Refused] = {}
        signed: dict[int, tuple[Claim, ...]] = {}
        for index, stated in events:
            envelope = stated.envelope
            if envelope.dssematerial is None and not keys.required:
                continue
            if envelope.dssematerial is None and not keys.requires(envelope.time):
                continue
            try:
                _, claims = claimed(envelope, stated.data, keys, at=envelope.time)
            except Rejected as rejected:
                refused[index] = Refused(envelope.id, of_rule(rejected))
                continue
            signed[index] = claims
        if signed:
            wrong = await self._wrong(signed)
            refused.update(
                (index, Refused(stated.envelope.id, of_rule(SignatureInvalid("signature"))))
                for index, stated in events
                if index in wrong
            )
        return refused

    async def close(self) -> None:
        """No process is left; what they were asked has been answered."""
        for process in self.idle:
            await _stop(process)
        self.idle.clear()

    async def _wrong(self, signed: Mapping[int, tuple[Claim, ...]]) -> frozenset[int]:
        """Of which events no claim holds."""
        asked = [(index, claim) for index, claims in signed.items() for claim in claims]
        answers = await self.judged([claim for _, claim in asked])
        right = {index for (index, _), held in zip(asked, answers, strict=True) if held}
        return frozenset(signed.keys() - right)

    async def judged(self, claims: Sequence[Claim]) -> bytes:
        """A byte for each claim: 1 when it holds."""
        if len(claims) <= FEW:
            return judged(claims)
        parts = [list(part) for part in batched(claims, _AT_ONCE)]
        return b"".join(await asyncio.gather(*map(self._asked, parts)))

    async def _asked(self, claims: Sequence[Claim]) -> bytes:
        self._places = self._places or asyncio.Semaphore(self.most)
        async with self._places:
            try:
                process = self._waiting() or await _start()
                answers = await _ask(process, claims)
            except _GONE as gone:
                # Slower and still right: the next ones are checked by a new process.
                logger.warning("verifier_gone", error=describe(gone))
                return judged(claims)
        self.idle.append(process)
        return answers

    def _waiting(self) -> asyncio.subprocess.Process | None:
        while self.idle:
            if (process := self.idle.pop()).returncode is None:
                return process
        return None


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingest.proving",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def _ask(process: asyncio.subprocess.Process, claims: Sequence[Claim]) -> bytes:
    assert process.stdin is not None  # noqa: S101 -- as it was started
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(frame_of(claims))
        await process.stdin.drain()
        return await process.stdout.readexactly(len(claims))
    except BaseException:
        # Cancelled or broken, its next answer would be to another question.
        await _stop(process)
        raise


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None  # noqa: S101 -- as it was started
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
