"""The second lock: the gateway's role by hand, and what it has without the name of a reader."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import Column, MetaData, Table, Text

from schemas.ids import CentreId, source_of_centre
from services.embedded.postgres import EmbeddedPostgres
from services.projections import schemas
from services.projections.schemas import ALL
from services.readmodels.confidential import READER, seen_by
from tests.api.country import Country, open_country
from tests.api.happenings import happen
from tests.database import Database, fresh_database
from tests.projections.network import event

ROLES = ["kamkap_ingest", "kamkap_projections", "kamkap_timers", "kamkap_relay", "kamkap_api",
         "kamkap_operator"]  # fmt: skip
LISTED = {
    "projections.quarantine": "reason",
    "projections.parked": "reason",
    "projections.retries": "requested_by",
}
PRIVATE = ["projections.quarantine", "projections.parked", "projections.retries", "events.waiting"]
DRAFTS = MetaData(schema="drafts")
Table(
    "drafts",
    DRAFTS,
    Column("owner", Text),
    info=seen_by(f"owner = {READER}"),
)
_POWERS = """
SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS powers,
       (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) AS groups,
       (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid AND c.oid = ANY($2::regclass[]))
           AS owned
FROM pg_roles r WHERE rolname = $1
"""


@pytest_asyncio.fixture(scope="module")
async def database(postgres_server: EmbeddedPostgres) -> AsyncIterator[Database]:
    """One database for all these tests."""
    async with fresh_database(postgres_server) as fresh:
        yield fresh


@pytest_asyncio.fixture(scope="module")
async def country(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A country in which something is in every table that is confidential."""
    async with open_country(database, tmp_path_factory.mktemp("home")) as opened:
        await happen(opened)
        ddpm = source_of_centre(CentreId("doc:moi.ddpm"))
        data = {"reason": "counted twice"}
        await opened.tell(event("event.withdrawn.v1", data, source=ddpm, originalid="never-came"))
        opened.wait_at_most(seconds=0)
        await opened.send("POST", "/v1/quarantine/retry", "operator")
        yield opened


async def rows_of(database: Database, table: str, column: str, reader: str | None) -> int:
    """How many rows the gateway's role has in a transaction for this reader."""
    connection = await asyncpg.connect(database.dsn("kamkap_api"))
    try:
        async with connection.transaction():
            if reader is not None:
                await connection.execute("SELECT set_config('kamkap.reader', $1, true)", reader)
            rows = await connection.fetch(f"SELECT {column} FROM {table}")
    finally:
        await connection.close()
    return len(rows)


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize(("table", "column"), LISTED.items())
async def test_only_the_operator_s_transaction_has_rows(
    database: Database, table: str, column: str
) -> None:
    for reader in (None, "", "pm", "deputy:a", "poc:TH-83", "Operator"):
        assert await rows_of(database, table, column, reader) == 0
    assert await rows_of(database, table, column, "operator") > 0


@pytest.mark.usefixtures("country")
async def test_the_setting_ends_with_its_transaction(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn("kamkap_api"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('kamkap.reader', 'operator', true)")
        assert await connection.fetch("SELECT reason FROM projections.quarantine") == []
    finally:
        await connection.close()


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize("column", ["value", "key", "headers", "*"])
async def test_the_bytes_of_what_could_not_be_read_are_not_the_gateway_s(
    database: Database, column: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rows_of(database, "projections.quarantine", column, "operator")


async def test_what_waits_for_its_original_is_seen_by_nobody(
    database: Database, country: Country
) -> None:
    assert await country.network.pool.fetchval("SELECT count(*) FROM events.waiting") == 1
    for reader in (None, "operator", "pm"):
        assert await rows_of(database, "events.waiting", "value", reader) == 0


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize(
    ("reader", "asker"), [("", "operator"), ("pm", "operator"), ("operator", "pm")]
)
async def test_a_retry_is_asked_for_in_the_operator_s_name_alone(
    database: Database, reader: str, asker: str
) -> None:
    asked = f"""
        BEGIN;
        SELECT set_config('kamkap.reader', '{reader}', true);
        INSERT INTO projections.retries (requested_by) VALUES ('{asker}');
        COMMIT
    """
    async with database.pool("kamkap_api", size=1) as pool:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await pool.execute(asked)


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize("role", ROLES)
async def test_no_process_s_role_can_pass_row_security_by(database: Database, role: str) -> None:
    """The server is the embedded one: the roles of a production database are made the same way."""
    async with database.pool(size=1) as pool:
        row = await pool.fetchrow(_POWERS, role, PRIVATE)
    assert row is not None
    assert tuple(row) == (False, 0, 0)


@pytest.mark.usefixtures("country")
async def test_row_security_holds_for_the_owner_too(database: Database) -> None:
    async with database.pool(size=1) as pool:
        forced = await pool.fetch(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class "
            "WHERE oid = ANY($1::regclass[])",
            PRIVATE,
        )
    assert [tuple(row) for row in forced] == [(True, True)] * len(PRIVATE)


async def test_row_security_survives_a_rebuild(database: Database) -> None:
    """As the projections' own role, which owns what it makes."""
    async with database.pool("kamkap_projections") as pool, pool.acquire() as connection:
        await schemas.make(connection, "drafts", DRAFTS)
        await schemas.make(connection, "drafts_next", DRAFTS)
        await connection.execute("INSERT INTO drafts_next.drafts VALUES ('deputy:a'), ('pm')")
        await schemas.switch(connection, ["drafts"])
        assert await connection.fetchval("SELECT count(*) FROM drafts.drafts") == 2
    assert await rows_of(database, "drafts.drafts", "owner", None) == 0
    assert await rows_of(database, "drafts.drafts", "owner", "deputy:a") == 1
    assert await rows_of(database, "drafts.drafts", "owner", "deputy:b") == 0


@pytest.mark.usefixtures("country")
async def test_tables_made_before_are_secured_when_a_runner_starts(database: Database) -> None:
    async with database.pool("postgres") as pool, pool.acquire() as connection:
        await connection.execute("DROP POLICY by_reader ON events.waiting")
        await connection.execute("ALTER TABLE events.waiting NO FORCE ROW LEVEL SECURITY")
        async with connection.transaction():
            await schemas.ensure(connection)
        made = await connection.fetchval(schemas.POLICY, "events.waiting")
    assert made == ALL["events"].tables["events.waiting"].info["seen_by"]
