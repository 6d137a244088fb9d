"""Deadlines on a virtual clock: what is stated of directives, when, and never twice."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import pytest

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from schemas.events.clocks import DirectiveDue, DirectiveEscalated
from schemas.events.directive import (
    Authority,
    DirectiveAcknowledged,
    DirectiveBegun,
    DirectiveDrafted,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveStep,
)
from schemas.ids import Realm
from services.domain import deadlines, directives
from services.domain.directives import DECIDER, Actor, Directive, Mandate
from services.domain.rejected import Rejected
from services.eventlog.store import DecisionStore, StoredEvent
from services.eventlog.transact import transact
from services.projections.rebuild import Rebuild
from services.projections.schemas import ALL
from services.timers.deadlines import DeadlineTimer, Scan
from services.timers.stating import SOURCE
from tests.database import Database
from tests.timers.watch import BEGIN, Watch, open_watch

PHUKET, MOI = "TH-83", "moi"
ACTOR = Actor("x", frozenset({"issuer", "addressee", "pm"}), frozenset({PHUKET, MOI}))
HOUR = 3_600.0
TAKEN: list[tuple[type[DirectiveStep], dict[str, str]]] = [
    (DirectiveAcknowledged, {}),
    (DirectiveObjected, {"reason": "x"}),
    (DirectiveBegun, {}),
    (DirectiveReported, {"report": "x"}),
    (DirectiveReturned, {"reason": "x"}),
]
_numbers = itertools.count(1)


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def told(one: DirectiveDue) -> str:
    what = one.to if isinstance(one, DirectiveEscalated) else one.type.split(".")[1]
    return f"{one.addressee} {one.owes} {what}"


class Office:
    """Those who issue and answer directives, and the timers that watch them."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.timer = self.another()

    def another(self) -> DeadlineTimer:
        """A timer that begins."""
        return DeadlineTimer(self.watch.pool, self.watch.store)

    @property
    def now(self) -> datetime:
        """The last tick's time: nobody here has another clock."""
        return self.watch.last.time if self.watch.last else BEGIN

    async def issue(
        self,
        id_: str,
        *to: str,
        revision: int | None = None,
        realm: Realm = "actual",
        **said: object,
    ) -> None:
        """A directive is issued now; or an archive's revision says that it was."""
        stated = {"directive": id_, "deputy": "a", "drafted_by": "secretariat:a", "kind": "order",
                  "title_th": "x", "text_th": "x", "addressees": list(to), **said}  # fmt: skip
        written = DirectiveDrafted.model_validate(stated)
        mandate = Mandate("holder", [Authority(addressee=one) for one in to])
        drafted = DECIDER.fold([written])
        made = [written, *directives.issue(drafted, ACTOR, mandate, now=self.now)]
        accepted = None if revision is None else self.now
        sent = [
            msgspec.structs.replace(
                self.named(one, 0), realm=realm, acceptedtime=accepted, archiverevision=revision
            )
            for one in made
        ]
        bodies = [one.model_dump_json().encode() for one in made]
        stream = DECIDER.within(realm).stream(id_)
        await self.watch.network.decide(stream, *zip(sent, bodies, strict=True))

    async def take(
        self, id_: str, model: type[DirectiveStep], to: str = PHUKET, **said: object
    ) -> None:
        """A step is taken now, if it is one."""
        taken = model.model_validate({"directive": id_, "addressee": to, "by": "x", **said})

        def decide(directive: Directive) -> list[EventModel]:
            timed = deadlines.timed(directive, taken, now=self.now)
            return directives.step(directive, timed, ACTOR)

        with suppress(Rejected):
            await transact(self.watch.network.store, DECIDER, id_, decide, envelope=self.named)

    def named(self, made: EventModel, _version: int) -> Envelope:
        """The envelope of what an office decides now."""
        return Envelope(id=f"o{next(_numbers)}", source="/offices/x", type=made.type, time=self.now)

    async def pass_hours(self, hours: float) -> None:
        """So much time passes until the next tick."""
        await self.watch.tick(hours * HOUR)

    async def scan(self, timer: DeadlineTimer | None = None) -> Scan | None:
        """Read models are brought up to date; then the timer looks at the last tick."""
        await self.watch.publish()
        return await (timer or self.timer).scan()

    async def stated(self, id_: str, realm: Realm = "actual") -> list[tuple[str, datetime]]:
        """What timers stated of the directive, and the moment it is stated for."""
        return [
            (told(one), row.envelope.time)
            for row in await self.watch.store.load(DECIDER.within(realm).stream(id_))
            if isinstance(one := decode(row.envelope.type, row.data), DirectiveDue)
            and row.envelope.realm == realm
        ]

    async def unstated(self, id_: str) -> list[str]:
        """What a look at the directive itself would still find."""
        stored = await self.watch.store.load(DECIDER.stream(id_))
        directive = DECIDER.fold(decode(row.envelope.type, row.data) for row in stored)
        return [told(one) for one in deadlines.fallen(directive, now=self.now)]

    async def stated_twice(self, id_: str) -> list[str]:
        """What timers stated more than once."""
        stored = await self.watch.store.load(DECIDER.stream(id_))
        made = (decode(row.envelope.type, row.data) for row in stored)
        counted = Counter(one for one in made if isinstance(one, DirectiveDue))
        return [told(one) for one, times in counted.items() if times > 1]


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    """An open network at its first tick."""
    async with open_watch(database) as watch:
        await watch.open()
        await watch.tick()
        yield Office(watch)


NOTE = [
    ("TH-83 acknowledgement reminded", at(18)),
    ("TH-83 acknowledgement overdue", at(24)),
    ("TH-83 acknowledgement secretariat", at(48)),
    ("TH-83 acknowledgement deputy", at(72)),
    ("TH-83 acknowledgement pmoc", at(96)),
    ("TH-83 acknowledgement pm", at(120)),
]
"""What is stated of advice that was issued at the beginning, and that nobody notes."""


async def test_what_nobody_notes_goes_up_to_the_pm_one_level_a_day(office: Office) -> None:
    await office.issue("d", PHUKET, kind="advice")
    for _ in range(44):
        await office.pass_hours(3)
        await office.scan()
    assert await office.stated("d") == NOTE
    stored = await office.watch.store.load("directives/d")
    assert {row.envelope.source for row in stored[2:]} == {SOURCE}
    assert {row.envelope.subject for row in stored[2:]} == {"directives/d"}


async def test_what_two_timers_find_is_stated_once(office: Office) -> None:
    await office.issue("d", PHUKET, kind="advice")
    await office.issue("e", PHUKET, MOI)
    other = office.another()
    for _ in range(26):
        await office.pass_hours(5)
        await office.watch.publish()
        await asyncio.gather(office.timer.scan(), other.scan())
    assert await office.stated("d") == NOTE
    assert await office.stated_twice("e") == []
    # In 130 hours all six of the note, and of the report four: it went to the deputy.
    assert len(await office.stated("e")) == 2 * (6 + 4)


async def test_what_was_missed_while_every_timer_was_away_is_stated_once_in_order(
    office: Office,
) -> None:
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(130)
    await office.watch.publish()
    scans = await asyncio.gather(office.another().scan(), office.another().scan())
    assert sum(sum(scan.stated.values()) for scan in scans if scan) == 5
    assert await office.stated("d") == NOTE[1:]


async def test_the_clocks_of_an_exercise_run_there_and_nowhere_else(office: Office) -> None:
    await office.issue("d", PHUKET, kind="advice", realm="exercise")
    await office.pass_hours(130)
    await office.scan()
    assert await office.stated("d", "exercise") == NOTE[1:]
    assert await office.stated("d") == []
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(130)
    await office.scan()
    assert len(await office.stated("d")) == len(NOTE[1:])
    assert await office.stated("d", "exercise") == NOTE[1:]


async def test_a_timer_that_begins_states_nothing_again(office: Office) -> None:
    await office.issue("d", PHUKET, kind="advice")
    for hours in (20, 10, 30, 100):
        await office.pass_hours(hours)
        await office.scan(office.another())
        scan = await office.scan(office.another())
        assert scan is not None
        assert not scan.stated
    assert await office.stated("d") == NOTE


async def test_a_rebuild_states_nothing_again_and_loses_no_clock(office: Office) -> None:
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(50)
    await office.scan()
    network = office.watch.network
    await Rebuild(network.pool, network.log, list(ALL)).run(lambda _done: None)
    for hours in (1, 79):
        await office.pass_hours(hours)
        await office.scan()
        await office.scan(office.another())
    assert await office.stated("d") == NOTE[1:]


async def test_the_clock_may_jump_and_each_thing_is_stated_once(office: Office) -> None:
    """Ticks never go back: a clock that was ahead stands nearly still until time has come up."""
    await office.issue("d", PHUKET, kind="advice")
    for seconds in (60 * HOUR, 0.001, 0.001, 70 * HOUR, 0.001):
        await office.watch.tick(seconds)
        await office.scan()
    assert await office.stated("d") == NOTE[1:]


async def test_a_deadline_passes_though_the_network_did_not_listen(office: Office) -> None:
    """Unlike silence: by when something is owed is a moment, and the document says which."""
    await office.issue("d", PHUKET, kind="advice")
    await office.watch.tick(25 * HOUR, listening=False)
    await office.scan()
    assert await office.stated("d") == NOTE[1:2]


async def test_what_is_done_goes_up_no_further(office: Office) -> None:
    await office.issue("d", PHUKET)
    await office.pass_hours(50)
    await office.scan()
    await office.take("d", DirectiveAcknowledged)
    await office.take("d", DirectiveReported, report="x")
    await office.pass_hours(500)
    await office.scan()
    assert await office.stated("d") == NOTE[1:3]


async def test_what_is_done_and_not_applied_yet_is_done(office: Office) -> None:
    """The read model is behind: the decision is made on the stream."""
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(25)
    await office.watch.publish()
    await office.take("d", DirectiveAcknowledged)
    scan = await office.timer.scan()
    assert scan is not None
    assert not scan.stated
    assert await office.stated("d") == []


async def test_what_is_not_applied_yet_is_stated_when_it_is(office: Office) -> None:
    await office.scan()
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(25)
    assert await office.timer.scan() is None
    await office.scan()
    assert await office.stated("d") == NOTE[1:2]


async def test_a_timer_that_looked_at_the_past_states_nothing(office: Office) -> None:
    """It found what is due, was stopped before it stated it, and comes back after the answer."""
    await office.issue("d", PHUKET, kind="advice")
    await office.pass_hours(25)
    await office.watch.publish()
    entered, released = asyncio.Event(), asyncio.Event()

    class Halting(DecisionStore):
        async def load(self, stream: str) -> list[StoredEvent]:
            entered.set()
            await released.wait()
            return await super().load(stream)

    halting = Halting(office.watch.pool)
    stopped = asyncio.create_task(DeadlineTimer(office.watch.pool, halting).scan())
    await entered.wait()
    await office.take("d", DirectiveAcknowledged)
    released.set()
    scan = await stopped
    await halting.close()
    assert scan is not None
    assert not scan.stated
    assert await office.stated("d") == []


async def test_a_returned_report_is_owed_anew_in_as_much_time(office: Office) -> None:
    await office.issue("d", PHUKET, report_by=at(4).isoformat())
    await office.take("d", DirectiveAcknowledged)
    await office.take("d", DirectiveReported, report="x")
    await office.pass_hours(10)
    await office.scan()
    await office.take("d", DirectiveReturned, reason="x")
    for _ in range(5):
        await office.pass_hours(1)
        await office.scan()
    assert await office.stated("d") == [
        ("TH-83 report reminded", at(13)),
        ("TH-83 report overdue", at(14)),
    ]


async def test_who_objected_and_begins_owes_again_what_was_due(office: Office) -> None:
    await office.issue("d", PHUKET)
    await office.take("d", DirectiveObjected, reason="x")
    await office.pass_hours(90)
    await office.scan()
    assert await office.stated("d") == []
    await office.take("d", DirectiveBegun)
    await office.pass_hours(0.1)
    await office.scan()
    assert await office.stated("d") == [("TH-83 report overdue", at(72))]


async def test_what_falls_due_between_two_looks_at_all_that_is_open_is_stated(
    office: Office,
) -> None:
    await office.issue("d", PHUKET, kind="advice", acknowledge_by=at(0.4).isoformat())
    for _ in range(5):
        await office.pass_hours(0.1)
        await office.scan()
    assert await office.stated("d") == [
        ("TH-83 acknowledgement reminded", at(0.3)),
        ("TH-83 acknowledgement overdue", at(0.4)),
    ]


async def test_a_directive_out_of_an_archive_states_nothing(office: Office) -> None:
    await office.issue("d", PHUKET, revision=1)
    await office.issue("e", PHUKET)
    await office.pass_hours(500)
    await office.scan()
    assert await office.stated("d") == []
    assert len(await office.stated("e")) == 2 * 5


async def test_what_falls_due_at_once_for_hundreds_is_stated_in_one_scan(office: Office) -> None:
    """More than one decision states."""
    to = [f"unit-{nth}" for nth in range(200)]
    await office.issue("d", *to)
    await office.pass_hours(200)
    scan = await office.scan()
    assert scan is not None
    assert sum(scan.stated.values()) == 200 * 2 * 5
    assert await office.unstated("d") == await office.stated_twice("d") == []


async def test_a_scan_takes_as_many_statements_for_many_directives_as_for_one(
    office: Office, database: Database
) -> None:
    counts: list[int] = []
    for nth in range(25):
        await office.issue(f"d{nth}", PHUKET, kind="advice")
        if nth in (0, 24):
            await office.pass_hours(30)
            await office.watch.publish()
            counts.append(await statements_of_a_scan(office, database))
    assert counts[0] == counts[1] > 0


async def statements_of_a_scan(office: Office, database: Database) -> int:
    """How often the ticks and the read model are asked; the store has a pool of its own."""
    said: list[str] = []
    async with database.pool("kamkap_timers", size=1) as pool:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: said.append(query.query))
        await DeadlineTimer(pool, office.watch.store).scan()
    return sum("eventlog" in query or "directives" in query for query in said)


async def test_whatever_happens_when_each_thing_is_stated_once_and_nothing_that_is_done(
    office: Office,
) -> None:
    """Steps, restarts, outages and two timers at random, against a look at every directive."""
    chance = random.Random(2547)
    ids = [f"d{nth}" for nth in range(12)]
    for id_ in ids:
        await office.issue(id_, PHUKET, MOI)
    timers = [office.another(), office.another()]
    for _ in range(60):
        for _ in range(chance.randrange(4)):
            model, said = chance.choice(TAKEN)
            await office.take(chance.choice(ids), model, chance.choice((PHUKET, MOI)), **said)
        await office.pass_hours(chance.choice((0.5, 2, 7, 30)))
        if chance.random() < 0.2:
            timers = [office.another(), office.another()]
        if chance.random() < 0.6:
            await look(office, timers)
            assert await of_all(ids, office.unstated) == []
    assert await of_all(ids, office.stated_twice) == []
    assert len(await of_all(ids, office.stated)) > 50


async def look(office: Office, timers: Sequence[DeadlineTimer]) -> None:
    await office.watch.publish()
    await asyncio.gather(*(timer.scan() for timer in timers))


async def of_all[Found](
    ids: Sequence[str], find: Callable[[str], Awaitable[list[Found]]]
) -> list[Found]:
    return [one for id_ in ids for one in await find(id_)]
