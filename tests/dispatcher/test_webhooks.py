"""Webhooks from the signature to the receiver, on a clock of the test's: no directive is lost."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fastapi import Response

from services.dispatcher.attempts import LEASE, lease
from services.dispatcher.calling import Caller
from services.domain.retrying import SCHEDULE, Answer
from tests.api.country import PHANG_NGA, PHUKET, Json, gives
from tests.api.directing import MOC, PM, POC, A, B, issued, published, step
from tests.api.subscribing import sent
from tests.api.test_directives import ordered
from tests.database import Database
from tests.dispatcher.receiving import Receiver, receiving
from tests.dispatcher.webhooking import Hooks, dispatcher


async def test_an_addressee_s_system_is_told_and_its_directive_knows(
    hooks: Hooks, receiver: Receiver
) -> None:
    country = hooks.country
    made = await hooks.subscribe(POC, receiver)
    id_ = await issued(country, "coast", PHUKET, PHANG_NGA, by=PM)
    assert await hooks.catch_up() == 1
    (event,) = receiver.received
    stored = await country.network.store.load(f"directives/{id_}")
    assert event["id"] == stored[1].envelope.id
    assert (event["type"], event["data"]["text"]["addressees"]) == (
        "directive.notice.v1", [PHUKET])  # fmt: skip
    directive = await country.ask(f"/v1/directives/{id_}", POC)
    assert [one["state"] for one in directive["addressees"]] == ["delivered"]
    (first,) = await hooks.timeline(made, POC)
    assert (first["event"], first["state"], first["next_attempt_at"]) == (
        event["id"], "delivered", None)  # fmt: skip
    (attempt,) = first["attempts"]
    assert (attempt["status"], attempt["said"], attempt["duration_ms"]) == (200, "ได้รับแล้ว", 0)


async def test_that_it_was_delivered_is_told_to_everybody_but_the_addressee_itself(
    hooks: Hooks, receiver: Receiver
) -> None:
    country = hooks.country
    await hooks.subscribe(POC, receiver)
    async with receiving() as issuer:
        await hooks.subscribe(A, issuer)
        id_ = await issued(country, "coast", PHUKET)
        await hooks.catch_up()
        await step(country, id_, "acknowledge", POC)
        await hooks.catch_up()
    assert receiver.changes == [(id_, "issued"), (id_, "acknowledged")]
    assert issuer.changes == [(id_, "issued"), (id_, "delivered"), (id_, "acknowledged")]
    # The feed keeps all of it, and counts it: the webhook's number is the same.
    feed = (await country.ask("/v1/directives/feed", POC))["items"]
    whole = [(one["data"]["number"], one["data"]["change"]) for one in feed]
    assert whole == [(1, "issued"), (2, "delivered"), (3, "acknowledged")]
    assert [one["data"]["number"] for one in receiver.received] == [1, 3]


async def test_a_filter_and_the_scope_say_what_is_told(hooks: Hooks, receiver: Receiver) -> None:
    country = hooks.country
    await hooks.subscribe(A, receiver, filter={"kinds": ["report"], "provinces": [PHUKET]})
    await issued(country, "an-order", PHUKET)
    await issued(country, "elsewhere", PHANG_NGA, by=PM, kind="report")
    await issued(country, "a-report", PHUKET, kind="report")
    await hooks.catch_up()
    assert receiver.changes == [("a-report", "issued")]


async def test_a_receiver_down_for_four_days_is_tried_for_75_hours_and_then_stated(
    hooks: Hooks, receiver: Receiver
) -> None:
    country = hooks.country
    made = await hooks.subscribe(POC, receiver)
    receiver.answer = lambda _event: Response("ล่ม", 503)
    begun = country.now
    id_ = await issued(country, "down", PHUKET)
    assert await hooks.catch_up() == 1
    assert await hooks.pass_by(timedelta(days=4)) == len(SCHEDULE)
    assert len(set(receiver.ids)) == 1
    (delivery,) = await hooks.timeline(made, POC)
    at = [datetime.fromisoformat(one["at"]) - begun for one in delivery["attempts"]]
    assert at == [sum(SCHEDULE[:nth], timedelta()) for nth in range(len(SCHEDULE) + 1)]
    assert delivery["state"] == "undeliverable"
    shown = await country.ask(f"/v1/subscriptions/{made['id']}", POC)
    assert (shown["state"], shown["disabled_because"]) == ("disabled", "undeliverable")
    history = (await country.ask(f"/v1/directives/{id_}/history", A))["items"]
    (told,) = [one for one in history if one["event"] == "undeliverable"]
    assert (told["addressee"], told["text"]) == (PHUKET, "status 503")
    (addressed,) = (await country.ask(f"/v1/directives/{id_}", A))["addressees"]
    assert addressed["state"] == "issued"
    # It comes back: enabled, it is sent what it missed, under the id it knows.
    receiver.answer = lambda _event: Response("ok")
    assert await hooks.pass_by(timedelta(days=30)) == 0
    await sent(country, f"/{made['id']}/enable", POC)
    await hooks.catch_up()
    assert len(set(receiver.ids[:11])) == 1
    (addressed,) = (await country.ask(f"/v1/directives/{id_}", A))["addressees"]
    assert addressed["state"] == "delivered"
    history = (await country.ask(f"/v1/directives/{id_}/history", A))["items"]
    assert [one["event"] for one in history].count("undeliverable") == 1


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_whatever_is_no_2xx_is_tried_again_under_the_same_id(
    hooks: Hooks, receiver: Receiver, status: int
) -> None:
    answers = iter([Response("no", status, {"location": receiver.url}), Response("ok")])
    receiver.answer = lambda _event: next(answers, Response("ok"))
    await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "again", PHUKET)
    assert await hooks.catch_up() == 1
    assert await hooks.pass_by(SCHEDULE[0]) == 1
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


async def test_retry_after_is_heeded(hooks: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda _event: Response("later", 503, {"retry-after": "3600"})
    made = await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "later", PHUKET)
    await hooks.catch_up()
    (delivery,) = await hooks.timeline(made, PM)
    due = datetime.fromisoformat(delivery["next_attempt_at"])
    assert due == hooks.country.now + timedelta(hours=1)
    assert await hooks.pass_by(timedelta(minutes=59)) == 0
    assert await hooks.pass_by(timedelta(minutes=1)) == 1


async def test_410_disables_at_once_and_an_addressee_s_directive_knows(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("gone", 410)
    made = await hooks.subscribe(POC, receiver)
    await issued(hooks.country, "gone", PHUKET)
    assert await hooks.catch_up() == 1
    assert await hooks.pass_by(timedelta(days=5)) == 0
    shown = await hooks.country.ask(f"/v1/subscriptions/{made['id']}", POC)
    assert (shown["state"], shown["disabled_because"]) == ("disabled", "gone")
    history = (await hooks.country.ask("/v1/directives/gone/history", A))["items"]
    assert [one["event"] for one in history][-1] == "undeliverable"


async def test_an_overseer_that_cannot_be_reached_is_nobody_s_history(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("gone", 410)
    await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "quiet", PHUKET)
    await hooks.catch_up()
    history = (await hooks.country.ask("/v1/directives/quiet/history", A))["items"]
    assert "undeliverable" not in [one["event"] for one in history]


async def test_the_next_of_a_directive_waits_for_the_one_before_and_others_do_not(
    hooks: Hooks, receiver: Receiver
) -> None:
    failing = {"first"}
    receiver.answer = lambda event: Response(
        "x", 500 if event["data"]["directive"] in failing else 200
    )
    await hooks.subscribe(A, receiver)
    await issued(hooks.country, "first", PHUKET)
    await step(hooks.country, "first", "acknowledge", POC)
    await issued(hooks.country, "second", PHUKET)
    await hooks.catch_up()
    # Of two directives either may come first.
    assert sorted(receiver.changes) == [("first", "issued"), ("second", "issued")]
    failing.clear()
    await hooks.pass_by(SCHEDULE[0])
    assert receiver.changes[2:] == [("first", "issued"), ("first", "acknowledged")]


@pytest.mark.parametrize(
    ("name", "by", "change"), [("withdraw", A, "withdrawn"), ("reverse", PM, "reversed")]
)
async def test_an_end_overtakes_and_what_it_makes_void_is_not_sent(
    hooks: Hooks, receiver: Receiver, name: str, by: str, change: str
) -> None:
    made = await hooks.subscribe(A, receiver)
    receiver.answer = lambda _event: Response("x", 500)
    await issued(hooks.country, "void", PHUKET)
    await step(hooks.country, "void", "acknowledge", POC)
    await hooks.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await step(hooks.country, "void", name, by, reason="ปลอดภัยแล้ว")
    # At once, though the head waits for its next turn.
    assert await hooks.catch_up() == 1
    await hooks.pass_by(timedelta(days=4))
    assert receiver.changes == [("void", "issued"), ("void", change)]
    states = [(one["change"], one["state"]) for one in await hooks.timeline(made, A)]
    assert states == [("issued", "superseded"), ("acknowledged", "superseded"),
                      (change, "delivered")]  # fmt: skip


async def test_a_takeover_overtakes_and_what_waits_is_sent_after(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await hooks.subscribe(A, receiver)
    await issued(hooks.country, "taken", PHUKET)
    await hooks.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await step(hooks.country, "taken", "take-over", PM, reason="ด่วน")
    await hooks.catch_up()
    assert receiver.changes == [("taken", "issued"), ("taken", "assumed"), ("taken", "issued")]
    numbers = [event["data"]["number"] for event in receiver.received]
    assert numbers == [1, 2, 1]


async def test_an_overseer_that_lost_its_authority_is_told_nothing_more(
    hooks: Hooks, receiver: Receiver
) -> None:
    """Also not what was queued while it had it."""
    country = hooks.country
    receiver.answer = lambda _event: Response("x", 500)
    made = await hooks.subscribe(B, receiver)
    await issued(country, "moved", PHANG_NGA, by=PM)
    await hooks.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await ordered(country, "2/2567", gives("area", PHANG_NGA, "a"), complete=["area"])
    await issued(country, "after", PHANG_NGA, by=PM)
    await hooks.pass_by(timedelta(hours=1))
    assert receiver.changes == [("moved", "issued")]
    (delivery,) = await hooks.timeline(made, B)
    assert (delivery["state"], len(delivery["attempts"])) == ("withheld", 1)


async def test_an_addressee_s_right_to_its_own_never_lapses(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await hooks.subscribe(POC, receiver)
    await issued(hooks.country, "own", PHUKET)
    await hooks.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await ordered(hooks.country, "2/2567", gives("area", PHUKET, "b"), complete=["area"])
    await hooks.pass_by(SCHEDULE[0])
    assert receiver.changes[:2] == [("own", "issued"), ("own", "issued")]


async def test_an_attempt_that_a_kill_cut_off_is_made_again_under_the_same_id(
    hooks: Hooks, receiver: Receiver
) -> None:
    """The request was sent, and whoever sent it died before it wrote down what came back."""
    country = hooks.country
    made = await hooks.subscribe(PM, receiver)
    await issued(country, "killed", PHUKET)
    await published(country)
    await hooks.webhooks.queue()
    dying = replace(hooks.webhooks, caller=Dying(hooks.webhooks.caller))
    with pytest.raises(Killed):
        await dying.send("healthy", limit=10)
    assert await hooks.catch_up() == 0
    assert await hooks.at(country.now + LEASE) == 1
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    (delivery,) = await hooks.timeline(made, PM)
    assert [one["status"] for one in delivery["attempts"]] == [None, 200]
    assert delivery["attempts"][0]["duration_ms"] is None
    assert delivery["state"] == "delivered"


class Killed(BaseException):
    """The process is not there any more."""


class Dying(Caller):
    """Sends, and is killed before anything can be written down."""

    def __init__(self, alive: Caller) -> None:
        self._alive = alive

    async def post(self, *args: Json, **kwargs: Json) -> Answer:
        await self._alive.post(*args, **kwargs)
        raise Killed


async def test_two_dispatchers_send_each_notice_once(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    for _ in range(3):
        await hooks.subscribe(PM, receiver)
    receiver.secrets.clear()
    for nth in range(5):
        await issued(hooks.country, f"shared-{nth}", PHUKET)
    await published(hooks.country)
    async with dispatcher(database, hooks.country) as other:
        both = (hooks.webhooks, other)
        await asyncio.gather(*(one.queue() for one in both))
        while sum(await asyncio.gather(*(one.send("healthy", limit=4) for one in both))):
            pass
    assert len(receiver.ids) == 15
    assert len(set(receiver.ids)) == 5


async def test_an_endpoint_is_called_so_often_at_once_and_once_while_it_fails(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.subscribe(PM, receiver)
    for nth in range(6):
        await issued(hooks.country, f"many-{nth}", PHUKET)
    await published(hooks.country)
    await hooks.webhooks.queue()
    pool, now = hooks.webhooks.pool, hooks.country.now
    first = await lease(pool, "healthy", limit=100, now=now)
    assert (len(first), await lease(pool, "healthy", limit=100, now=now)) == (4, [])
    await pool.execute("UPDATE outward.subscriptions SET failing = TRUE")
    assert await lease(pool, "failing", limit=100, now=now) == []
    assert len(await lease(pool, "failing", limit=100, now=now + LEASE)) == 1
    assert await lease(pool, "healthy", limit=100, now=now + LEASE) == []


async def test_what_an_endpoint_missed_is_sent_as_soon_as_it_is_back(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await hooks.subscribe(PM, receiver)
    for nth in range(3):
        await issued(hooks.country, f"missed-{nth}", PHUKET)
    await hooks.catch_up()
    await hooks.pass_by(timedelta(hours=3))
    receiver.answer = lambda _event: Response("ok")
    receiver.received.clear()
    await issued(hooks.country, "back", PHUKET)
    await hooks.catch_up()
    assert {name for name, _ in receiver.changes} == {"back", "missed-0", "missed-1", "missed-2"}


async def test_during_a_rotation_both_secrets_sign(hooks: Hooks, receiver: Receiver) -> None:
    made = await hooks.subscribe(PM, receiver)
    second = (await sent(hooks.country, f"/{made['id']}/secret", PM)).json()
    receiver.secrets.append(second["secret"])
    await issued(hooks.country, "rotated", PHUKET)
    assert await hooks.catch_up() == 1
    assert len(receiver.signatures[-1].split(" ")) == 2
    receiver.secrets.remove(made["secret"])
    hooks.country.now += timedelta(hours=25)
    await issued(hooks.country, "later", PHUKET)
    assert await hooks.catch_up() == 1
    assert len(receiver.signatures[-1].split(" ")) == 1


async def test_a_replay_tells_everything_again_under_the_same_ids(
    hooks: Hooks, receiver: Receiver
) -> None:
    made = await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "told", PHUKET)
    await step(hooks.country, "told", "acknowledge", POC)
    await hooks.catch_up()
    before = list(receiver.received)
    await sent(hooks.country, f"/{made['id']}/replay", PM, {"from": "2001-01-01"})
    assert await hooks.catch_up() == 2
    assert receiver.ids == [one["id"] for one in before] * 2
    assert {len(one["attempts"]) for one in await hooks.timeline(made, PM)} == {2}


async def test_a_test_event_goes_out_and_is_no_directive_s(
    hooks: Hooks, receiver: Receiver
) -> None:
    made = await hooks.subscribe(MOC, receiver, signing="ed25519")
    asked = (await sent(hooks.country, f"/{made['id']}/test", MOC)).json()
    assert await hooks.catch_up() == 1
    (event,) = receiver.received
    assert (event["type"], event["id"]) == ("subscription.tested.v1", asked["event"])
    assert event["data"] == {"subscription": made["id"]}
    assert receiver.signatures[0].startswith("v1a,")


async def test_of_one_realm_nothing_is_told_in_another(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.subscribe(PM, receiver, realm="exercise")
    await issued(hooks.country, "real", PHUKET)
    assert await hooks.catch_up() == 0


async def test_a_body_is_kept_for_as_long_as_it_may_be_sent(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "kept", PHUKET)
    await published(hooks.country)
    await hooks.webhooks.queue()
    kept = "SELECT count(*) FROM outward.deliveries WHERE body IS NOT NULL"
    assert await hooks.country.network.pool.fetchval(kept) == 1
    await hooks.catch_up()
    assert await hooks.country.network.pool.fetchval(kept) == 0


async def test_the_same_bytes_go_out_at_every_attempt(hooks: Hooks, receiver: Receiver) -> None:
    answers = iter([500, 200])
    receiver.answer = lambda _event: Response("x", next(answers, 200))
    await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "bytes", PHUKET)
    await hooks.catch_up()
    await step(hooks.country, "bytes", "acknowledge", POC)
    await hooks.pass_by(SCHEDULE[0])
    first, second = receiver.received[:2]
    assert json.dumps(first) == json.dumps(second)
    assert first["data"]["state"] == "open"


async def test_a_secret_that_cannot_be_opened_stops_nobody_else(
    hooks: Hooks, receiver: Receiver
) -> None:
    broken = await hooks.subscribe(PM, receiver)
    receiver.secrets.clear()
    await hooks.country.network.pool.execute("UPDATE outward.secrets SET sealed = sealed || 'x'")
    await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "sealed", PHUKET)
    assert await hooks.catch_up() == 2
    assert receiver.changes == [("sealed", "issued")]
    (delivery,) = await hooks.timeline(broken, PM)
    assert (delivery["state"], delivery["attempts"][0]["said"]) == (
        "waiting", "its secret cannot be opened")  # fmt: skip
