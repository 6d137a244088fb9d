"""Why something was set aside says where and what was wrong, and nothing of what it says."""

import asyncpg
import pytest
from pydantic import ValidationError

from schemas.events import decode
from services.projections.reason import reason_of
from tests.database import Database

CITIZEN = "1101700230708"


def test_data_of_the_wrong_shape_are_named_by_their_place() -> None:
    data = b'{"incident": "flood", "place": "TH-83", "dead": "%b"}' % CITIZEN.encode()
    with pytest.raises(ValidationError) as refused:
        decode("situation.reported.v1", data)
    reason = reason_of(refused.value)
    assert reason == "ValidationError: dead: Input should be a valid integer"


def test_bytes_that_are_no_json_are_not_quoted() -> None:
    with pytest.raises(ValidationError) as refused:
        decode("situation.reported.v1", CITIZEN.encode() + b"{")
    assert reason_of(refused.value).startswith("ValidationError: data: Invalid JSON")
    assert CITIZEN not in reason_of(refused.value)


async def test_what_the_database_refuses_is_named_by_column_or_state(database: Database) -> None:
    refused = {
        f"SELECT 'no {CITIZEN}'::int": "SQLSTATE 22P02",
        f"INSERT INTO projections.parked (model) VALUES ('{CITIZEN}')": "SQLSTATE 23502 parked key",
    }
    async with database.pool(size=1) as pool:
        for statement, reason in refused.items():
            with pytest.raises(asyncpg.PostgresError) as problem:
                await pool.execute(statement)
            assert reason_of(problem.value).partition(": ")[2] == reason
        with pytest.raises(asyncpg.DataError) as of_the_driver:
            await pool.execute("SELECT $1::int", int(CITIZEN) * 10**9)
        assert reason_of(of_the_driver.value) == "DataError: value out of int32 range"


def test_any_other_failure_keeps_its_words() -> None:
    reason = reason_of(LookupError("the store has no decision 7\x00"))
    assert reason == "LookupError: the store has no decision 7\\u0000"
