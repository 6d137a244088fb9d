"""A process that starts while its database is away waits for it, and says so."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from services.api import process as api
from services.identity.issuer import Issuer
from services.ingest import process as ingest
from services.operation.serving import listen
from services.operation.settings import Settings
from services.projections import process as projections
from tests.database import Database
from tests.projections.network import event, open_network

PATIENCE_SECONDS = 40
MINISTRY = {"ministry": "moi", "name_th": "กระทรวงมหาดไทย", "source": "test"}

type Run = Callable[[Settings], Coroutine[None, None, None]]


@pytest.mark.parametrize(
    "run", [ingest.run, projections.run, api.run], ids=["ingest", "projections", "api"]
)
async def test_a_process_waits_for_its_database_and_says_so(
    database: Database, tmp_path: Path, run: Run
) -> None:
    async with open_network(database) as network:
        registered = event("ministry.registered.v1", MINISTRY, source="/centres/pmoc")
        await network.decide("registry", registered)
        await network.project()
    server = tmp_path / "server"
    settings = _settings(database, server, tmp_path)
    running = asyncio.create_task(run(settings))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await _answer(settings, "/readyz", running)
            assert (answer.status_code, list(answer.json()["checks"])) == (503, ["start"])
            assert (await _answer(settings, "/healthz", running)).status_code == 200
            other = await _answer(settings, "/v1/events", running)
            assert (other.status_code, other.headers["retry-after"]) == (503, "2")
            server.symlink_to(database.server.socket_directory)
            while (await _answer(settings, "/readyz", running)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _settings(database: Database, server: Path, home: Path) -> Settings:
    """A process of its own, whose database server is not there until `server` is."""
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
    url = database.dsn("").replace("//@", "//")
    settings = Settings(
        home=home,
        port=port,
        secret=Fernet.generate_key().decode(),
        database_url=url.replace(str(database.server.socket_directory), str(server)),
    )
    Issuer.open(settings)
    return settings


async def _answer(settings: Settings, path: str, running: asyncio.Task[None]) -> httpx.Response:
    """The process's answer, as soon as it gives one."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}") as client:
        while not running.done():
            try:
                return await client.get(path)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    await running
    raise AssertionError("the process ended")
