"""Offices that direct and answer while things break: seeded, stubborn, with a record of their own.

A secretariat drafts, its deputy issues, provinces answer or do not, some is withdrawn. Every
decision has one Idempotency-Key and is sent under it until there is an answer.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import httpx

from schemas.events import EventModel
from schemas.events.order import Assignment, DeputyRegistered, OrderIssued, TenureRegistered
from services.eventlog.connection import LOST
from tests.faults.directive_oracle import Said
from tests.faults.load import answered
from tests.faults.oracle import Json
from tests.faults.system import PROVINCES, System

DEPUTY, SECRETARIAT = "deputy:a", "secretariat:a"
ENOUGH = {"decided": 80, "withdrawn": 3, "overdue": 3, "reminded": 3, "delivered": 3}
"""How much must have happened before it is worth judging."""
_DESKS = 6
_DIRECTED = PROVINCES[:4]
_SOON_SECONDS = 2, 5
"""After so long something is due, where it is urgent: a storm sees it pass."""
_CLOCKS = {"acknowledge_seconds": 600, "report_seconds": 900, "reminder_percent": 1}
"""Where it is not, no storm sees that, and everybody is reminded after some seconds."""

# What follows an issue, by whose hand: `poc` is the addressee's. The rest is never answered.
_COMPLIED = (("poc", "acknowledge"), ("poc", "begin"), ("poc", "report"), (DEPUTY, "accept"))
_RETURNED = (("poc", "acknowledge"), ("poc", "report"), (DEPUTY, "return"))
_ANEW = (*_RETURNED, ("poc", "report"), (DEPUTY, "accept"))
_NOTED = (("poc", "acknowledge"),)
_OBJECTED = (("poc", "object"),)
_LIVES = {
    "order": (_COMPLIED, _RETURNED, _ANEW, _NOTED, _OBJECTED, ()),
    "report": (_COMPLIED, _RETURNED, _ANEW, _NOTED, _OBJECTED, ()),
    "advice": (_NOTED, ()),
}
_DONE = (_COMPLIED, _ANEW)
# What each step is called once it is taken, where the addressee stands then, and how it is worded.
_STEPS: Final = {
    "acknowledge": ("acknowledged", "acknowledged", None),
    "object": ("objected", "objected", "reason"),
    "begin": ("begun", "in_progress", "note"),
    "report": ("reported", "reported", "report"),
    "accept": ("complied", "complied", None),
    "return": ("returned", "returned", "reason"),
}

type Life = Sequence[tuple[str, str]]


@dataclass
class Offices:
    """All who decide in one storm."""

    system: System
    seed: int
    said: list[Said] = field(default_factory=list)
    """What they were told is decided."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    sends: asyncio.Event = field(default_factory=asyncio.Event)
    """Wakes those who wait whenever a decision is sent."""
    falls_due: asyncio.Event = field(default_factory=asyncio.Event)
    """Wakes those who wait whenever what is urgent has fallen due."""
    refusals: int = 0
    """Answers that something is away, and connections that broke."""
    _keys: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def run(self) -> None:
        """Everybody decides until it is stopped, and all that was sent is answered."""
        async with asyncio.TaskGroup() as group:
            for desk in range(_DESKS):
                group.create_task(self._direct(desk, random.Random(self.seed + desk)))

    async def is_enough(self) -> bool:
        """So much happened of everything that it can be judged."""
        happened = {
            "decided": len(self.said),
            "withdrawn": sum(one.type == "directive.withdrawn.v1" for one in self.said),
            **await _stated(self.system),
        }
        return all(happened[name] >= enough for name, enough in ENOUGH.items())

    async def set_clocks(self) -> None:
        """The Prime Minister has said how long whoever is not told otherwise has."""
        since = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
        body = _CLOCKS | {"level_seconds": 86_400, "levels": [], "source": "test"}
        answer = await self.post("pm", "clocks", body | {"valid_from": since})
        assert answer.status_code == 201, answer.text

    async def post(self, identity: str, path: str, body: Json | None) -> httpx.Response:
        """The answer, after as many tries under one key as it takes."""
        headers = {
            "Authorization": f"Bearer {self.system.token(identity)}",
            "Idempotency-Key": f"storm-{next(self._keys)}",
        }

        async def send() -> httpx.Response:
            _wake(self.sends)
            address = f"{self.system.gateway}/v1/{path}"
            return await self.system.client.post(address, json=body, headers=headers)

        answer, refusals = await answered(send)
        self.refusals += refusals
        return answer

    async def _direct(self, desk: int, dice: random.Random) -> None:
        for number in itertools.count(1):
            if self.stopping.is_set():
                return
            await Matter(self, f"d{desk}-{number}", dice).run()
            await asyncio.sleep(dice.uniform(0, 0.3))


@dataclass
class Matter:
    """One directive from its draft on, as the dice have it."""

    offices: Offices
    id: str
    dice: random.Random
    _drafts: int = 0

    async def run(self) -> None:
        """All that its offices decide of it is decided."""
        dice = self.dice
        kind = dice.choice(sorted(_LIVES))
        lives = {to: dice.choice(_LIVES[kind]) for to in dice.sample(_DIRECTED, dice.randint(1, 3))}
        soon = dice.uniform(*_SOON_SECONDS) if dice.random() < 0.6 else None
        await self._draft(kind, list(lives), soon)
        end = dice.choice(("dropped", "at once", "later", "later", *["none"] * 6))
        if end == "dropped":
            await self._withdraw("draft")
            return
        await self._issue(kind, list(lives), soon)
        if end == "at once":
            await self._withdraw("open")
            return
        seeds = [dice.random() for _ in lives]
        async with asyncio.TaskGroup() as group:
            for (to, life), seed in zip(lives.items(), seeds, strict=True):
                group.create_task(self._live(to, life, random.Random(seed)))
        done = (*_DONE, _NOTED) if kind == "advice" else _DONE
        if end == "later" and not all(life in done for life in lives.values()):
            await self._withdraw("open")

    async def _draft(self, kind: str, to: list[str], soon: float | None) -> None:
        self._drafts += 1
        text = f"{self.id}/{self._drafts}"
        body = {"directive": self.id, "deputy": "a", "kind": kind, "title_th": "ฝึก",
                "text_th": text, "addressees": to}  # fmt: skip
        if soon is not None:
            now = datetime.now(UTC)
            body["acknowledge_by"] = (now + timedelta(seconds=soon)).isoformat()
            body["report_by"] = (now + timedelta(seconds=2 * soon)).isoformat()
            asyncio.get_running_loop().call_later(soon, _wake, self.offices.falls_due)
        answer = await self.offices.post(SECRETARIAT, "directives", body)
        assert answer.status_code == 201, answer.text
        self._note("drafted", SECRETARIAT, text=text)

    async def _issue(self, kind: str, to: list[str], soon: float | None) -> None:
        """Issued; where it came too late for what its draft says is due, it is drafted anew."""
        while True:
            answer = await self.offices.post(DEPUTY, f"directives/{self.id}/issue", {})
            if answer.status_code == 200:
                break
            assert answer.status_code == 409, answer.text
            assert answer.json()["rule"] == "due-in-the-past", answer.text
            await self._draft(kind, to, soon)
        assert answer.json()["state"] == "open", answer.text
        self._note("issued", DEPUTY)

    async def _live(self, to: str, life: Life, dice: random.Random) -> None:
        for nth, (whose, step) in enumerate(life):
            await asyncio.sleep(dice.uniform(0, 2))
            by = f"poc:{to}" if whose == "poc" else whose
            type_, standing, worded = _STEPS[step]
            text = f"{self.id}/{to}/{nth}" if worded else None
            body = {"addressee": to} | ({worded: text} if worded else {})
            answer = await self.offices.post(by, f"directives/{self.id}/{step}", body)
            assert answer.status_code == 200, answer.text
            assert {"addressee": to, "state": standing} in answer.json()["addressees"], answer.text
            self._note(type_, by, to=to, text=text)

    async def _withdraw(self, phase: str) -> None:
        reason = f"{self.id}/{phase}"
        answer = await self.offices.post(
            DEPUTY, f"directives/{self.id}/withdraw", {"reason": reason}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "withdrawn", answer.text
        self._note("withdrawn", DEPUTY, text=reason)

    def _note(self, type_: str, by: str, *, to: str | None = None, text: str | None = None) -> None:
        self.offices.said.append(Said(f"directive.{type_}.v1", self.id, by, to, text))


def _wake(event: asyncio.Event) -> None:
    event.set()
    event.clear()


def deputies() -> list[EventModel]:
    """A deputy who holds every province, by an order of today."""
    now = datetime.now(UTC)
    given = [
        Assignment(dimension="area", target=code, deputy="a", power="area") for code in PROVINCES
    ]
    return [
        DeputyRegistered(deputy="a", name_th="รองนายกรัฐมนตรี", source="test"),
        TenureRegistered(
            tenure="a.1",
            deputy="a",
            office="deputy_pm",
            valid_from=(now - timedelta(days=2)).date(),
            source="test",
        ),
        OrderIssued(number="1/2569", effective_from=now, clauses=given, source="test"),
    ]


async def _stated(system: System) -> dict[str, int]:
    """How much the network itself has stated of directives, as far as it is applied."""
    try:
        connection = await asyncpg.connect(system.dsn)
    except LOST:
        return {"overdue": 0, "reminded": 0, "delivered": 0}
    try:
        (row,) = await connection.fetch(
            "SELECT count(*) FILTER (WHERE step = 'overdue') AS overdue, "
            "count(*) FILTER (WHERE step = 'reminded') AS reminded, "
            "(SELECT count(*) FROM directives.steps WHERE step = 'delivered') AS delivered "
            "FROM directives.stated"
        )
    finally:
        await connection.close()
    return dict(row)
