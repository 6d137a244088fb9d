"""`kamkap exercise`: a whole exercise, inject by inject, through the public door and the API."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from rich.progress import Progress

from services.agent.exercise import REALM, Clock, Inject, injects_of, posted, stated
from services.cli.bar import progress_bar
from services.cli.load import (
    ANSWER_SECONDS,
    NO_CENTRE,
    Door,
    Line,
    RefusedLine,
    Report,
    post,
    print_report,
    said_by,
    send,
)


def _now() -> datetime:
    return datetime.now(UTC)


async def run_exercise(door: Door, file: Path, *, speed: float, run: str | None) -> int:
    """Every inject was made in its time; exit code 1 when one was refused."""
    injects, start = injects_of(file), _now()
    name = run or f"{file.stem}-{start:%Y%m%dT%H%M%S}"
    play = Play(door, Clock(start, speed), name)
    sys.stdout.write(f"รอบ · run {name}, realm={REALM}\n")
    try:
        with progress_bar() as bar:
            await play.all(injects, bar)
    finally:
        # Also when it is broken off: what was injected by then is.
        print_report(play.report)
    return 1 if play.report.refused else 0


@dataclass
class Play:
    """One run of an exercise."""

    door: Door
    clock: Clock
    run: str
    now: Callable[[], datetime] = _now
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    report: Report = field(default_factory=Report)
    decided: str | None = None
    """The position of the last decision; `report` has that of the last event."""

    async def all(self, injects: Sequence[Inject], bar: Progress) -> None:
        """Make each inject when its time has come."""
        task = bar.add_task(self.run, total=len(injects))
        async with httpx.AsyncClient(base_url=self.door.address, timeout=ANSWER_SECONDS) as client:
            for number, inject in enumerate(injects, start=1):
                await self.wait((self.clock.at(inject.at) - self.now()).total_seconds())
                make = self._state if inject.event is not None else self._post
                await make(client, inject, number)
                bar.advance(task)

    async def _state(self, client: httpx.AsyncClient, inject: Inject, number: int) -> None:
        event = stated(inject, number, run=self.run, clock=self.clock)
        token = self.door.token_for(event["source"])
        if token is None:
            self.report.refused.append(RefusedLine(inject.place, event["id"], NO_CENTRE))
            return
        line = Line(inject.place, event["id"], msgspec.json.encode(event))
        await send(client, [line], {"Authorization": f"Bearer {token}"}, self.report)

    async def _post(self, client: httpx.AsyncClient, inject: Inject, number: int) -> None:
        path, body = posted(inject, run=self.run, clock=self.clock)
        key = f"{self.run}-{number}"
        headers = {
            "Authorization": f"Bearer {self.door.token_of(inject.speaker or '')}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        where = f"{path}?realm={REALM}"
        answer = await post(client, where, content=msgspec.json.encode(body), headers=headers)
        if answer.is_success:
            self.report.accepted += 1
            self.decided = said_by(answer).get("position")
        else:
            self.report.refused.append(RefusedLine(inject.place, key, said_by(answer)))
