"""The door as an application and as a process: what it documents, how it starts and stops."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
from cryptography.fernet import Fernet
from fastapi import FastAPI

from schemas.envelope import SLOTS, STATUS_TOPIC
from services.ingest.content import BATCH, NDJSON, STRUCTURED
from services.ingest.describe import RESPONSES, router
from services.operation.serving import listen
from tests.database import Database
from tests.ingest.doorway import Doorway, event, open_doorway


async def described_route(doorway: Doorway) -> dict[str, Any]:
    found = (await doorway.client.get("/openapi.json")).json()
    route: dict[str, Any] = found["paths"]["/v1/events"]["post"]
    return route


async def test_the_openapi_names_every_form_with_an_example(doorway: Doorway) -> None:
    described = await described_route(doorway)
    content = described["requestBody"]["content"]
    assert set(content) == {STRUCTURED, BATCH, NDJSON, "application/json"}
    assert all("example" in form for form in content.values())
    assert set(described["responses"]) == {str(status) for status in RESPONSES}
    assert described["security"] == [{"bearer": []}]


async def test_answers_are_as_the_openapi_says(doorway: Doorway) -> None:
    for body, form in (
        (json.dumps(event()), STRUCTURED),
        (json.dumps([event(), event(time=None)]), BATCH),
        (json.dumps(event(realm="x")), STRUCTURED),
        (json.dumps(event(realm="x")), NDJSON),
        ("nothing", BATCH),
    ):
        answer = await doorway.post(body, form)
        described = RESPONSES[answer.status_code]["content"]
        schema = described[answer.headers["content-type"]]["schema"]
        jsonschema.validate(answer.json(), schema)


async def test_the_example_can_be_posted(doorway: Doorway) -> None:
    described = await described_route(doorway)
    example = described["requestBody"]["content"][STRUCTURED]["example"]
    assert (await doorway.post(json.dumps({**example, "time": event()["time"]}))).status_code == 202


async def test_other_methods_are_not_the_doors(doorway: Doorway) -> None:
    assert (await doorway.client.get("/v1/events")).status_code == 405
    assert (await doorway.client.get("/v1/else")).status_code == 404


async def test_behind_another_application_the_route_answers_alike(doorway: Doorway) -> None:
    plain = FastAPI()
    plain.include_router(router(doorway.ingest.endpoint))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(plain), base_url="http://api"
    ) as client:
        headers = {
            "Authorization": f"Bearer {doorway.token('poc:TH-83')}",
            "Content-Type": STRUCTURED,
        }
        answer = await client.post("/v1/events", content=json.dumps(event()), headers=headers)
        assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
        answer = await client.post("/v1/events", content=b"", headers=headers)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_process_told_to_stop_finishes_what_it_has_begun(
    database: Database, tmp_path: Path
) -> None:
    async with open_doorway(database, tmp_path / "home") as doorway:
        place = listen("127.0.0.1", 0)
        port: int = place.getsockname()[1]
        place.close()
        host = database.dsn("kamkap_ingest").partition("host=")[2]
        environ = {
            **os.environ,
            "KAMKAP_PORT": str(port),
            "KAMKAP_HOME": str(tmp_path / "home"),
            "KAMKAP_SECRET": Fernet.generate_key().decode(),
            "KAMKAP_DATABASE_URL": f"postgresql:///{database.name}?host={host}",
        }
        await _let_ingest_read(doorway)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ingest", env=environ
        )
        try:
            await _until_ready(port)
            accepted = await _stop_amid_requests(doorway, process, port)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        stored = {dict(record.headers)["ce_id"].decode() for record in await doorway.stored()}
        assert accepted
        assert accepted <= stored
        assert await doorway.network.pool.fetchval("SELECT count(*) FROM eventlog.doors") == 0
        assert len(await doorway.network.log.ends(STATUS_TOPIC)) == SLOTS


async def _let_ingest_read(doorway: Doorway) -> None:
    for model in ("registry", "events"):
        await doorway.network.pool.execute(
            f"GRANT USAGE ON SCHEMA {model} TO kamkap_ingest;"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {model} TO kamkap_ingest"
        )


async def _until_ready(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with asyncio.timeout(30):
            while True:
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)


async def _stop_amid_requests(
    doorway: Doorway, process: asyncio.subprocess.Process, port: int
) -> set[str]:
    """The ids that were acknowledged while the process was told to stop."""
    accepted: set[str] = set()
    headers = {"Authorization": f"Bearer {doorway.token('poc:TH-83')}", "Content-Type": STRUCTURED}

    async def centre(client: httpx.AsyncClient) -> None:
        while True:
            stated = event()
            try:
                answer = await client.post("/v1/events", json=stated, headers=headers)
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                accepted.add(str(stated["id"]))
            if len(accepted) == 50:
                process.send_signal(signal.SIGTERM)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with asyncio.timeout(30):
            await asyncio.gather(*(centre(client) for _ in range(4)))
            await process.wait()
    return accepted
