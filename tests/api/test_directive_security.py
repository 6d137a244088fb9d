"""The second lock on directives: drafts and what is confidential, whatever a query forgets."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from services.api.directive_rows import read_shaped
from services.api.moments import Pair
from services.api.reading import Question, ask
from services.domain.issuing import Circumstances
from services.domain.readership import Readership, readership_of
from services.embedded.postgres import EmbeddedPostgres
from services.identity.identity import Identity
from services.projections import schemas
from services.projections.rebuild import Rebuild
from services.readmodels import directives
from tests.api.country import PHUKET, Country, Json, open_country
from tests.database import Database, fresh_database
from tests.projections.network import event

TABLES = ("drafts", "steps", "stated", "authority", "wholes")
CLOCK: Json = {"owes": "acknowledgement", "begins": "2024-09-01T05:01:00Z", "levels": ["pm"],
               "ends": "2024-09-02T05:01:00Z", "reminder_percent": 75,
               "level_seconds": 3600}  # fmt: skip
NOW = Pair(None, None, "actual", None, None)
UNSCOPED = "SELECT shaped.* FROM shaped"

OPEN, DRAFT, SECRET, REWRITTEN = "open", "draft", "secret", "rewritten"
OF_PM, TO_MOI = "of-pm", "to-moi"
ENTITLED = {
    "pm": {DRAFT, SECRET, REWRITTEN, OF_PM, TO_MOI},
    "deputy:a": {DRAFT, SECRET, REWRITTEN, TO_MOI},
    "secretariat:a": {DRAFT, SECRET, REWRITTEN, TO_MOI},
    "deputy:b": set(),
    "secretariat:b": set(),
    "pmoc": {OF_PM},
    "poc:TH-83": {SECRET, REWRITTEN, OF_PM},
    "governor:TH-83": {SECRET, REWRITTEN, OF_PM},
    "poc:TH-82": set(),
    "moc:moi": {TO_MOI},
    "doc:moi.ddpm": set(),
    "analyst": set(),
    "operator": set(),
}
"""Beside what is open: everybody's who reads directives at all."""

ISSUED = {OPEN, SECRET, REWRITTEN, OF_PM, TO_MOI}
HAS = {"steps": ISSUED, "authority": ISSUED, "stated": {OPEN, SECRET}}
"""Of which directives a table has rows; the others of all."""


@pytest_asyncio.fixture(scope="module")
async def database(postgres_server: EmbeddedPostgres) -> AsyncIterator[Database]:
    """One database for all these tests."""
    async with fresh_database(postgres_server) as fresh:
        yield fresh


@pytest_asyncio.fixture(scope="module")
async def country(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A country with directives of every kind of secrecy."""
    async with open_country(database, tmp_path_factory.mktemp("home")) as opened:
        await _decide(opened, OPEN, draft(OPEN), issue(OPEN, PHUKET), reminded(OPEN))
        await _decide(opened, DRAFT, draft(DRAFT))
        secret = draft(SECRET, classification="confidential")
        await _decide(opened, SECRET, secret, issue(SECRET, PHUKET), reminded(SECRET))
        await _decide(opened, SECRET, noted(SECRET))
        # What was written openly first is as confidential as what was issued.
        again = draft(REWRITTEN, classification="confidential")
        await _decide(opened, REWRITTEN, draft(REWRITTEN), again, issue(REWRITTEN, PHUKET))
        of_pm = draft(OF_PM, deputy="pm", classification="confidential")
        await _decide(opened, OF_PM, of_pm, issue(OF_PM, PHUKET, by=None))
        to_moi = draft(TO_MOI, addressees=["moi"], classification="confidential")
        await _decide(opened, TO_MOI, to_moi, issue(TO_MOI, "moi", by="function"))
        yield opened


def draft(id_: str, **said: Json) -> Json:
    data = {"directive": id_, "deputy": "a", "drafted_by": "secretariat:a", "kind": "report",
            "title_th": "x", "text_th": "x", "addressees": [PHUKET], **said}  # fmt: skip
    return event("directive.drafted.v1", data)


def issue(id_: str, addressee: str, *, by: str | None = "area") -> Json:
    """Issued by the power over the addressee itself; None is the Prime Minister's."""
    given: Json = {"addressee": addressee}
    if by is not None:
        power = "area" if by == "area" else "oversee"
        given |= {"order": "1/2567", "clause": 1, "dimension": by, "target": addressee,
                  "power": power}  # fmt: skip
    data = {"directive": id_, "issued_by": "deputy:a", "capacity": "holder", "authority": [given],
            "clocks": [CLOCK]}  # fmt: skip
    return event("directive.issued.v1", data, minutes=1)


def reminded(id_: str) -> Json:
    data = {"directive": id_, "addressee": PHUKET, "owes": "acknowledgement",
            "since": CLOCK["begins"], "due_at": CLOCK["ends"]}  # fmt: skip
    return event("directive.reminded.v1", data, minutes=1)


def noted(id_: str) -> Json:
    data = {"directive": id_, "addressee": PHUKET, "by": "poc:TH-83"}
    return event("directive.acknowledged.v1", data, minutes=2)


async def _decide(country: Country, id_: str, *events: Json) -> None:
    await country.network.decide(f"directives/{id_}", *events)
    await country.network.project()


def reads_of(question: Question) -> Readership:
    return readership_of(question.identity, Circumstances(question.matrix, question.registry))


@pytest.mark.parametrize("reader", ENTITLED)
async def test_a_query_without_its_scope_has_the_reader_s_own_rows_alone(
    country: Country, reader: str
) -> None:
    """The leak is planted: the same query as the gateway's, but for its filter by scope."""
    async with ask(country.gateway.resources, Identity.parse(reader), NOW) as question:
        rows = await read_shaped(question, reads_of(question), UNSCOPED, only="TRUE")
        assert {row.id for row in rows} == ENTITLED[reader] | {OPEN}
        for table in TABLES:
            found = await question.rows(f"SELECT directive FROM directives.{table}")
            expected = (ENTITLED[reader] | {OPEN}) & HAS.get(table, set(ENTITLED["pm"]) | {OPEN})
            assert {row.directive for row in found} == expected


@pytest.mark.parametrize("table", TABLES)
async def test_who_did_not_say_for_whom_it_reads_has_what_is_open(
    country: Country, table: str
) -> None:
    async with ask(country.gateway.resources, Identity.parse("pm"), NOW) as question:
        found = await question.rows(f"SELECT directive FROM directives.{table}")
    assert {row.directive for row in found} == {OPEN}


async def test_what_a_reader_is_entitled_to_ends_with_the_transaction(
    country: Country, database: Database
) -> None:
    connection = await asyncpg.connect(database.dsn("kamkap_api"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('kamkap.entitled', 'everything', true)")
            assert len(await _directives(connection, "wholes")) == len(ENTITLED["pm"]) + 1
        assert await _directives(connection, "wholes") == {OPEN}
    finally:
        await connection.close()


async def test_no_reader_sees_the_timers_alarms(country: Country) -> None:
    async with ask(country.gateway.resources, Identity.parse("pm"), NOW) as question:
        await read_shaped(question, reads_of(question), UNSCOPED, only="TRUE")
        assert await question.rows("SELECT directive FROM directives.alarms") == []


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize(
    ("role", "sees"),
    [("kamkap_timers", True), ("kamkap_ingest", False), ("kamkap_relay", False),
     ("kamkap_operator", False)],
)  # fmt: skip
async def test_the_timers_see_every_directive(database: Database, role: str, sees: bool) -> None:
    connection = await asyncpg.connect(database.dsn(role))
    try:
        for table in ("drafts", "wholes"):
            seen = await _directives(connection, table)
            assert seen == ({OPEN} | ENTITLED["pm"] if sees else {OPEN})
        assert await _directives(connection, "alarms") == (ISSUED if sees else set())
    finally:
        await connection.close()


async def test_a_rebuild_by_who_owns_the_tables_keeps_the_lock_and_what_it_goes_by(
    country: Country, database: Database
) -> None:
    before = await _readers(country)
    await _give_to(database, "kamkap_projections")
    async with database.pool("kamkap_projections") as pool:
        await Rebuild(pool, country.network.log, ["directives"]).run(lambda _done: None)
        async with pool.acquire() as connection:
            assert await _directives(connection, "drafts") == {OPEN} | ENTITLED["pm"]
            for table in TABLES:
                made = await connection.fetchval(schemas.POLICY, f"directives.{table}")
                assert made == directives.METADATA.tables[f"directives.{table}"].info["seen_by"]
    assert await _readers(country) == before
    async with database.pool("kamkap_api", size=1) as pool, pool.acquire() as connection:
        assert await _directives(connection, "drafts") == {OPEN}


async def test_what_the_lock_goes_by_is_looked_for_in_no_table(country: Country) -> None:
    """It stands on the row, and the reader's names are taken apart once for the statement."""
    async with country.gateway.resources.pool.acquire() as connection:
        plan = await connection.fetch("EXPLAIN SELECT count(*) FROM directives.steps")
    lines = [row[0].strip() for row in plan]
    assert [line for line in lines if " on " in line] == [
        next(line for line in lines if " on steps " in line)
    ]
    assert "InitPlan 1" in lines


type Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


async def _directives(connection: Connection, table: str) -> set[str]:
    rows = await connection.fetch(f"SELECT directive FROM directives.{table}")
    return {row["directive"] for row in rows}


async def _readers(country: Country) -> list[Json]:
    rows = []
    for table in TABLES:
        sql = f"SELECT directive, readers FROM directives.{table} ORDER BY directive, readers"
        rows += [tuple(row) for row in await country.network.pool.fetch(sql)]
    return rows


async def _give_to(database: Database, role: str) -> None:
    """In these tests a superuser made the tables, whom no lock holds."""
    async with database.pool(size=1) as pool:
        for schema, metadata in schemas.ALL.items():
            await pool.execute(f"ALTER SCHEMA {schema} OWNER TO {role}")
            for table in metadata.sorted_tables:
                await pool.execute(f"ALTER TABLE {schema}.{table.name} OWNER TO {role}")
