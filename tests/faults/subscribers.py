"""Who is told of directives by webhook while things break: one well, one slow, one that fails."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Response

from tests.dispatcher.receiving import Receiver, hangup, ok, receiving
from tests.faults.offices import Offices
from tests.faults.oracle import Json

_LATE_SECONDS = 1.0
_WELL = {"well": 1}
_SLOW = {"well": 1, "late": 1}
_FAILING = {"well": 11, "broken": 3, "elsewhere": 2, "garbage": 2, "silent": 2, "late": 2}


@dataclass
class Subscriber:
    """One identity's own system, with its log of all that came."""

    identity: str
    addressee: str | None
    """Whose notices are its own; None: it oversees and is told all."""
    receiver: Receiver
    came: asyncio.Event
    """Wakes those who wait whenever a message came, before it is answered."""
    dice: random.Random
    moods: Mapping[str, int]
    """How likely it answers in which way."""
    issues: Counter[str] = field(default_factory=Counter)
    """How it answered those."""
    id: str = field(default="", init=False)
    """Of its subscription."""

    async def subscribe(self, offices: Offices) -> None:
        """It is told of whatever is decided from now on."""
        self.receiver.answer = self._answer
        answer = await offices.post(self.identity, "subscriptions", {"url": self.receiver.url})
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]
        self.receiver.secrets.append(answer.json()["secret"])

    async def begin_again(self, offices: Offices) -> None:
        """It is well from now on and says so: what waits for its next turn comes at once."""
        self.moods = _WELL
        answer = await offices.post(self.identity, f"subscriptions/{self.id}/enable", None)
        assert answer.status_code == 202, answer.text

    async def _answer(self, event: Json) -> Response:
        self.came.set()
        self.came.clear()
        (mood,) = self.dice.choices(tuple(self.moods), tuple(self.moods.values()))
        self.issues[mood] += event["data"]["change"] == "issued"
        match mood:
            case "broken":
                return Response("no", status_code=500)
            case "elsewhere":
                return Response(status_code=302, headers={"location": "/elsewhere"})
            case "garbage":
                return Response(self.dice.randbytes(64), status_code=418)
            case "silent":
                return hangup()
            case "late":
                await asyncio.sleep(_LATE_SECONDS)
        return ok(event)


@asynccontextmanager
async def open_subscribers(seed: int) -> AsyncIterator[Sequence[Subscriber]]:
    """The Prime Minister's system and two provinces'."""
    came = asyncio.Event()
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiving()) for _ in range(3)]
        dice = random.Random(seed)
        yield [
            Subscriber("pm", None, receivers[0], came, dice, _WELL),
            Subscriber("poc:TH-81", "TH-81", receivers[1], came, dice, _SLOW),
            Subscriber("poc:TH-82", "TH-82", receivers[2], came, dice, _FAILING),
        ]


def moods(subscribers: Sequence[Subscriber]) -> Counter[str]:
    """How often an issue was answered in which way; `failing` is all that took it not in."""
    told = sum((one.issues for one in subscribers), Counter[str]())
    return told + Counter(failing=told.total() - told["well"] - told["late"])
