"""A batch of the log has its effect once, and the first of two contents wins."""

from tests.database import Database
from tests.projections.network import PHUKET, event, open_network, report


async def test_an_event_sent_twice_has_one_effect(database: Database) -> None:
    async with open_network(database) as network:
        sent = event("situation.reported.v1", report(dead=3), id="a")
        await network.post([sent, sent])
        await network.post([sent])
        await network.project()
        assert await network.pool.fetchval("SELECT count(*) FROM situations.reports") == 1
        assert await network.pool.fetchval("SELECT count(*) FROM events.conflicts") == 0


async def test_the_first_of_two_contents_under_one_id_has_effect(database: Database) -> None:
    async with open_network(database) as network:
        await network.post([event("situation.reported.v1", report(dead=3), id="a")])
        await network.project()
        await network.post([event("situation.reported.v1", report(dead=4), id="a")])
        await network.project()
        figures = await network.pool.fetch("SELECT figures[1] AS dead FROM situations.reports")
        assert [row["dead"] for row in figures] == [3]
        listed = await network.pool.fetch("SELECT source, id FROM events.conflicts")
        assert [tuple(row) for row in listed] == [(PHUKET, "a")]
