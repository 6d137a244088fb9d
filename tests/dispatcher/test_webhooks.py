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
from tests.dispatcher.receiving import Receiver
from tests.dispatcher.sending import Sending, dispatcher


async def test_an_addressee_s_system_is_told_and_its_directive_knows(
    sending: Sending, receiver: Receiver
) -> None:
    country = sending.country
    made = await sending.subscribe(POC, receiver)
    id_ = await issued(country, "coast", PHUKET, PHANG_NGA, by=PM)
    assert await sending.catch_up() == 1
    (event,) = receiver.received
    stored = await country.network.store.load(f"directives/{id_}")
    assert event["id"] == stored[1].envelope.id
    assert (event["type"], event["data"]["text"]["addressees"]) == (
        "directive.notice.v1", [PHUKET])  # fmt: skip
    directive = await country.ask(f"/v1/directives/{id_}", POC)
    assert [one["state"] for one in directive["addressees"]] == ["delivered"]
    # That it was delivered is a step like others, and told.
    await sending.catch_up()
    assert receiver.changes == [(id_, "issued"), (id_, "delivered")]
    first, _ = await sending.timeline(made, POC)
    assert (first["event"], first["state"], first["next_attempt_at"]) == (
        event["id"], "delivered", None)  # fmt: skip
    (attempt,) = first["attempts"]
    assert (attempt["status"], attempt["said"], attempt["duration_ms"]) == (200, "ได้รับแล้ว", 0)


async def test_a_filter_and_the_scope_say_what_is_told(
    sending: Sending, receiver: Receiver
) -> None:
    country = sending.country
    await sending.subscribe(A, receiver, filter={"kinds": ["report"], "provinces": [PHUKET]})
    await issued(country, "an-order", PHUKET)
    await issued(country, "elsewhere", PHANG_NGA, by=PM, kind="report")
    await issued(country, "a-report", PHUKET, kind="report")
    await sending.catch_up()
    assert receiver.changes == [("a-report", "issued")]


async def test_a_receiver_down_for_four_days_is_tried_for_75_hours_and_then_stated(
    sending: Sending, receiver: Receiver
) -> None:
    country = sending.country
    made = await sending.subscribe(POC, receiver)
    receiver.answer = lambda _event: Response("ล่ม", 503)
    begun = country.now
    id_ = await issued(country, "down", PHUKET)
    assert await sending.catch_up() == 1
    assert await sending.pass_by(timedelta(days=4)) == len(SCHEDULE)
    assert len(set(receiver.ids)) == 1
    (delivery,) = await sending.timeline(made, POC)
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
    assert await sending.pass_by(timedelta(days=30)) == 0
    await sent(country, f"/{made['id']}/enable", POC)
    await sending.catch_up()
    assert len(set(receiver.ids[:11])) == 1
    (addressed,) = (await country.ask(f"/v1/directives/{id_}", A))["addressees"]
    assert addressed["state"] == "delivered"
    history = (await country.ask(f"/v1/directives/{id_}/history", A))["items"]
    assert [one["event"] for one in history].count("undeliverable") == 1


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_whatever_is_no_2xx_is_tried_again_under_the_same_id(
    sending: Sending, receiver: Receiver, status: int
) -> None:
    answers = iter([Response("no", status, {"location": receiver.url}), Response("ok")])
    receiver.answer = lambda _event: next(answers, Response("ok"))
    await sending.subscribe(PM, receiver)
    await issued(sending.country, "again", PHUKET)
    assert await sending.catch_up() == 1
    assert await sending.pass_by(SCHEDULE[0]) == 1
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


async def test_retry_after_is_heeded(sending: Sending, receiver: Receiver) -> None:
    receiver.answer = lambda _event: Response("later", 503, {"retry-after": "3600"})
    made = await sending.subscribe(PM, receiver)
    await issued(sending.country, "later", PHUKET)
    await sending.catch_up()
    (delivery,) = await sending.timeline(made, PM)
    due = datetime.fromisoformat(delivery["next_attempt_at"])
    assert due == sending.country.now + timedelta(hours=1)
    assert await sending.pass_by(timedelta(minutes=59)) == 0
    assert await sending.pass_by(timedelta(minutes=1)) == 1


async def test_410_disables_at_once_and_an_addressee_s_directive_knows(
    sending: Sending, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("gone", 410)
    made = await sending.subscribe(POC, receiver)
    await issued(sending.country, "gone", PHUKET)
    assert await sending.catch_up() == 1
    assert await sending.pass_by(timedelta(days=5)) == 0
    shown = await sending.country.ask(f"/v1/subscriptions/{made['id']}", POC)
    assert (shown["state"], shown["disabled_because"]) == ("disabled", "gone")
    history = (await sending.country.ask("/v1/directives/gone/history", A))["items"]
    assert [one["event"] for one in history][-1] == "undeliverable"


async def test_an_overseer_that_cannot_be_reached_is_nobody_s_history(
    sending: Sending, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("gone", 410)
    await sending.subscribe(PM, receiver)
    await issued(sending.country, "quiet", PHUKET)
    await sending.catch_up()
    history = (await sending.country.ask("/v1/directives/quiet/history", A))["items"]
    assert "undeliverable" not in [one["event"] for one in history]


async def test_the_next_of_a_directive_waits_for_the_one_before_and_others_do_not(
    sending: Sending, receiver: Receiver
) -> None:
    failing = {"first"}
    receiver.answer = lambda event: Response(
        "x", 500 if event["data"]["directive"] in failing else 200
    )
    await sending.subscribe(A, receiver)
    await issued(sending.country, "first", PHUKET)
    await step(sending.country, "first", "acknowledge", POC)
    await issued(sending.country, "second", PHUKET)
    await sending.catch_up()
    assert receiver.changes == [("first", "issued"), ("second", "issued")]
    failing.clear()
    await sending.pass_by(SCHEDULE[0])
    assert receiver.changes[2:] == [("first", "issued"), ("first", "acknowledged")]


@pytest.mark.parametrize(
    ("name", "by", "change"), [("withdraw", A, "withdrawn"), ("reverse", PM, "reversed")]
)
async def test_an_end_overtakes_and_what_it_makes_void_is_not_sent(
    sending: Sending, receiver: Receiver, name: str, by: str, change: str
) -> None:
    made = await sending.subscribe(A, receiver)
    receiver.answer = lambda _event: Response("x", 500)
    await issued(sending.country, "void", PHUKET)
    await step(sending.country, "void", "acknowledge", POC)
    await sending.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await step(sending.country, "void", name, by, reason="ปลอดภัยแล้ว")
    # At once, though the head waits for its next turn.
    assert await sending.catch_up() == 1
    await sending.pass_by(timedelta(days=4))
    assert receiver.changes == [("void", "issued"), ("void", change)]
    states = [(one["change"], one["state"]) for one in await sending.timeline(made, A)]
    assert states == [("issued", "superseded"), ("acknowledged", "superseded"),
                      (change, "delivered")]  # fmt: skip


async def test_a_takeover_overtakes_and_what_waits_is_sent_after(
    sending: Sending, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await sending.subscribe(A, receiver)
    await issued(sending.country, "taken", PHUKET)
    await sending.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await step(sending.country, "taken", "take-over", PM, reason="ด่วน")
    await sending.catch_up()
    assert receiver.changes == [("taken", "issued"), ("taken", "assumed"), ("taken", "issued")]
    numbers = [event["data"]["number"] for event in receiver.received]
    assert numbers == [1, 2, 1]


async def test_an_overseer_that_lost_its_authority_is_told_nothing_more(
    sending: Sending, receiver: Receiver
) -> None:
    """Also not what was queued while it had it."""
    country = sending.country
    receiver.answer = lambda _event: Response("x", 500)
    made = await sending.subscribe(B, receiver)
    await issued(country, "moved", PHANG_NGA, by=PM)
    await sending.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await ordered(country, "2/2567", gives("area", PHANG_NGA, "a"), complete=["area"])
    await issued(country, "after", PHANG_NGA, by=PM)
    await sending.pass_by(timedelta(hours=1))
    assert receiver.changes == [("moved", "issued")]
    (delivery,) = await sending.timeline(made, B)
    assert (delivery["state"], len(delivery["attempts"])) == ("withheld", 1)


async def test_an_addressee_s_right_to_its_own_never_lapses(
    sending: Sending, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await sending.subscribe(POC, receiver)
    await issued(sending.country, "own", PHUKET)
    await sending.catch_up()
    receiver.answer = lambda _event: Response("ok")
    await ordered(sending.country, "2/2567", gives("area", PHUKET, "b"), complete=["area"])
    await sending.pass_by(SCHEDULE[0])
    assert receiver.changes[:2] == [("own", "issued"), ("own", "issued")]


async def test_an_attempt_that_a_kill_cut_off_is_made_again_under_the_same_id(
    sending: Sending, receiver: Receiver
) -> None:
    """The request was sent, and whoever sent it died before it wrote down what came back."""
    country = sending.country
    made = await sending.subscribe(PM, receiver)
    await issued(country, "killed", PHUKET)
    await published(country)
    await sending.webhooks.queue()
    dying = replace(sending.webhooks, caller=Dying(sending.webhooks.caller))
    with pytest.raises(Killed):
        await dying.send("healthy", limit=10)
    assert await sending.catch_up() == 0
    assert await sending.at(country.now + LEASE) == 1
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    (delivery,) = await sending.timeline(made, PM)
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
    sending: Sending, receiver: Receiver, database: Database
) -> None:
    for _ in range(3):
        await sending.subscribe(PM, receiver)
    receiver.secrets.clear()
    for nth in range(5):
        await issued(sending.country, f"shared-{nth}", PHUKET)
    await published(sending.country)
    async with dispatcher(database, sending.country) as other:
        both = (sending.webhooks, other)
        await asyncio.gather(*(one.queue() for one in both))
        while sum(await asyncio.gather(*(one.send("healthy", limit=4) for one in both))):
            pass
    assert len(receiver.ids) == 15
    assert len(set(receiver.ids)) == 5


async def test_an_endpoint_is_called_so_often_at_once_and_once_while_it_fails(
    sending: Sending, receiver: Receiver
) -> None:
    await sending.subscribe(PM, receiver)
    for nth in range(6):
        await issued(sending.country, f"many-{nth}", PHUKET)
    await published(sending.country)
    await sending.webhooks.queue()
    pool, now = sending.webhooks.pool, sending.country.now
    first = await lease(pool, "healthy", limit=100, now=now)
    assert (len(first), await lease(pool, "healthy", limit=100, now=now)) == (4, [])
    await pool.execute("UPDATE outward.subscriptions SET failing = TRUE")
    assert await lease(pool, "failing", limit=100, now=now) == []
    assert len(await lease(pool, "failing", limit=100, now=now + LEASE)) == 1
    assert await lease(pool, "healthy", limit=100, now=now + LEASE) == []


async def test_what_an_endpoint_missed_is_sent_as_soon_as_it_is_back(
    sending: Sending, receiver: Receiver
) -> None:
    receiver.answer = lambda _event: Response("x", 500)
    await sending.subscribe(PM, receiver)
    for nth in range(3):
        await issued(sending.country, f"missed-{nth}", PHUKET)
    await sending.catch_up()
    await sending.pass_by(timedelta(hours=3))
    receiver.answer = lambda _event: Response("ok")
    receiver.received.clear()
    await issued(sending.country, "back", PHUKET)
    await sending.catch_up()
    assert {name for name, _ in receiver.changes} == {"back", "missed-0", "missed-1", "missed-2"}


async def test_during_a_rotation_both_secrets_sign(sending: Sending, receiver: Receiver) -> None:
    made = await sending.subscribe(PM, receiver)
    second = (await sent(sending.country, f"/{made['id']}/secret", PM)).json()
    receiver.secrets.append(second["secret"])
    await issued(sending.country, "rotated", PHUKET)
    assert await sending.catch_up() == 1
    assert len(receiver.signatures[-1].split(" ")) == 2
    receiver.secrets.remove(made["secret"])
    sending.country.now += timedelta(hours=25)
    await issued(sending.country, "later", PHUKET)
    assert await sending.catch_up() == 1
    assert len(receiver.signatures[-1].split(" ")) == 1


async def test_a_replay_tells_everything_again_under_the_same_ids(
    sending: Sending, receiver: Receiver
) -> None:
    made = await sending.subscribe(PM, receiver)
    await issued(sending.country, "told", PHUKET)
    await step(sending.country, "told", "acknowledge", POC)
    await sending.catch_up()
    before = list(receiver.received)
    await sent(sending.country, f"/{made['id']}/replay", PM, {"from": "2001-01-01"})
    assert await sending.catch_up() == 2
    assert receiver.ids == [one["id"] for one in before] * 2
    assert {len(one["attempts"]) for one in await sending.timeline(made, PM)} == {2}


async def test_a_test_event_goes_out_and_is_no_directive_s(
    sending: Sending, receiver: Receiver
) -> None:
    made = await sending.subscribe(MOC, receiver, signing="ed25519")
    asked = (await sent(sending.country, f"/{made['id']}/test", MOC)).json()
    assert await sending.catch_up() == 1
    (event,) = receiver.received
    assert (event["type"], event["id"]) == ("subscription.tested.v1", asked["event"])
    assert event["data"] == {"subscription": made["id"]}
    assert receiver.signatures[0].startswith("v1a,")


async def test_of_one_realm_nothing_is_told_in_another(
    sending: Sending, receiver: Receiver
) -> None:
    await sending.subscribe(PM, receiver, realm="exercise")
    await issued(sending.country, "real", PHUKET)
    assert await sending.catch_up() == 0


async def test_a_body_is_kept_for_as_long_as_it_may_be_sent(
    sending: Sending, receiver: Receiver
) -> None:
    await sending.subscribe(PM, receiver)
    await issued(sending.country, "kept", PHUKET)
    await published(sending.country)
    await sending.webhooks.queue()
    kept = "SELECT count(*) FROM outward.deliveries WHERE body IS NOT NULL"
    assert await sending.country.network.pool.fetchval(kept) == 1
    await sending.catch_up()
    assert await sending.country.network.pool.fetchval(kept) == 0


async def test_the_same_bytes_go_out_at_every_attempt(sending: Sending, receiver: Receiver) -> None:
    answers = iter([500, 200])
    receiver.answer = lambda _event: Response("x", next(answers, 200))
    await sending.subscribe(PM, receiver)
    await issued(sending.country, "bytes", PHUKET)
    await sending.catch_up()
    await step(sending.country, "bytes", "acknowledge", POC)
    await sending.pass_by(SCHEDULE[0])
    first, second = receiver.received[:2]
    assert json.dumps(first) == json.dumps(second)
    assert first["data"]["state"] == "open"
