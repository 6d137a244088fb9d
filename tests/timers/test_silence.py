"""Silence on a virtual clock: who is stated silent, who is heard again, and when."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from services.eventlog.store import DecisionStore, StoredEvent
from services.projections.rebuild import Rebuild
from services.projections.schemas import ALL
from services.timers.silence import Scan, SilenceTimer
from services.timers.stating import SOURCE
from tests.database import Database
from tests.projections.network import PHANG_NGA
from tests.timers.watch import BEGIN, INTERVAL, Watch, at, open_watch


async def test_a_missed_interval_is_stated_once_with_when_it_ran_out(watch: Watch) -> None:
    await watch.hear()
    await watch.tick(7)
    await watch.pass_time(INTERVAL)
    assert await watch.scan() == Scan(12, silent=0, heard=0)
    await watch.tick()
    assert await watch.scan() == Scan(13, silent=1, heard=0)
    assert await watch.stated() == [("silent", at(107))]
    (row,) = await watch.store.load("silence/poc:TH-83")
    assert row.envelope.source == SOURCE
    assert row.envelope.subject == "centres/poc:TH-83"
    assert row.envelope.time == at(107)
    assert b'"last_heard":"2026-10-15T05:00:07Z"' in row.data


async def test_a_silence_is_not_stated_again_as_it_goes_on(watch: Watch) -> None:
    await watch.pass_time(INTERVAL + 10)
    await watch.scan()
    for _ in range(3):
        await watch.pass_time(INTERVAL)
        scan = await watch.scan()
        assert scan is not None
        assert (scan.silent, scan.heard) == (0, 0)
    assert [state for state, _ in await watch.stated()] == ["silent"]


async def test_a_silent_centre_is_heard_from_the_tick_that_covers_its_first_event(
    watch: Watch,
) -> None:
    await watch.pass_time(INTERVAL + 10)
    await watch.scan()
    await watch.hear()
    await watch.tick()
    await watch.hear()
    await watch.tick()
    assert await watch.scan() == Scan(14, silent=0, heard=1)
    assert await watch.stated() == [("silent", at(100)), ("heard", at(120))]
    await watch.tick()
    assert await watch.scan() == Scan(15, silent=0, heard=0)


async def test_a_centre_that_fell_silent_again_is_stated_again(watch: Watch) -> None:
    for _ in range(2):
        await watch.pass_time(INTERVAL + 10)
        await watch.scan()
        await watch.hear()
        await watch.tick()
        await watch.scan()
    assert [state for state, _ in await watch.stated()] == ["silent", "heard"] * 2


async def test_two_timers_state_each_change_once(watch: Watch) -> None:
    other = SilenceTimer(watch.pool, watch.store)
    await watch.register("poc:TH-82")
    await watch.tick()
    await watch.pass_time(INTERVAL + 10)
    await watch.publish()
    scans = await asyncio.gather(watch.timer.scan(), other.scan())
    assert sum(scan.silent for scan in scans if scan) == 2
    await watch.hear()
    await watch.hear(PHANG_NGA)
    await watch.tick()
    await watch.publish()
    scans = await asyncio.gather(watch.timer.scan(), other.scan())
    assert sum(scan.heard for scan in scans if scan) == 2
    for centre in ("poc:TH-83", "poc:TH-82"):
        assert [state for state, _ in await watch.stated(centre)] == ["silent", "heard"]


async def test_a_timer_that_looked_at_the_past_states_nothing(watch: Watch) -> None:
    """It found the silence, was stopped before it stated it, and comes back after the return."""
    await watch.pass_time(INTERVAL + 10)
    await watch.publish()
    entered, released = asyncio.Event(), asyncio.Event()

    class Halting(DecisionStore):
        async def load(self, stream: str) -> list[StoredEvent]:
            entered.set()
            await released.wait()
            return await super().load(stream)

    halting = Halting(watch.pool)
    late = SilenceTimer(watch.pool, halting)
    stopped = asyncio.create_task(late.scan())
    await entered.wait()
    await watch.scan()
    await watch.hear()
    await watch.tick()
    await watch.scan()
    released.set()
    scan = await stopped
    await halting.close()
    assert scan is not None
    assert (scan.silent, scan.heard) == (0, 0)
    assert [state for state, _ in await watch.stated()] == ["silent", "heard"]


async def test_a_restarted_timer_states_nothing_again(watch: Watch) -> None:
    await watch.pass_time(INTERVAL + 10)
    await watch.scan()
    assert await watch.scan(SilenceTimer(watch.pool, watch.store)) == Scan(12, silent=0, heard=0)
    await watch.hear()
    await watch.tick()
    await watch.scan(SilenceTimer(watch.pool, watch.store))
    assert await watch.scan() == Scan(13, silent=0, heard=0)
    assert [state for state, _ in await watch.stated()] == ["silent", "heard"]


async def test_a_rebuild_raises_nothing(watch: Watch) -> None:
    await watch.hear()
    await watch.tick()
    await watch.pass_time(INTERVAL + 10)
    await watch.scan()
    await watch.hear()
    await watch.tick()
    await watch.scan()
    before = await watch.stated()
    await Rebuild(watch.network.pool, watch.network.log, list(ALL)).run(lambda _done: None)
    await watch.tick()
    scan = await watch.scan(SilenceTimer(watch.pool, watch.store))
    assert scan is not None
    assert (scan.silent, scan.heard) == (0, 0)
    assert await watch.stated() == before


async def test_time_in_which_the_network_did_not_listen_counts_against_nobody(
    watch: Watch,
) -> None:
    await watch.hear()
    await watch.tick()
    await watch.pass_time(INTERVAL - 20)
    await watch.pass_time(10 * INTERVAL, listening=False)
    await watch.tick(3_600)  # Nobody ticked for an hour.
    await watch.pass_time(20)
    scan = await watch.scan()
    assert scan is not None
    assert scan.silent == 0
    resumed = watch.last.time if watch.last else BEGIN
    await watch.tick()
    await watch.scan()
    assert await watch.stated() == [("silent", resumed)]


async def test_an_imported_event_neither_arms_nor_ends_a_silence(watch: Watch) -> None:
    await watch.take_over()
    await watch.tick()
    await watch.pass_time(INTERVAL)
    await watch.scan()
    assert await watch.stated() == [("silent", at(100))]
    await watch.take_over()
    await watch.tick()
    await watch.scan()
    assert [state for state, _ in await watch.stated()] == ["silent"]


async def test_an_event_of_an_exercise_is_no_sign_of_life(watch: Watch) -> None:
    await watch.pass_time(INTERVAL)
    await watch.hear(realm="exercise")
    await watch.tick()
    await watch.scan()
    assert [state for state, _ in await watch.stated()] == ["silent"]


async def test_a_centre_never_heard_counts_from_its_registration(watch: Watch) -> None:
    await watch.pass_time(50)
    await watch.register("poc:TH-82")
    await watch.tick()
    await watch.pass_time(INTERVAL)
    await watch.scan()
    assert await watch.stated("poc:TH-82") == []
    await watch.tick()
    await watch.scan()
    assert await watch.stated("poc:TH-82") == [("silent", at(60 + INTERVAL))]


async def test_a_registration_before_the_opening_counts_from_the_opening(
    database: Database,
) -> None:
    async with open_watch(database) as watch:
        await watch.register()
        await watch.tick()
        await watch.pass_time(10 * INTERVAL)
        assert await watch.scan() == Scan(101, silent=0, heard=0)
        await watch.open()
        await watch.tick()
        opened = watch.last.time if watch.last else BEGIN
        await watch.pass_time(INTERVAL + 10)
        await watch.scan()
        assert await watch.stated() == [("silent", opened + timedelta(seconds=INTERVAL))]


async def test_a_centre_counts_from_the_day_its_registration_is_valid(watch: Watch) -> None:
    begins = datetime(2026, 10, 15, 17, tzinfo=UTC)  # The 16th in Bangkok.
    await watch.register("poc:TH-82", valid_from="2026-10-16")
    await watch.tick()
    await watch.pass_time(2 * INTERVAL)
    began = (await watch.tick((begins - BEGIN).total_seconds())).time
    await watch.pass_time(INTERVAL)
    await watch.scan()
    assert await watch.stated("poc:TH-82") == []
    await watch.tick()
    await watch.scan()
    assert await watch.stated("poc:TH-82") == [("silent", began + timedelta(seconds=INTERVAL))]


@pytest.mark.parametrize(
    "stated",
    [
        {"reporting_interval_seconds": None},
        {"valid_to": "2026-10-15"},
        {"valid_from": "2026-10-16"},
    ],
)
async def test_who_owes_no_sign_of_life_is_not_silent(
    watch: Watch, stated: dict[str, object]
) -> None:
    await watch.register("poc:TH-82", **stated)
    await watch.tick()
    await watch.pass_time(3 * INTERVAL)
    await watch.scan()
    assert await watch.stated("poc:TH-82") == []


async def test_the_interval_is_the_one_of_the_ruling_registration(watch: Watch) -> None:
    await watch.register("poc:TH-82", valid_from="2020-01-01", reporting_interval_seconds=30)
    await watch.register("poc:TH-82", valid_from="2021-01-01", reporting_interval_seconds=500)
    await watch.register("poc:TH-82", valid_from="2019-01-01", reporting_interval_seconds=10)
    await watch.tick()
    await watch.pass_time(400)
    await watch.scan()
    assert await watch.stated("poc:TH-82") == []
    await watch.pass_time(200)
    await watch.scan()
    assert [state for state, _ in await watch.stated("poc:TH-82")] == ["silent"]


async def test_what_is_not_applied_yet_is_not_missing(watch: Watch) -> None:
    """A lagging projection makes no false silence: the timer stands at the last applied tick."""
    await watch.scan()
    await watch.pass_time(INTERVAL)
    await watch.hear()
    await watch.pass_time(10 * INTERVAL)
    scan = await watch.timer.scan()
    assert scan == Scan(11, silent=0, heard=0)
    assert await watch.timer.scan() is None
    scan = await watch.scan()
    assert scan is not None
    assert scan.silent == 1
    assert await watch.stated() == [("silent", at(110 + INTERVAL))]


async def test_only_what_a_tick_covers_is_acted_on(watch: Watch) -> None:
    await watch.pass_time(INTERVAL + 10)
    await watch.hear()
    scan = await watch.scan()
    assert scan == Scan(12, silent=1, heard=0)
    await watch.tick()
    assert await watch.scan() == Scan(13, silent=0, heard=1)


async def test_a_scan_takes_as_many_statements_for_many_centres_as_for_one(
    database: Database,
) -> None:
    counts: list[int] = []
    async with open_watch(database) as watch:
        await watch.open()
        await watch.tick()
        for nth in range(25):
            await watch.register(f"poc:TH-{nth + 10}")
            if nth in (0, 24):
                await watch.tick()
                await watch.publish()
                counts.append(await statements_of_a_scan(watch, database))
    assert counts[0] == counts[1] > 0


async def statements_of_a_scan(watch: Watch, database: Database) -> int:
    said: list[str] = []
    async with database.pool("kamkap_timers", size=1) as pool:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: said.append(query.query))
        await SilenceTimer(pool, watch.store).scan()
    return sum("eventlog" in query or "registry" in query for query in said)


async def test_whatever_happens_when_each_change_is_stated_once(watch: Watch) -> None:
    """Events, deaf times, restarts and lags at random, against a plain count of seconds."""
    chance = random.Random(2547)
    expected: list[str] = []
    unheard, silent = 0.0, False
    listening = True
    for _ in range(150):
        arrived = chance.random() < 0.06
        if arrived:
            await watch.hear()
        was, listening = listening, chance.random() < 0.9
        seconds = chance.choice((1, 10, 14, 40))
        await watch.tick(seconds, listening=listening)
        if was and listening and seconds <= 15:
            unheard += seconds
        if arrived:
            unheard = 0.0
            if silent:
                expected.append("heard")
            silent = False
        elif unheard > INTERVAL and not silent:
            expected.append("silent")
            silent = True
        # Sometimes every timer is away for long, and what they find is the past.
        if chance.random() < 0.2:
            timers = [SilenceTimer(watch.pool, watch.store) for _ in range(chance.choice((1, 2)))]
            await watch.publish()
            await asyncio.gather(*(timer.scan() for timer in timers))
    await watch.scan(SilenceTimer(watch.pool, watch.store))
    assert [state for state, _ in await watch.stated()] == expected
    assert len(expected) > 4
