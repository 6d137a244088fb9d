"""Whatever the order, however often, and however late: the same facts make the same tables."""

import random
from collections.abc import Iterable
from typing import Any

import asyncpg

from schemas.envelope import Envelope
from services.projections import schemas
from services.projections.rebuild import Rebuild
from services.projections.schemas import ALL
from tests.database import Database
from tests.projections.network import (
    INTERIOR,
    PHANG_NGA,
    PHUKET,
    Network,
    event,
    open_network,
    report,
)

type Sent = tuple[Envelope, bytes]

SHUFFLES = 8


def story() -> list[Sent]:
    """Facts of several sources, with corrections, withdrawals, updates, doubles and a conflict."""
    opened = {
        "incident": "flood", "hazard": "flood", "title_th": "น้ำท่วม", "severity": "severe",
        "provinces": ["TH-83"],
    }  # fmt: skip
    told: list[Sent] = [
        event("incident.opened.v1", opened, id="open"),
        event("incident.updated.v1", {"incident": "flood", "provinces": ["TH-82", "TH-83"]},
              source=PHANG_NGA, minutes=5, id="spread"),
        event("incident.closed.v1", {"incident": "flood", "reason": "over"}, minutes=90, id="over"),
        event("incident.closed.v1", {"incident": "flood", "reason": "no"}, minutes=30, id="early"),
        event("event.withdrawn.v1", {"reason": "too early"}, minutes=31, id="w1",
              originalid="early"),
        event("heartbeat.sent.v1", {"sequence_reset": True}, minutes=1, id="reset"),
        event("alert.issued.v1", alert("a1"), minutes=2, id="alert"),
        event("indicator.measured.v1", measured(3), minutes=3, id="m1"),
        event("indicator.measured.v1", measured(5), minutes=9, id="m2"),
    ]  # fmt: skip
    for minute in range(0, 60, 5):
        source = (PHUKET, PHANG_NGA)[minute % 2]
        place = {"place": "TH-83" if source == PHUKET else "TH-82"}
        told.append(
            event("situation.reported.v1", report(dead=minute, missing=60 - minute, **place),
                  source=source, minutes=minute, id=f"r{minute}")
        )  # fmt: skip
    corrected = {"corrected_type": "situation.reported.v1", "reason": "misread"}
    told += [
        event("event.corrected.v1", {**corrected, "corrected_data": report(dead=7)}, minutes=61,
              id="c1", originalid="r10"),
        # The centre above corrects too; it writes in another slot.
        event("event.corrected.v1", {**corrected, "corrected_data": report(dead=8)}, minutes=62,
              source=INTERIOR, id="c2", originalid="r10", originalsource=PHUKET),
        event("event.withdrawn.v1", {"reason": "not ours"}, minutes=63, source=INTERIOR, id="w2",
              originalid="r20", originalsource=PHUKET),
    ]  # fmt: skip
    return told


def alert(name: str) -> dict[str, Any]:
    return {
        "alert": name, "event_th": "น้ำท่วม", "headline_th": "ระวังน้ำท่วม",
        "urgency": "immediate", "severity": "severe", "certainty": "observed",
        "expires": "2024-09-02T00:00:00+07:00", "provinces": ["TH-83"],
    }  # fmt: skip


def measured(value: int) -> dict[str, Any]:
    return {
        "indicator": "water",
        "place": "TH-83",
        "date": "2024-09-01",
        "value": value,
        "unit": "cm",
    }


async def test_any_order_and_any_doubling_makes_equal_tables(database: Database) -> None:
    async with open_network(database) as network:
        told = story()
        wanted: dict[str, list[tuple[Any, ...]]] | None = None
        for seed in range(SHUFFLES):
            await _forget(network)
            for part in _shuffled(told, random.Random(seed)):
                await network.post(part)
                await network.project()
            tables = await _tables(network.pool)
            wanted = wanted or tables
            assert tables == wanted, f"seed {seed}"
        assert wanted is not None
        assert len(wanted["events.versions"]) == 4


async def test_a_rebuild_makes_the_tables_that_are_live(database: Database) -> None:
    async with open_network(database) as network:
        for part in _shuffled(story(), random.Random(1)):
            await network.post(part)
            await network.project()
        live = await _tables(network.pool)
        await Rebuild(network.pool, network.log, list(ALL)).run(lambda _done: None)
        assert await _tables(network.pool) == live
        for name in ALL:
            await Rebuild(network.pool, network.log, [name]).run(lambda _done: None)
        assert await _tables(network.pool) == live


def _shuffled(told: list[Sent], chance: random.Random) -> Iterable[list[Sent]]:
    """All of it, some twice, in any order and in parts. The doubles are equal to the first."""
    sent = told + chance.sample(told, k=len(told) // 3)
    chance.shuffle(sent)
    while sent:
        size = chance.randint(1, 9)
        part, sent = sent[:size], sent[size:]
        yield part


async def _forget(network: Network) -> None:
    """An empty log, and read models that have seen nothing."""
    pool = network.pool
    await pool.execute("TRUNCATE log.messages")
    await pool.execute("UPDATE log.heads SET next_offset = 0")
    await pool.execute("UPDATE projections.progress SET next_position = 0, next_offset = 0")
    async with pool.acquire() as connection, connection.transaction():
        await schemas.drop(connection, ALL)
        await schemas.ensure(connection)
    await pool.expire_connections()


async def _tables(pool: asyncpg.Pool) -> dict[str, list[tuple[Any, ...]]]:
    """Every table's rows, by what they say: where an event lies in the log is left out."""
    places = {
        "slot", "position", "root_slot", "root_position", "closed_slot", "closed_position",
    }  # fmt: skip
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for metadata in ALL.values():
        for table in metadata.sorted_tables:
            if table.name == "waiting":
                continue
            columns = ", ".join(f'"{c.name}"' for c in table.c if c.name not in places)
            rows = await pool.fetch(f"SELECT {columns} FROM {table.fullname}")
            tables[table.fullname] = sorted((tuple(row) for row in rows), key=repr)
    return tables
