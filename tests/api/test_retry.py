"""An operator asks for a retry, and hears what came of it."""

import asyncio

from services.projections.retries import work_off
from services.projections.runner import LIVE
from tests.api.country import Country

RETRY = "/v1/quarantine/retry"
_NOT_REPORTED_YET = (
    "INSERT INTO projections.parked (model, key, slot, position, reason) "
    "VALUES ('incidents', 'incidents/x', 3, 7, 'DataError: out of range')"
)


async def test_a_retry_answers_with_what_is_still_refused(country: Country) -> None:
    await country.network.pool.execute(_NOT_REPORTED_YET)
    asked, _ = await asyncio.gather(
        country.send("POST", RETRY, "operator"), _work_off_once(country)
    )
    assert asked.status_code == 200
    outcome = asked.json()["outcome"]
    assert outcome["refused"] == {"unreadable": 0, "parked": 1}
    (listed,) = (await country.ask("/v1/quarantine", "operator"))["items"]
    assert listed["reason"] == outcome["items"][0]["note"] != "DataError: out of range"


async def test_whoever_asks_while_one_waits_hears_of_the_same(country: Country) -> None:
    country.wait_at_most(seconds=0)
    first, second = await asyncio.gather(*(
        country.send("POST", RETRY, "operator") for _ in range(2)
    ))  # fmt: skip
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.json()["done_at"] is None
    await _work_off_once(country)
    third = await country.send("POST", RETRY, "operator")
    assert third.json()["number"] > first.json()["number"]


async def test_nobody_asks_for_a_retry(country: Country) -> None:
    assert (await country.send("POST", RETRY, None)).status_code == 401


async def _work_off_once(country: Country) -> None:
    """The runner has done what is asked for, as soon as it is."""
    network = country.network
    async with asyncio.timeout(20):
        while not await work_off(network.pool, network.log, LIVE):  # noqa: ASYNC110 -- it looks too
            await asyncio.sleep(0.05)
