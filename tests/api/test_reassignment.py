"""Re-assignment without rewriting: random histories against a plain reading of the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import (
    BANGKOK,
    ORDERS,
    PHANG_NGA,
    PHUKET,
    Country,
    Json,
    gives,
    open_again,
    open_country,
    order,
    province,
    registered,
)
from tests.api.happenings import Event, opened, said
from tests.api.histories import KRABI, PEOPLE, PROVINCES, RANONG, TRANG, History
from tests.api.oracle import Memory, Nation
from tests.database import fresh_database
from tests.projections.network import NOON

type Opened = Callable[[], AbstractAsyncContextManager[Story]]

SECOND = timedelta(seconds=1)
ASKED_AT_EACH_STEP = 2
AGAIN_AT_THE_END = 10
CHOICES = st.randoms(use_true_random=False)
# A step is some twenty requests and two passes over the log: few histories, new ones every time.
BOUNDED = settings(
    max_examples=8,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
CENTRES = {"poc:TH-83": PHUKET, "poc:TH-82": PHANG_NGA, "city:TH-10": BANGKOK}
"""The province of each centre that has one."""
FACTS = ("incidents", "situations", "indicators", "alerts", "centres", "registry")
"""The read models of what was stated by centres and about the country."""
SUMMED = ("provinces", "silent_centres", "active_alerts")
PRECEDENCE = ["doc:moi.ddpm", "poc", "PMOC", "MOC", "DOC", "other"]
MORE = (
    province(KRABI, "กระบี่", "Krabi"),
    province(TRANG, "ตรัง", "Trang"),
    province(RANONG, "ระนอง", "Ranong"),
    registered("deputy.registered.v1", deputy="c", name_th="รองนายกรัฐมนตรี ค"),
    registered("cluster.registered.v1", cluster="south", scheme="2551", name_th="ใต้",
               provinces=[KRABI, TRANG], complete=True),
    registered("cluster.registered.v1", cluster="west", scheme="2551", name_th="ตะวันตก",
               provinces=[RANONG, *PROVINCES[:1]], complete=True),
)  # fmt: skip


@dataclass
class Story:
    """A country, everything it was told, and the answers it gave about the past."""

    country: Country
    history: History
    memory: Memory
    ticks: list[datetime] = field(default_factory=list)
    given: dict[tuple[str, str, str], tuple[bytes, str]] = field(default_factory=dict)

    async def hear_orders(self) -> None:
        """An order or two, of any moment."""
        orders = [self.history.next_order() for _ in range(self.history.chosen.randint(1, 2))]
        self._note(orders)
        await self.country.network.decide("orders/pm", *orders)

    async def hear_events(self) -> None:
        """Events of centres, late, doubled and out of order."""
        events = self.history.next_events()
        self._note(events)
        await self.country.network.post(events)

    async def hear_directives(self) -> None:
        """Steps of directives: some begin, some go on, some are withdrawn."""
        for _ in range(self.history.chosen.randint(1, 4)):
            name, events = self.history.next_of_directive()
            self._note(events)
            await self.country.network.decide(f"directives/{name}", *events)

    async def hear_silences(self) -> None:
        """Centres that are silent, and those that are back."""
        events = [self.history.next_silence() for _ in range(self.history.chosen.randint(1, 3))]
        self._note(events)
        await self.country.network.decide("timers", *events)

    async def cover(self) -> None:
        """All of it is in the read models, and in a tick."""
        await self.country.network.project()
        self.ticks.append((await self.country.tick()).time)

    def _note(self, events: Iterable[Event]) -> None:
        self.memory.hear(len(self.ticks), events)

    async def check_a_moment(self) -> None:
        """Every invariant, at any moment, as it is known now or was known at any tick."""
        chosen = self.history.chosen
        known = chosen.randrange(len(self.ticks))
        pair: dict[str, Json] = {"as_of": self.history.moment().isoformat()}
        if known < len(self.ticks) - 1:
            pair["known_at"] = self.ticks[known].isoformat()
        truth = self.memory.nation(datetime.fromisoformat(pair["as_of"]), known)
        seen = await self._asked("/v1/overview", **pair)
        adds_up(seen)
        agrees(seen, truth)
        await self._check_deputy(chosen.choice(PEOPLE), truth, seen, **pair)

    async def check_what_was_given(self, most: int) -> None:
        """What was answered for a past pair is answered for ever."""
        kept = list(self.given.items())
        chosen = self.history.chosen.sample(kept, min(most, len(kept)))
        for (path, as_of, known_at), (content, tag) in chosen:
            again = await self.country.get(path, as_of=as_of, known_at=known_at)
            assert (again.content, again.headers["etag"]) == (content, tag)

    async def _check_deputy(self, person: str, truth: Nation, nation: Json, **pair: Json) -> None:
        path = f"/v1/deputies/{person}/overview"
        seen = await self._asked(path, **pair)
        codes = sorted(one["code"] for one in seen["provinces"])
        of_nation = {one["deputy"]["id"]: one for one in nation["overseers"]}
        if codes:
            assert seen["totals"] == of_nation[person]["totals"]
        assert codes == sorted(of_nation.get(person, {"provinces": []})["provinces"])
        stands_in = truth.orders.acts_for(person)
        other = self.history.chosen.choice(PEOPLE)
        status = (await self.country.get(path, f"deputy:{other}", **pair)).status_code
        assert status == (200 if other in (person, stands_in) else 404)
        listed = await self._asked("/v1/incidents", deputy=person, **pair)
        why = {name: reasons for name in truth.incidents if (reasons := truth.reasons(name))}
        assert named(listed["items"]) == {
            name: reasons
            for name, reasons in why.items()
            if person in {deputy for _, _, deputy in reasons}
        }

    async def _asked(self, path: str, **query: Json) -> Json:
        response = await self.country.get(path, **query)
        assert response.status_code == 200, response.text
        if set(query) == {"as_of", "known_at"}:
            key = path, query["as_of"], query["known_at"]
            given = response.content, response.headers["etag"]
            assert self.given.setdefault(key, given) == given
        return response.json()


def agrees(seen: Json, truth: Nation) -> None:
    """The answer says what the plain reading does."""
    groups = {one["deputy"]["id"]: one for one in seen["overseers"]}
    beside = {name: seen[name] for name in ("uncovered", "not_known", "outside_scheme")}
    expected: dict[str, set[str]] = {name: set() for name in beside}
    for one in seen["provinces"]:
        (code,) = one["provinces"]
        cover, held = truth.orders.cover(("area", code))
        assert (code, one["cover"]) == (code, cover)
        expected.setdefault(held[0][0] if held else cover, set()).add(code)
    divided = {name: set(one["provinces"]) for name, one in chain(groups.items(), beside.items())}
    assert divided == expected
    clusters = (cluster for scheme in seen["schemes"] for cluster in scheme["clusters"])
    outside = (scheme["outside"] for scheme in seen["schemes"])
    parts = [*seen["provinces"], *groups.values(), *beside.values(), *clusters, *outside]
    for part in parts:
        assert part["totals"] == truth.sums(part["provinces"])
    assert seen["totals"] == truth.everything(PROVINCES)
    assert seen["elsewhere"] == truth.elsewhere(PROVINCES)
    assert named(seen["shared"]) == truth.shared()


def adds_up(seen: Json) -> None:
    """Provinces, overseers with those who have none, and each scheme's clusters: one sum."""
    beside = [seen[name] for name in ("uncovered", "not_known", "outside_scheme")]
    divisions = [seen["provinces"], [*seen["overseers"], *beside]]
    divisions += [[*scheme["clusters"], scheme["outside"]] for scheme in seen["schemes"]]
    whole = added([seen["totals"]])
    for division in divisions:
        parts = [part["totals"] for part in division]
        alerts = added([*parts, seen["elsewhere"]]).pop("active_alerts")
        assert added([*parts, seen["elsewhere"]]) == whole | {"active_alerts": alerts}


def added(totals: Iterable[Json]) -> dict[str, Decimal]:
    """What can be added up of these totals. An alert lies in as many groups as it names."""
    sums: dict[str, Decimal] = dict.fromkeys(SUMMED, Decimal(0))
    for one in totals:
        figures = {name: one[name] for name in SUMMED} | one["figures"] | one["directives"]
        for name, value in figures.items():
            sums[name] = sums.get(name, Decimal(0)) + Decimal(value)
    return sums


def named(items: Iterable[Json]) -> dict[str, set[tuple[str, str, str]]]:
    """By incident, through what it lies in whose field."""
    return {
        item["id"]: {(one["dimension"], one["target"], one["deputy"]) for one in item["overseers"]}
        for item in items
    }


class Histories(RuleBasedStateMachine):
    """Anything happens in any sequence; after each step, any moment is asked about."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], opened: Opened) -> None:
        super().__init__()
        self._run = run
        self._open = AsyncExitStack()
        self.story: Story = run(self._open.enter_async_context(opened()))

    @rule(chosen=CHOICES)
    def orders_are_issued(self, chosen: Random) -> None:
        self._step(chosen, self.story.hear_orders)

    @rule(chosen=CHOICES)
    def events_arrive(self, chosen: Random) -> None:
        self._step(chosen, self.story.hear_events)

    @rule(chosen=CHOICES)
    def directives_go_on(self, chosen: Random) -> None:
        self._step(chosen, self.story.hear_directives)

    @rule(chosen=CHOICES)
    def centres_fall_silent(self, chosen: Random) -> None:
        self._step(chosen, self.story.hear_silences)

    def _step(self, chosen: Random, happens: Callable[[], Awaitable[None]]) -> None:
        self.story.history.chosen = chosen

        async def step() -> None:
            await happens()
            await self.story.cover()
            for _ in range(ASKED_AT_EACH_STEP):
                await self.story.check_a_moment()
            await self.story.check_what_was_given(1)

        self._run(step())

    def teardown(self) -> None:
        """What was answered about the past is answered again; then all of it is closed."""
        try:
            self.story.history.chosen = Random(0)
            self._run(self.story.check_what_was_given(AGAIN_AT_THE_END))
        finally:
            self._run(self._open.aclose())


@asynccontextmanager
async def told_of_nothing(
    server: EmbeddedPostgres, template: str, home: Path
) -> AsyncIterator[Story]:
    """A country of which nothing was told but who holds what."""
    async with (
        fresh_database(server, template=template) as database,
        open_again(database, home) as country,
    ):
        country.now = datetime(2024, 12, 1, tzinfo=UTC)
        begins = datetime.fromisoformat("2024-01-01T00:00:00+07:00")
        tenure = {"tenure": "a.1", "deputy": "a", "begins": begins, "ends": None}
        memory = Memory(PRECEDENCE, CENTRES, tenures=[tenure])
        memory.hear(0, [one for one in ORDERS if one[0].type == "order.issued.v1"])
        yield Story(country, History(Random(0)), memory)


def test_every_invariant_holds_after_any_history(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Hypothesis finds the history and shrinks it; each has a copy of the country of its own."""
    with asyncio.Runner() as runner:
        open_template = AsyncExitStack()
        template = runner.run(open_template.enter_async_context(fresh_database(postgres_server)))

        async def settle() -> None:
            async with open_country(template, tmp_path) as country:
                await country.network.decide("more", *MORE)
                await country.network.project()

        class OfTheCountry(Histories):
            def __init__(self) -> None:
                opened = partial(told_of_nothing, postgres_server, template.name, tmp_path)
                super().__init__(runner.run, opened)

        try:
            runner.run(settle())
            run_state_machine_as_test(OfTheCountry, settings=BOUNDED)
        finally:
            runner.run(open_template.aclose())


async def test_what_is_open_moves_at_the_second_the_order_says(country: Country) -> None:
    moment = datetime(2024, 9, 15, 2, 30, 15, tzinfo=UTC)
    moves = order("2/2567", moment, gives("area", PHUKET, "b"), complete=[])
    await country.network.decide("orders/pm", moves)
    await country.tell(opened("flood", PHUKET), said(dead=2))
    for at, holder, other in ((moment - SECOND, "a", "b"), (moment, "b", "a")):
        pair = {"as_of": at.isoformat()}
        seen = await country.ask(f"/v1/deputies/{holder}/overview", f"deputy:{holder}", **pair)
        assert seen["totals"]["figures"] == {"dead": 2}
        assert seen["totals"]["incidents"]["open"] == 1
        (item,) = (await country.ask("/v1/incidents", f"deputy:{holder}", **pair))["items"]
        assert item["overseers"] == [{"dimension": "area", "target": PHUKET, "deputy": holder}]
        seen = await country.ask(f"/v1/deputies/{other}/overview", f"deputy:{other}", **pair)
        assert seen["totals"]["figures"] == {}
        assert (await country.ask("/v1/incidents", f"deputy:{other}", **pair))["items"] == []


async def test_a_late_order_changes_what_was_so_and_never_what_was_known(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2))
    tick = await country.tick()
    begins = NOON + 10 * SECOND
    known: dict[str, Json] = {
        "as_of": (begins + SECOND).isoformat(),
        "known_at": tick.time.isoformat(),
    }
    before: dict[str, Json] = {"as_of": (begins - SECOND).isoformat()}
    path = "/v1/overview"
    given = [(await country.get(path, **pair)).content for pair in (known, before)]
    late = order("2/2567", begins, gives("area", PHUKET, "b"), complete=[])
    await country.network.decide("orders/pm", late)
    await country.network.project()
    await country.tick()
    assert [(await country.get(path, **pair)).content for pair in (known, before)] == given
    now = await country.ask(path, as_of=known["as_of"])
    assert {one["deputy"]["id"]: one["provinces"] for one in now["overseers"]} == {
        "b": [PHANG_NGA, PHUKET]
    }


async def test_a_reshuffle_of_every_province_writes_its_order_and_no_fact(country: Country) -> None:
    network, codes = country.network, [f"TH-{number}" for number in range(11, 87)]
    await network.decide("more", *(province(code, code, code) for code in codes))
    await country.tell(*(opened(f"in-{code}", code) for code in codes))
    areas = [gives("area", code, "abcdef"[nth % 6]) for nth, code in enumerate(codes)]
    before = await written(country)
    await network.decide("orders/pm", order("2/2567", NOON + SECOND, *areas, complete=["area"]))
    await network.project()
    changed = {
        table: count - before[table]
        for table, count in (await written(country)).items()
        if count != before[table] and not table.startswith(("log.", "decisions.", "projections."))
    }
    assert not [table for table in changed if table.startswith(FACTS)]
    counted = {"oversight.orders": 1, "oversight.revision": 1, "events.identities": 1}
    assert changed == counted
    nation = await country.ask("/v1/overview", as_of=(NOON + SECOND).isoformat())
    assert [one["totals"]["provinces"] for one in nation["overseers"]] == [13, 13, 13, 13, 12, 12]
    assert [one["totals"]["incidents"]["open"] for one in nation["overseers"]] == [
        one["totals"]["provinces"] for one in nation["overseers"]
    ]


async def written(country: Country) -> dict[str, int]:
    """By table, how many rows were ever inserted, updated or deleted."""
    pool = country.network.pool
    async with AsyncExitStack() as stack:
        # Each session reports its own counts, and by itself only once a second.
        for _ in range(pool.get_size()):
            connection = await stack.enter_async_context(pool.acquire())
            await connection.execute("SELECT pg_stat_force_next_flush()")
        rows = await connection.fetch(
            "SELECT schemaname || '.' || relname AS name, n_tup_ins + n_tup_upd + n_tup_del AS rows"
            " FROM pg_stat_user_tables"
        )
    return {row["name"]: row["rows"] for row in rows}
