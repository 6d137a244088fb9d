"""Centres that speak while things break: seeded, stubborn, and keeping their own record."""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import asyncpg
import httpx

from schemas.events.registry import DepartmentRegistered
from services.eventlog.store import Decision, DecisionStore, StoreUnavailable
from tests.faults.oracle import Acknowledged, Json
from tests.faults.system import NATIONAL, PROVINCES, RARELY_HEARD, System, new_event, silences

SHARED = "flood-of-all"
_FIGURES = ("dead", "injured", "missing", "displaced", "households")
_BATCH = "application/cloudevents-batch+json"
_PATIENCE_SECONDS = 180
LARGE = 40
"""So many events make a request large."""

_LATE = timedelta(hours=6)
ENOUGH = {
    "requests": 60,
    "duplicates": 30,
    "contradictions": 5,
    "decisions": 10,
    "silences": 2,
    "reads": 20,
}
"""How much must have happened before a load is worth judging."""
_READERS = 3
_QUIET_SECONDS = 6
"""How long a centre that is rarely heard says nothing at most; it owes a sign of life sooner."""
_READ_SECONDS = 8
_AGO = timedelta(seconds=1)
"""Readers ask for what was known then: under load the models are seldom further."""


@dataclass
class Centre:
    """A centre's events to come, by its own dice; ids and times never repeat by chance."""

    name: str
    province: str
    dice: random.Random
    said: list[Json] = field(default_factory=list)
    owed: list[Json] = field(default_factory=list)
    """Originals whose correction is sent before them."""
    opened: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def source(self) -> str:
        """What it calls itself in its events."""
        return "/centres/" + self.name.replace(":", "/")

    def request(self) -> list[Json]:
        """The events of the next request: new ones, doubles, and what was owed."""
        size = self.dice.choice([1, 2, 5, 10, 40])
        owed, self.owed = self.owed, []
        events = [*owed, *(self._next() for _ in range(size))]
        self.said += events
        return events

    def _next(self) -> Json:
        if self.said and self.dice.random() < 0.10:
            return self.dice.choice(self.said)
        if self.said and self.dice.random() < 0.02:
            return self._contradicting()
        made = (self._report, self._report, self._incident, self._version, self._heartbeat)
        return self.dice.choices(made, weights=(50, 20, 8, 10, 2))[0]()

    def _event(self, type_: str, data: Json, **attributes: str) -> Json:
        number = next(self._numbers)
        # A microsecond of its own for each: no two events of a centre ever tie.
        time = datetime.now(UTC).replace(microsecond=number % 1_000_000)
        late = _LATE * self.dice.random() if self.dice.random() < 0.3 else timedelta()
        return {
            "specversion": "1.0",
            "id": f"{type_.split('.')[0]}-{number}",
            "source": self.source,
            "type": type_,
            "time": (time - timedelta(seconds=round(late.total_seconds()))).isoformat(),
            "subject": f"provinces/{self.province}",
            "data": data,
            **attributes,
        }

    def _stated(self) -> Json:
        names = self.dice.sample(_FIGURES, self.dice.randint(1, 3))
        incident = self.dice.choice([SHARED, *self.opened[-3:]])
        return {
            "incident": incident,
            "place": self.province,
            **{name: self.dice.randrange(10_000) for name in names},
        }

    def _report(self) -> Json:
        return self._event("situation.reported.v1", self._stated())

    def _heartbeat(self) -> Json:
        return self._event("heartbeat.sent.v1", {"status": "ok"})

    def _incident(self) -> Json:
        if self.opened and self.dice.random() < 0.6:
            incident = self.dice.choice(self.opened)
            verb = self.dice.choice(["updated", "closed"])
            data = {"severity": "severe"} if verb == "updated" else {"reason": "over"}
            return self._event(f"incident.{verb}.v1", {"incident": incident, **data})
        incident = f"{self.province}.{len(self.opened) + 1}"
        self.opened.append(incident)
        return self._event("incident.opened.v1", opening(incident, [self.province]))

    def _version(self) -> Json:
        """A correction or a withdrawal; of a report to come as often as of one that is there."""
        reports = [event for event in self.said if event["type"] == "situation.reported.v1"]
        if not reports or self.dice.random() < 0.5:
            original = self._report()
            self.owed.append(original)
        else:
            original = self.dice.choice(reports)
        if self.dice.random() < 0.2:
            withdrawn = {"reason": "an error"}
            return self._event("event.withdrawn.v1", withdrawn, originalid=original["id"])
        corrected = {**original["data"], "dead": self.dice.randrange(10_000)}
        data = {
            "corrected_type": original["type"],
            "corrected_data": corrected,
            "reason": "counted again",
        }
        return self._event("event.corrected.v1", data, originalid=original["id"])

    def _contradicting(self) -> Json:
        """Other content under an id that is taken."""
        reports = [event for event in self.said if event["type"] == "situation.reported.v1"]
        if not reports:
            return self._report()
        return {**self.dice.choice(reports), "data": self._stated()}


def opening(incident: str, provinces: Sequence[str]) -> Json:
    """The data that open an incident."""
    return {
        "incident": incident,
        "hazard": "flood",
        "title_th": "น้ำท่วม",
        "severity": "moderate",
        "provinces": list(provinces),
    }


@dataclass(frozen=True)
class Answer:
    """A situation as the gateway told it, and the pair it stated."""

    province: str
    as_of: datetime
    known_at: datetime
    body: Json


@dataclass
class Load:
    """All the clients of one storm."""

    system: System
    seed: int
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    large_begins: asyncio.Event = field(default_factory=asyncio.Event)
    """Wakes those who wait whenever a request of many events is sent."""
    taken: int = 0
    """Requests that the door answered with 202."""
    duplicates: int = 0
    contradictions: int = 0
    """Events that were taken before, the same or with other content, as the door told."""
    refusals: int = 0
    """Answers that the log is away, and connections that broke."""
    answers: list[Answer] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)
    """Reads without an answer, or with one that there is none, by why."""

    async def run(self) -> None:
        """Everybody speaks until it is stopped, and all that was said is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for place, province in enumerate(PROVINCES):
                centre = Centre(f"poc:{province}", province, random.Random(self.seed + place))
                group.create_task(self._speak(centre))
            group.create_task(self._decide())
            for first in range(_READERS):
                group.create_task(self._read(PROVINCES[first:] + PROVINCES[:first]))

    async def is_enough(self) -> bool:
        """So much happened of everything that it can be judged."""
        happened = {
            "requests": self.taken,
            "duplicates": self.duplicates,
            "contradictions": self.contradictions,
            "decisions": len(self.acknowledged.decisions),
            "reads": len(self.answers),
            "silences": await silences(self.system),
        }
        return all(happened[name] >= enough for name, enough in ENOUGH.items())

    async def open_shared_incident(self) -> None:
        """The incident that every province reports on is open."""
        await self._say_of_all("incident.opened.v1", opening(SHARED, PROVINCES))

    async def give_sign_of_life(self) -> None:
        """The ministry is heard: while anything arrives, the clock of silence is told often."""
        await self._say_of_all("heartbeat.sent.v1", {"status": "ok"})

    @cached_property
    def _ministry(self) -> Centre:
        return Centre(NATIONAL, "TH", random.Random(self.seed))

    async def _say_of_all(self, type_: str, data: Json) -> None:
        event = self._ministry._event(type_, data)
        event.pop("subject")
        await self.say(self._ministry, [event])

    async def _speak(self, centre: Centre) -> None:
        while not self.stopping.is_set():
            await self.say(centre, centre.request())
            longest = _QUIET_SECONDS if centre.province in RARELY_HEARD else 0.5
            await self._pause(centre.dice.uniform(0.1, longest))
        if centre.owed:
            await self.say(centre, centre.owed)

    async def _pause(self, seconds: float) -> None:
        """The pace of the load: ends early when the load does."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    async def say(self, centre: Centre, events: list[Json]) -> None:
        """Send the same events until they are acknowledged, and write down what was."""
        headers = {
            "Authorization": f"Bearer {self.system.token(centre.name)}",
            "Content-Type": _BATCH,
        }
        body = json.dumps(events).encode()

        async def post() -> httpx.Response:
            if len(events) >= LARGE:
                self.large_begins.set()
                self.large_begins.clear()
            return await self.system.client.post(
                f"{self.system.door}/v1/events", content=body, headers=headers
            )

        answer, refusals = await answered(post)
        self.refusals += refusals
        # 422: all of the request contradicts what was taken before; `_note` looks at each reason.
        assert answer.status_code in (202, 422), f"{answer.status_code}: {answer.text}"
        self._note(events, answer.json())

    def _note(self, events: list[Json], answer: Json) -> None:
        refused = {line["index"]: line["problem"] for line in answer["rejected"]}
        for problem in refused.values():
            assert problem["type"].endswith("conflict"), problem
        taken = [event for index, event in enumerate(events) if index not in refused]
        assert answer["accepted"] + answer["duplicates"] == len(taken), answer
        self.acknowledged.events += taken
        self.taken += 1
        self.duplicates += answer["duplicates"]
        self.contradictions += len(refused)

    async def _decide(self) -> None:
        """Somebody registers departments, so that the relay has something to carry."""
        async with asyncpg.create_pool(self.system.dsn, min_size=0, max_size=2) as pool:
            store = DecisionStore(pool)
            try:
                for number in itertools.count(1):
                    if self.stopping.is_set():
                        return
                    await self._register(store, number)
                    await self._pause(0.3)
            finally:
                await store.close()

    async def _register(self, store: DecisionStore, number: int) -> None:
        registered = DepartmentRegistered(
            department=f"d{number}", ministry="moi", name_th="กรม", source="test"
        )
        new = new_event(registered, id_=f"department-{number}")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    done = await store.append(Decision(f"department/{number}", 0, [new]))
                except StoreUnavailable:
                    await asyncio.sleep(0.2)
                    continue
                assert done.verdict in ("appended", "duplicate"), done
                self.acknowledged.decisions.append((new.envelope.source, new.envelope.id))
                return

    async def _read(self, provinces: Sequence[str]) -> None:
        """Somebody reads all the time: an answer, or a clear word that there is none."""
        headers = {"Authorization": f"Bearer {self.system.token('pm')}"}
        for province in itertools.cycle(provinces):
            if self.stopping.is_set():
                return
            known_at = (datetime.now(UTC) - _AGO).isoformat()
            try:
                answer = await self.system.client.get(
                    f"{self.system.gateway}/v1/provinces/{province}/situation",
                    params={"known_at": known_at},
                    headers=headers,
                    timeout=_READ_SECONDS,
                )
            except httpx.TransportError as broken:
                self.unanswered[type(broken).__name__] += 1
            else:
                assert answer.status_code in (200, 503), answer.text
                if answer.status_code == 200:
                    self.answers.append(_answer(province, answer))
                else:
                    self.unanswered[answer.json()["type"]] += 1
            await self._pause(0.1)


async def answered(
    send: Callable[[], Awaitable[httpx.Response]],
) -> tuple[httpx.Response, int]:
    """Sent again until it is answered; and how often it was not.

    A connection that broke leaves nobody knowing, and 503 says that something is away.
    """
    refusals = 0
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                answer = await send()
            except httpx.TransportError:
                pass
            else:
                if answer.status_code != 503:
                    return answer, refusals
                assert "retry-after" in answer.headers, answer.text
            refusals += 1
            await asyncio.sleep(0.2)


def _answer(province: str, answer: httpx.Response) -> Answer:
    as_of, known_at = (
        datetime.fromisoformat(answer.headers[name]) for name in ("Kamkap-As-Of", "Kamkap-Known-At")
    )
    return Answer(province, as_of, known_at, answer.json())
