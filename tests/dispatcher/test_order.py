"""Random lives of directives against a receiver that fails by chance: nothing lost or unordered."""

import asyncio
from datetime import timedelta
from random import Random

import pytest
from fastapi import Response

from services.domain.subscriptions import OVERTAKING, VOIDING
from tests.api.country import PHUKET, Json
from tests.api.directing import PM, POC, A, issued, step
from tests.api.subscribing import sent
from tests.dispatcher.receiving import Receiver
from tests.dispatcher.webhooking import Hooks
from tests.faults.processes import until

STEPS = (("acknowledge", POC), ("begin", POC), ("report", POC), ("return", A), ("accept", A),
         ("withdraw", A), ("take-over", PM), ("reverse", PM))  # fmt: skip


async def live(hooks: Hooks, receiver: Receiver, random: Random) -> list[Json]:
    """Three directives, their steps refused or not, answers by chance; what was answered 200."""
    taken: list[Json] = []

    def by_chance(event: Json) -> Response:
        if random.random() < 0.5:
            return Response("x", 503)
        taken.append(event["data"] | {"id": event["id"]})
        return Response("ok")

    receiver.answer = by_chance
    names = ["x", "y", "z"]
    for name in names:
        await issued(hooks.country, name, PHUKET)
    for _ in range(14):
        path, by = random.choice(STEPS)
        said = {"reason": "เหตุ"} if path not in ("acknowledge", "begin", "report", "accept") else {}
        said |= {"report": "ผล"} if path == "report" else {}
        await step(hooks.country, random.choice(names), path, by, **said)
        if random.random() < 0.6:
            await hooks.pass_by(timedelta(minutes=random.choice([0, 1, 10, 90])))
    await hooks.pass_by(timedelta(hours=70))
    return taken


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_taken_in_is_whole_and_in_order(
    hooks: Hooks, receiver: Receiver, seed: int
) -> None:
    made = await hooks.subscribe(A, receiver)
    taken = await live(hooks, receiver, Random(seed))
    timeline = await hooks.timeline(made, A)
    # The receiver's own log and ours agree.
    assert sorted(one["id"] for one in taken) == sorted(
        one["event"] for one in timeline if one["state"] == "delivered"
    )
    for number, one in enumerate(timeline):
        later = {
            other["change"]
            for other in timeline[number + 1 :]
            if other["directive"] == one["directive"]
        }
        allowed = {"delivered", "superseded"} if later & VOIDING else {"delivered"}
        assert one["state"] in allowed
    for name in ("x", "y", "z"):
        _check_order([one for one in taken if one["directive"] == name])


def _check_order(taken: list[Json]) -> None:
    """Of one directive: what does not overtake came in its order; nothing came after its end."""
    plain = [one["number"] for one in taken if one["change"] not in OVERTAKING]
    assert plain == sorted(plain)
    for place, one in enumerate(taken):
        if one["change"] in VOIDING:
            assert all(after["number"] > one["number"] for after in taken[place + 1 :])


async def test_who_enables_waits_for_a_dispatcher_and_neither_is_cut_off(
    hooks: Hooks, receiver: Receiver
) -> None:
    """Both lock the subscription before what waits for it: a ring would cost one of them."""
    receiver.answer = lambda _event: Response("no", 500)
    made = await hooks.subscribe(POC, receiver)
    await issued(hooks.country, "locked", PHUKET)
    await hooks.catch_up()
    pool = hooks.country.network.pool

    async def is_waiting() -> bool:
        return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))

    async with pool.acquire() as settling, settling.transaction():
        await settling.execute("UPDATE outward.subscriptions SET failing = FALSE")
        enabling = asyncio.create_task(sent(hooks.country, f"/{made['id']}/enable", POC))
        await until(is_waiting, what="who enables waits")
        await settling.execute("UPDATE outward.deliveries SET next_at = next_at")
    assert (await enabling).status_code == 202
