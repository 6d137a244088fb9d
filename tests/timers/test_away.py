"""Timers that were away: what happened meanwhile is stated when they are back, once."""

import asyncio

from services.timers.silence import SilenceTimer
from tests.projections.network import PHANG_NGA
from tests.timers.watch import INTERVAL, Watch, at


async def test_a_silence_that_ended_while_every_timer_was_away_is_stated_when_they_are_back(
    watch: Watch,
) -> None:
    await watch.scan()
    for _ in range(2):
        await watch.pass_time(INTERVAL + 20)
        await watch.hear()
        await watch.tick()
    await watch.pass_time(INTERVAL - 10)
    back = [SilenceTimer(watch.pool, watch.store) for _ in range(2)]
    await watch.publish()
    scans = await asyncio.gather(*(timer.scan() for timer in back))
    assert [sum(scan.silent for scan in scans if scan), *await watch.stated()] == [
        2,
        ("silent", at(100)),
        ("heard", at(130)),
        ("silent", at(230)),
        ("heard", at(260)),
    ]
    await watch.tick()
    scan = await watch.scan(SilenceTimer(watch.pool, watch.store))
    assert scan is not None
    assert (scan.silent, scan.heard) == (0, 0)


async def test_a_silence_that_was_stated_ends_before_those_that_followed_it_unseen(
    watch: Watch,
) -> None:
    await watch.pass_time(INTERVAL + 10)
    await watch.scan()
    for _ in range(2):
        await watch.hear()
        await watch.tick()
        await watch.pass_time(INTERVAL + 10)
    back = SilenceTimer(watch.pool, watch.store)
    await watch.scan(back)
    # The one that lasts follows when the read model knows that the last one ended.
    await watch.tick()
    await watch.scan(back)
    assert await watch.stated() == [
        ("silent", at(100)),
        ("heard", at(120)),
        ("silent", at(220)),
        ("heard", at(240)),
        ("silent", at(340)),
    ]


async def test_a_silence_shorter_than_the_wait_between_two_looks_is_stated(watch: Watch) -> None:
    await watch.pass_time(INTERVAL)
    await watch.scan()
    await watch.tick(1)
    await watch.hear()
    await watch.tick(1)
    scan = await watch.scan()
    assert scan is not None
    assert (scan.silent, scan.heard) == (1, 1)
    assert await watch.stated() == [("silent", at(100)), ("heard", at(102))]


async def test_what_was_heard_in_time_while_the_timers_were_away_is_no_silence(
    watch: Watch,
) -> None:
    await watch.scan()
    for _ in range(5):
        await watch.pass_time(INTERVAL - 10)
        await watch.hear()
        await watch.tick()
    scan = await watch.scan()
    assert scan is not None
    assert (scan.silent, scan.heard) == (0, 0)


async def test_an_interval_that_became_shorter_makes_no_silence_of_the_past(
    watch: Watch,
) -> None:
    await watch.register("poc:TH-82", reporting_interval_seconds=500)
    await watch.tick()
    await watch.pass_time(400)
    await watch.hear(PHANG_NGA)
    await watch.register("poc:TH-82", reporting_interval_seconds=100)
    await watch.tick()
    await watch.scan()
    assert await watch.stated("poc:TH-82") == []


async def test_when_the_timer_was_away_the_silence_begins_when_the_interval_ran_out(
    watch: Watch,
) -> None:
    await watch.pass_time(3 * INTERVAL)
    await watch.pass_time(INTERVAL, listening=False)
    await watch.scan()
    assert await watch.stated() == [("silent", at(INTERVAL))]
