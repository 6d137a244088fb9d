"""Imports on a real log, a real store and a real runner: what is taken over, and what is not."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from schemas.envelope import DECISIONS_SLOT, STATUS_TOPIC, from_headers
from schemas.events.record import ArchiveImported
from schemas.slots import slot_of
from services.agent import demo
from services.agent.importing import (
    Archive,
    Done,
    NotOpened,
    Placed,
    Report,
    import_archive,
)
from services.agent.network import ImportUnderWay, Network, NotApplied, open_network, opened
from services.agent.record import Event
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.log import LogUnavailable, Message
from services.eventlog.postgres import PostgresLog
from services.eventlog.store import Appended, Decision, DecisionStore, StoreUnavailable
from services.projections import runner
from services.readmodels.moment import Archive as Revision
from services.readmodels.moment import Moment
from tests.database import Database, fresh_database
from tests.projections import network as harness

OPENED = datetime(2026, 10, 1, tzinfo=UTC)
REPORTED = datetime(2004, 12, 26, 5, tzinfo=UTC)
PHUKET = "/centres/poc/TH-83"
FACTS = (
    "situations.reports", "registry.entries", "oversight.orders",
    "incidents.changes", "events.versions",
)  # fmt: skip


@asynccontextmanager
async def at_work(database: Database) -> AsyncIterator[None]:
    """A relay and a runner, as they work beside an import."""
    async with harness.open_network(database) as network:
        works = [
            asyncio.create_task(network.relay.run()),
            asyncio.create_task(runner.run(network.pool, network.log, name="worker")),
        ]
        try:
            yield
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)


@asynccontextmanager
async def operated(database: Database) -> AsyncIterator[Network]:
    """The operator's side of it."""
    async with database.pool("kamkap_operator", size=8) as pool:
        log, store = PostgresLog(pool), DecisionStore(pool)
        try:
            yield Network(pool, log, store)
        finally:
            await store.close()
            await log.close()


@pytest.fixture
async def network(database: Database) -> AsyncIterator[Network]:
    """A network that is at work, and open."""
    async with at_work(database), operated(database) as network:
        await open_network(network.store, now=OPENED)
        yield network


async def take_over(
    network: Network, events: Sequence[Event], *, name: str = "test", at_once: int = 1_000
) -> Report:
    archive = Archive(name, lambda: [Placed(f"record {n}", one) for n, one in enumerate(events)])
    return await import_archive(
        network,
        archive,
        clock=lambda: OPENED + timedelta(days=1),
        report=lambda _done: None,
        at_once=at_once,
    )


def decision(type_: str, subject: str, data: Mapping[str, Any], **attributes: object) -> Event:
    return {
        "specversion": "1.0", "id": f"{type_}/{subject}", "source": "/centres/pmoc", "type": type_,
        "subject": subject, "time": "2003-10-01T00:00:00+07:00",
        "acceptedtime": "2003-10-02T00:00:00+07:00", "data": dict(data), **attributes,
    }  # fmt: skip


def registry() -> list[Event]:
    """Two provinces with their centres, and the centre above."""
    common = {"name_th": "ชื่อ", "source": "test", "valid_from": "2003-10-01"}
    events = [
        decision("centre.registered.v1", "centres/moc:moi",
                 {**common, "centre": "moc:moi", "level": "MOC", "ministry": "moi"}),
    ]  # fmt: skip
    for province in ("TH-82", "TH-83"):
        poc = {"centre": f"poc:{province}", "level": "POC", "parent": "moc:moi"}
        events += [
            decision("province.registered.v1", f"provinces/{province}",
                     {**common, "province": province}),
            decision("centre.registered.v1", f"centres/poc:{province}",
                     {**common, **poc, "province": province}),
        ]  # fmt: skip
    return events


def order(**stated: object) -> Event:
    given = [
        {"act": "assign", "dimension": "area", "target": "TH-83", "deputy": deputy, "power": "area"}
        for deputy in ("one", "two")
    ]
    data = {
        "number": "1/2546", "effective_from": "2003-10-01T00:00:00+07:00", "complete": ["area"],
        "clauses": given, "source": "test",
    }  # fmt: skip
    return decision("order.issued.v1", "orders/1/2546", data | stated)


def fact(number: int, *, known: float = 0, **attributes: object) -> Event:
    """A situation report an hour after the one before it, known so many hours later."""
    time = REPORTED + timedelta(hours=number)
    return {
        "specversion": "1.0", "id": f"report-{number}", "source": PHUKET,
        "type": "situation.reported.v1", "subject": "incidents/tsunami",
        "time": time.isoformat(), "acceptedtime": (time + timedelta(hours=known)).isoformat(),
        "data": {"incident": "tsunami", "place": "TH-83", "dead": number}, **attributes,
    }  # fmt: skip


def correction(number: int, *, dead: int, known: float) -> Event:
    data = {"incident": "tsunami", "place": "TH-83", "dead": dead}
    corrected = {"corrected_type": "situation.reported.v1", "corrected_data": data, "reason": "x"}
    return fact(number, known=known) | {
        "id": f"correction-{number}", "type": "event.corrected.v1",
        "originalid": f"report-{number}", "data": corrected,
    }  # fmt: skip


def archive() -> list[Event]:
    return [*registry(), *(fact(number) for number in range(5))]


async def imported(network: Network) -> list[ArchiveImported]:
    stored = await network.store.load("archive")
    return [ArchiveImported.model_validate_json(event.data) for event in stored]


async def test_an_import_is_one_complete_revision(network: Network) -> None:
    report = await take_over(network, archive(), name="สึนามิ")
    assert report == Report(facts=5, decisions=5, revision=1)
    (complete,) = await imported(network)
    assert (complete.revision, complete.name) == (1, "สึนามิ")
    assert (complete.events, complete.decisions) == (5, 5)
    ends = await network.log.ends(STATUS_TOPIC)
    # The opening before it, and what it took over; the statement itself comes after.
    assert complete.ends == [*ends, 6]
    assert await network.pool.fetchval("SELECT count(*) FROM situations.reports") == 5


async def test_an_imported_event_carries_what_its_record_states(network: Network) -> None:
    await take_over(network, [*registry(), fact(1, known=3, timebasis="minute")])
    record = await network.log.at(STATUS_TOPIC, slot_of(PHUKET), 0)
    assert record is not None
    envelope = from_headers(record.headers)
    assert record.key == PHUKET.encode()
    assert envelope.time == REPORTED + timedelta(hours=1)
    assert envelope.acceptedtime == REPORTED + timedelta(hours=4)
    assert envelope.archiverevision == 1
    assert envelope.extensions == {"timebasis": "minute"}


async def test_what_an_order_can_name_lies_on_its_own_stream_whatever_its_record_says(
    network: Network,
) -> None:
    common = {"name_th": "ชื่อ", "source": "test", "valid_from": "2003-10-01"}
    records = [
        decision("province.registered.v1", "a place", {**common, "province": "TH-83"}),
        decision("region.registered.v1", "regions/6", {**common, "region": "6", "provinces": []}),
        decision("deputy.registered.v1", "people", {"deputy": "a", "name_th": "x", "source": "x"}),
    ]
    assert (await take_over(network, records)).decisions == 3
    for stream in ("registry/provinces/TH-83", "registry/regions/6", "registry/deputies/a"):
        assert len(await network.store.load(stream)) == 1


async def test_the_same_archive_again_brings_nothing(network: Network) -> None:
    await take_over(network, archive())
    before = await network.ends()
    assert await take_over(network, archive()) == Report(duplicates=10)
    assert await network.ends() == before


async def test_what_is_new_makes_a_revision_of_its_own(network: Network) -> None:
    await take_over(network, archive())
    report = await take_over(network, [*archive(), fact(5)])
    assert report == Report(facts=1, duplicates=10, revision=2)
    assert [(one.revision, one.events, one.decisions) for one in await imported(network)] == [
        (1, 5, 5),
        (2, 1, 0),
    ]


async def test_a_record_twice_in_one_archive_is_taken_over_once(network: Network) -> None:
    report = await take_over(network, [*registry(), fact(1), fact(1), registry()[0]], at_once=2)
    assert (report.facts, report.decisions, report.duplicates) == (1, 5, 2)


async def test_other_content_under_a_known_id_is_reported_and_stays_out(network: Network) -> None:
    await take_over(network, archive())
    before = await network.ends()
    changed = [
        fact(1) | {"data": {"incident": "tsunami", "place": "TH-83", "dead": 99}},
        decision("province.registered.v1", "provinces/TH-83",
                 {"province": "TH-83", "name_th": "อื่น", "source": "other"}),
    ]  # fmt: skip
    report = await take_over(network, changed)
    assert {remark.id for remark in report.conflicts} == {
        "report-1",
        "province.registered.v1/provinces/TH-83",
    }
    assert report.revision is None
    assert await network.ends() == before


def unfit() -> dict[str, Event]:
    late = OPENED.isoformat()
    without_acceptance = fact(1)
    del without_acceptance["acceptedtime"]
    opening = decision("network.opened.v1", "network", {"opened_at": "2001-01-01T00:00:00Z"})
    return {
        "time 2026": fact(1, time=late),
        "acceptedtime 2026": fact(1, acceptedtime=late),
        "recordedtime 2026": fact(1, recordedtime=late),
        "acceptedtime is missing": without_acceptance,
        "time is earlier than 1800": fact(1, time="0061-12-26T00:00:00Z"),
        "stated by the network itself": opening,
        "no type the network knows": fact(1, type="situation.guessed.v1"),
        "incident: Field required": fact(1, data={"place": "TH-83"}),
        "data must be a JSON object": fact(1, data=[]),
        "null character": fact(1, data={"incident": "x", "place": "TH-83", "own": ["\x00"]}),
        "Out of range float": fact(1, data={"incident": "x", "place": "TH-83", "own": 1e999}),
        "at most 256 KiB": fact(1, data={"incident": "x", "place": "TH-83", "own": "x" * 300_000}),
        "datacontenttype must be": fact(1, datacontenttype="text/xml"),
        "control character": fact(1, subject="in\ncidents"),
        "Object missing required field `source`": {"specversion": "1.0", "id": "x"},
        "neither text": fact(1, ownattribute=[]),
        "the source of no centre": fact(1, source="/elsewhere"),
        "centre-not-registered": fact(1, source="/centres/poc/TH-81"),
        "place-not-entitled": fact(1, data={"incident": "x", "place": "TH-82", "dead": 1}),
        "subject is missing": order() | {"subject": None},
    }


async def test_a_record_that_the_door_would_refuse_is_refused_with_the_reason(
    network: Network,
) -> None:
    await take_over(network, registry())
    before = await network.ends()
    report = await take_over(network, list(unfit().values()))
    reasons = {remark.place: remark.reason for remark in report.refused}
    assert len(reasons) == len(unfit())
    for number, reason in enumerate(unfit()):
        assert reason in reasons[f"record {number}"]
    assert (report.facts, report.decisions, report.revision) == (0, 0, None)
    assert await network.ends() == before


async def test_a_fact_is_judged_by_what_its_own_archive_registers(network: Network) -> None:
    report = await take_over(network, [fact(1), *registry()])
    assert (report.facts, report.refused) == (1, [])


async def test_an_order_that_contradicts_itself_is_kept_and_flagged(network: Network) -> None:
    report = await take_over(network, [order()])
    (flagged,) = report.flagged
    assert flagged.reason == "order 1/2546 gives area TH-83 (area) to one and two"
    assert report.decisions == 1
    assert await network.pool.fetchval("SELECT count(*) FROM oversight.orders") == 1
    assert await network.store.version("orders/pm") == 1


async def test_nothing_is_imported_before_the_network_is_opened(database: Database) -> None:
    async with at_work(database), operated(database) as network:
        assert await opened(network.store) is None
        with pytest.raises(NotOpened):
            await take_over(network, archive())
        assert await network.ends() == [0] * (DECISIONS_SLOT + 1)


async def test_the_network_is_opened_once(network: Network) -> None:
    assert await open_network(network.store, now=OPENED + timedelta(days=9)) == OPENED
    assert len(await network.store.load("network/opening")) == 1


async def test_imports_follow_one_another(network: Network) -> None:
    async with network.alone():
        with pytest.raises(ImportUnderWay):
            await take_over(network, archive())
    assert (await take_over(network, archive())).revision == 1


async def test_without_projections_an_import_says_so_and_can_be_finished_later(
    database: Database,
) -> None:
    async with operated(database) as network:
        async with harness.open_network(database):
            await open_network(network.store, now=OPENED)
            with pytest.raises(NotApplied):
                await take_over(replace(network, patience_seconds=0.1), archive())
        async with at_work(database):
            assert (await take_over(network, archive())).revision == 1


async def test_every_record_is_told_of(network: Network) -> None:
    told: list[Done] = []
    records = [Placed(str(n), one) for n, one in enumerate(archive())]
    await import_archive(
        network,
        Archive("test", lambda: records),
        clock=lambda: OPENED,
        report=told.append,
        at_once=3,
    )
    assert [done.settled for done in told] == [3, 5, 8, 10]
    assert {done.total for done in told} == {10}


async def answers(database: Database, revision: int) -> list[list[tuple[int, int]]]:
    """The reports at every hour, as they were known at every hour, from one revision."""
    engine = create_async_engine(
        database.dsn("kamkap_api").replace("postgresql://", "postgresql+asyncpg://", 1)
    )
    found = []
    hours = [REPORTED + timedelta(hours=hour) for hour in range(0, 12, 2)]
    async with engine.connect() as connection:
        for as_of in hours:
            for known_at in hours:
                moment = Moment(as_of, Revision(known_at, revision))
                rows = await connection.execute(
                    text(
                        "SELECT r.root_position, r.figures[1] FROM situations.reports r "
                        f"WHERE {moment.counts('r')} ORDER BY 1"
                    ),
                    moment.parameters,
                )
                found.append([(row[0], row[1]) for row in rows])
    await engine.dispose()
    return found


async def test_answers_of_a_revision_never_change(network: Network, database: Database) -> None:
    await take_over(network, archive())
    first = await answers(database, 1)
    late = [fact(5, known=1), correction(1, dead=70, known=2), correction(2, dead=80, known=6)]
    await take_over(network, late)
    assert await answers(database, 1) == first
    second = await answers(database, 2)
    assert second != first
    await take_over(network, [correction(3, dead=90, known=0), fact(6)])
    assert await answers(database, 1) == first
    assert await answers(database, 2) == second
    assert await answers(database, 3) != second


class Broken(Exception):
    """What a test's log or store breaks off with, before or after it did what it was told."""


@dataclass
class Chance:
    """When the next call breaks off."""

    random: random.Random
    calm: bool = False

    def strike(self) -> None:
        if not self.calm and self.random.random() < 0.15:
            raise Broken


class FragileLog(PostgresLog):
    """A log whose acknowledgement may be lost, or the message before it."""

    def __init__(self, pool: asyncpg.Pool, chance: Chance) -> None:
        super().__init__(pool)
        self._chance = chance

    async def append(
        self, topic: str, batches: Mapping[int, Sequence[Message]], *, timeout: float
    ) -> dict[int, int]:
        try:
            self._chance.strike()
            appended = await super().append(topic, batches, timeout=timeout)
            self._chance.strike()
        except Broken as broken:
            raise LogUnavailable from broken
        return appended


class FragileStore(DecisionStore):
    """The same for the decision store."""

    def __init__(self, pool: asyncpg.Pool, chance: Chance) -> None:
        super().__init__(pool)
        self._chance = chance

    async def append(self, decision: Decision, *, timeout: float = 10.0) -> Appended:
        try:
            self._chance.strike()
            appended = await super().append(decision, timeout=timeout)
            self._chance.strike()
        except Broken as broken:
            raise StoreUnavailable from broken
        return appended


def long_archive() -> list[Event]:
    reports = [fact(number, known=number % 3) for number in range(40)]
    corrections = [correction(number, dead=number + 100, known=5) for number in range(0, 40, 7)]
    return [*registry(), order(), *corrections, *reports]


async def tables(network: Network) -> dict[str, list[str]]:
    """Every fact, without its place in the log, which retries may move."""
    return {
        table: sorted(
            row[0]
            for row in await network.pool.fetch(
                f"SELECT (to_jsonb(t) - '{{slot,position,root_slot,root_position}}'::text[])::text "
                f"FROM {table} t WHERE source <> '/centres/pmoc' OR archive_revision IS NOT NULL"
            )
        )
        for table in FACTS
    }


async def run_until_done(network: Network, chance: Chance) -> int:
    """Import, again after every break; returns how often it broke off."""
    records = [Placed(str(n), one) for n, one in enumerate(long_archive())]
    for breaks in range(200):
        try:
            await import_archive(
                network,
                Archive("test", lambda: records),
                clock=lambda: OPENED + timedelta(days=1),
                report=lambda _done: chance.strike(),
                at_once=5,
            )
        except (Broken, LogUnavailable, StoreUnavailable):
            continue
        return breaks
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("seed", range(4))
async def test_an_import_that_broke_off_anywhere_is_finished_by_running_it_again(
    postgres_server: EmbeddedPostgres, seed: int
) -> None:
    async with (
        fresh_database(postgres_server) as database,
        at_work(database),
        operated(database) as network,
    ):
        await open_network(network.store, now=OPENED)
        await take_over(network, long_archive())
        whole, (stated,) = await tables(network), await imported(network)
    async with (
        fresh_database(postgres_server) as database,
        at_work(database),
        operated(database) as network,
    ):
        await open_network(network.store, now=OPENED)
        chance = Chance(random.Random(seed))
        log, store = FragileLog(network.pool, chance), FragileStore(network.pool, chance)
        breaks = await run_until_done(replace(network, log=log, store=store), chance)
        await store.close()
        await log.close()
        assert breaks > 0
        assert await tables(network) == whole
        (complete,) = await imported(network)
        assert complete.revision == 1
        assert (complete.events, complete.decisions) == (stated.events, stated.decisions)
        assert (await take_over(network, long_archive())).revision is None


async def test_the_demonstration_is_taken_over_whole(network: Network) -> None:
    start = Archive.of_files("demonstration", demo.loaded_at_start())
    report = await import_archive(network, start, clock=lambda: OPENED, report=lambda _done: None)
    assert (report.revision, report.refused, report.conflicts) == (1, [], [])
    assert (report.facts, report.decisions, report.duplicates) == (85, 772, 0)
    # Two ministers share one command in the order's own words: kept, and said.
    assert [remark.reason.split(" (")[0] for remark in report.flagged] == [
        "order 167/2567 gives function opm.onwr"
    ]
    assert await network.pool.fetchval("SELECT count(*) FROM projections.quarantine") == 0
    assert await network.pool.fetchval("SELECT count(*) FROM projections.parked") == 0
