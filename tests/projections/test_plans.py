"""Rows that are found again to be changed: by index, whenever the plan was made."""

import json
from typing import Any

import pytest

from schemas.envelope import Envelope
from services.projections import directives
from services.readmodels.directives import LOCKED, WHOLES
from tests.database import Database
from tests.projections.network import event, open_network

BY_DIRECTIVE = {"wholes_pkey", *(f"{table.name}_directive" for table in LOCKED)}


@pytest.mark.parametrize("known", [0, 1, 40])
async def test_what_settles_a_directive_is_planned_to_look_for_that_directive(
    database: Database, known: int
) -> None:
    async with open_network(database) as network, database.pool(size=1) as pool:
        for nth in range(known):
            await network.decide(f"directives/d{nth}", drafted(f"d{nth}"))
        await network.project()
        for nth, statement in enumerate(directives.MODEL.inserts[WHOLES.name]):
            sql = statement.format(schema="directives", table=WHOLES.name)
            async with pool.acquire() as connection:
                await connection.execute(f"PREPARE made_{nth} (directives.wholes[]) AS {sql}")
                explained = await connection.fetchval(
                    f"EXPLAIN (FORMAT JSON) EXECUTE made_{nth} ('{{}}')"
                )
            assert used(json.loads(explained)[0]["Plan"]) <= BY_DIRECTIVE, sql


def drafted(id_: str) -> tuple[Envelope, bytes]:
    data = {"directive": id_, "deputy": "a", "drafted_by": "secretariat:a", "kind": "report",
            "title_th": "x", "text_th": "x", "addressees": ["TH-83"]}  # fmt: skip
    return event("directive.drafted.v1", data)


def used(plan: dict[str, Any]) -> set[str]:
    """By what the plan reads tables: the names of indexes, and of tables that it reads whole."""
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    if plan["Node Type"] == "Seq Scan":
        found.add(plan["Relation Name"])
    return found.union(*(used(one) for one in plan.get("Plans", [])))
