"""What was set aside and is tried again makes the state it would have made."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from schemas.envelope import DECISIONS_SLOT, DECISIONS_TOPIC, STATUS_TOPIC, Envelope
from schemas.slots import slot_of
from services.projections.rebuild import Rebuild
from services.projections.retries import retry_parked, work_off
from services.projections.runner import LIVE
from services.projections.schemas import ALL
from services.projections.turn import turn
from tests.database import Database
from tests.projections.network import PHUKET, Network, event, open_network, report

type Json = Any
type Sent = tuple[Envelope, bytes]

_REPORTS = "SELECT slot, position, id, figures[1] FROM situations.reports ORDER BY slot, position"
_QUARANTINE = """
SELECT reason, note, resolved_at IS NOT NULL AS resolved FROM projections.quarantine
"""
_SET_ASIDE = """
INSERT INTO projections.quarantine (topic, partition, "offset", reason, key, headers, value)
VALUES ($1, $2, $3, 'UnknownType: not known yet', $4, $5, $6)
"""
_NEXT = """
UPDATE projections.progress SET next_position = next_position + 1, next_offset = next_offset + 1
WHERE slot = $1
"""
_PARK = """
INSERT INTO projections.parked (model, key, slot, position, reason)
VALUES ('situations', 'flood', $1, $2, 'DataError: out of range')
"""
NONE = {"unreadable": 0, "parked": 0}


@pytest_asyncio.fixture
async def network(database: Database) -> AsyncIterator[Network]:
    async with open_network(database) as opened:
        yield opened


def said(dead: int, name: str) -> Sent:
    return event("situation.reported.v1", report(dead=dead), id=name)


async def pass_over(network: Network, topic: str, partition: int) -> None:
    """The next message is in quarantine, as older code would leave what it cannot read."""
    slot = DECISIONS_SLOT if topic == DECISIONS_TOPIC else partition
    offset = await network.pool.fetchval(
        "SELECT next_offset FROM projections.progress WHERE slot = $1", slot
    )
    record = await network.log.at(topic, partition, offset)
    assert record is not None
    headers = msgspec.json.encode([(name, value.decode()) for name, value in record.headers])
    place = (topic, partition, offset)
    await network.pool.execute(_SET_ASIDE, *place, record.key, headers.decode(), record.value)
    await network.pool.execute(_NEXT, slot)


async def post_passed_over(network: Network, sent: Sent) -> None:
    await network.post([sent])
    await pass_over(network, STATUS_TOPIC, slot_of(sent[0].source))


async def retried(network: Network) -> Json:
    """What comes of a retry that an operator asks for."""
    await network.pool.execute("INSERT INTO projections.retries (requested_by) VALUES ('operator')")
    assert await work_off(network.pool, network.log, LIVE)
    return msgspec.json.decode(
        await network.pool.fetchval(
            "SELECT outcome FROM projections.retries ORDER BY number DESC LIMIT 1"
        )
    )


async def reports(network: Network) -> list[tuple[Json, ...]]:
    return [tuple(row) for row in await network.pool.fetch(_REPORTS)]


async def test_what_can_be_read_by_now_has_its_effect_at_its_place(network: Network) -> None:
    await post_passed_over(network, said(1, "first"))
    await network.post([said(2, "second")])
    await network.project()
    outcome = await retried(network)
    assert (outcome["resolved"], outcome["refused"]) == ({"unreadable": 1, "parked": 0}, NONE)
    live = await reports(network)
    assert [row[2:] for row in live] == [("first", 1), ("second", 2)]
    await Rebuild(network.pool, network.log, list(ALL)).run(lambda _done: None)
    assert await reports(network) == live
    (left,) = await network.pool.fetch(_QUARANTINE)
    assert (left["note"], left["resolved"]) == ("applied", True)


async def test_a_second_retry_finds_nothing_and_changes_nothing(network: Network) -> None:
    await post_passed_over(network, said(1, "first"))
    await retried(network)
    live = await reports(network)
    assert await retried(network) == {"resolved": NONE, "refused": NONE, "items": []}
    assert await reports(network) == live


async def test_a_correction_that_waited_finds_what_can_be_read_by_now(network: Network) -> None:
    await post_passed_over(network, said(1, "first"))
    corrected = {
        "corrected_type": "situation.reported.v1",
        "corrected_data": report(dead=7),
        "reason": "x",
    }
    await network.post([event("event.corrected.v1", corrected, originalid="first")])
    await network.project()
    assert await reports(network) == []
    await retried(network)
    assert [row[2:] for row in await reports(network)] == [("first", 1), ("first", 7)]
    assert await network.pool.fetchval("SELECT count(*) FROM events.versions") == 1


async def test_a_decision_that_can_be_read_by_now_is_registered(network: Network) -> None:
    named = {"ministry": "moi", "name_th": "กระทรวงมหาดไทย", "source": "test"}
    await network.decide("registry", event("ministry.registered.v1", named, source="/network"))
    await pass_over(network, DECISIONS_TOPIC, 0)
    await network.project()
    assert (await retried(network))["resolved"]["unreadable"] == 1
    assert await network.pool.fetchval("SELECT entry FROM registry.entries") == "moi"


async def test_what_nobody_can_read_yet_stays_with_its_reason(network: Network) -> None:
    await network.post([event("situation.reported.v1", {}, id="bad"), said(1, "good")])
    await network.project()
    outcome = await retried(network)
    assert (outcome["resolved"], outcome["refused"]) == (NONE, {"unreadable": 1, "parked": 0})
    (item,) = outcome["items"]
    (left,) = await network.pool.fetch(_QUARANTINE)
    assert (item["note"], left["resolved"]) == (left["reason"], False)
    assert "ValidationError" in item["note"]


async def test_what_still_does_not_fit_its_original_stays(network: Network) -> None:
    misfit = {"corrected_type": "heartbeat.sent.v1", "corrected_data": {}, "reason": "x"}
    await network.post(
        [said(1, "first"), event("event.corrected.v1", misfit, originalid="first", id="misfit")]
    )
    await network.project()
    outcome = await retried(network)
    assert outcome["refused"] == {"unreadable": 1, "parked": 0}
    assert "as heartbeat.sent.v1" in outcome["items"][0]["note"]


@pytest.mark.parametrize(
    ("dead", "note"),
    [(1, "a duplicate of an event that was applied"), (2, "listed as a conflict")],
)
async def test_an_id_that_was_admitted_meanwhile_stays_with_who_has_it(
    network: Network, dead: int, note: str
) -> None:
    await post_passed_over(network, said(dead, "first"))
    await network.post([said(1, "first")])
    await network.project()
    outcome = await retried(network)
    assert note in outcome["items"][0]["note"]
    assert [row[2:] for row in await reports(network)] == [("first", 1)]
    conflicts = await network.pool.fetchval("SELECT count(*) FROM events.conflicts")
    assert conflicts == dead - 1


async def park(network: Network, position: int) -> None:
    """The report at this place is parked, as a read model with a bug would leave it."""
    slot = slot_of(PHUKET)
    await network.pool.execute("DELETE FROM situations.reports WHERE position = $1", position)
    await network.pool.execute(_PARK, slot, position)


async def test_parked_facts_are_applied_in_order(network: Network) -> None:
    await network.post([said(1, "first"), said(2, "second")])
    await network.project()
    live = await reports(network)
    for position in (0, 1):
        await park(network, position)
    outcome = await retried(network)
    assert outcome["resolved"] == {"unreadable": 0, "parked": 2}
    assert [item["place"] for item in outcome["items"]] == [0, 1]
    assert await reports(network) == live
    assert await network.pool.fetchval("SELECT count(*) FROM projections.parked") == 0


async def test_what_is_parked_in_one_realm_holds_up_no_other(network: Network) -> None:
    drill = _of_flood("drill", realm="exercise")
    await network.post([drill])
    await network.project()
    await network.pool.execute("DELETE FROM situations.reports")
    await network.pool.execute(
        "INSERT INTO projections.parked (model, key, slot, position, reason) "
        "VALUES ('situations', 'exercise:incidents/flood', $1, 0, 'DataError: out of range')",
        slot_of(PHUKET),
    )
    await network.post([_of_flood("fact"), _of_flood("more", realm="exercise")])
    await network.project()
    assert [row[2] for row in await reports(network)] == ["fact"]
    assert await network.pool.fetchval("SELECT count(*) FROM projections.parked") == 2


def _of_flood(name: str, realm: str = "actual") -> Sent:
    data, subject = report(dead=1), "incidents/flood"
    return event("situation.reported.v1", data, id=name, subject=subject, realm=realm)


async def test_a_key_stays_parked_from_its_first_failure_on(network: Network) -> None:
    await network.post([said(1, "first")])
    await network.project()
    for position in (0, 99):
        await park(network, position)
    outcome = await retried(network)
    assert outcome["refused"] == {"unreadable": 0, "parked": 1}
    rows = await network.pool.fetch("SELECT position, reason FROM projections.parked ORDER BY 1")
    assert [row["position"] for row in rows] == [0, 99]
    assert "has nothing at 99" in rows[1]["reason"]
    assert await reports(network) == []


async def test_nothing_is_put_into_models_while_others_are_built_beside_them(
    network: Network,
) -> None:
    await post_passed_over(network, said(1, "first"))
    await network.pool.execute("INSERT INTO projections.retries (requested_by) VALUES ('operator')")
    async with turn(network.pool):
        assert not await work_off(network.pool, network.log, LIVE)
        await park(network, 0)
        await retry_parked(network.pool, network.log, LIVE)
        assert await network.pool.fetchval("SELECT count(*) FROM projections.parked") == 1
    assert await work_off(network.pool, network.log, LIVE)
    assert len(await reports(network)) == 1


_ASK = "INSERT INTO projections.retries (requested_by) VALUES ('operator')"
_AS_OPERATOR = "SELECT set_config('kamkap.reader', 'operator', true)"
_ANSWER = "UPDATE projections.retries SET done_at = now(), outcome = '{}'"
REFUSED = (
    ("kamkap_api", "INSERT INTO projections.retries (outcome) VALUES ('{}')"),
    ("kamkap_api", _ANSWER),
    ("kamkap_api", "DELETE FROM projections.retries"),
    ("kamkap_api", "UPDATE projections.quarantine SET resolved_at = now()"),
    ("kamkap_api", "DELETE FROM projections.parked"),
    ("kamkap_projections", "UPDATE projections.retries SET requested_by = 'x'"),
    ("kamkap_timers", _ASK),
    ("kamkap_ingest", _ASK),
)


async def test_the_gateway_may_only_ask_and_the_runner_only_answer(database: Database) -> None:
    for role, statement in REFUSED:
        async with database.pool(role) as pool:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
    async with database.pool("kamkap_api") as pool:
        await pool.execute(f"BEGIN; {_AS_OPERATOR}; {_ASK}; COMMIT")
    async with database.pool("kamkap_projections") as pool:
        await pool.execute(_ANSWER)
        await pool.execute("UPDATE projections.quarantine SET note = 'x', resolved_at = now()")
