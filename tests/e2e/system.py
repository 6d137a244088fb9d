"""A whole network in one event loop: every process's work, one port, on any home of the log."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from schemas.envelope import Envelope
from services.agent.importing import Archive, Report, import_archive
from services.agent.network import Network, open_network
from services.api.app import create_app
from services.cli.parts import Parts
from services.cli.preparation import prepare
from services.eventlog.store import Decision, NewEvent
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.ingest.app import DoorFirst
from services.ingest.describe import router as door_pages
from services.operation.metrics import Metrics
from services.operation.process import Work
from services.operation.serving import listen, serve
from services.operation.settings import Settings
from services.readmodels.registry_reader import RegistryReader
from tests.database import Database

type Json = Any

STRUCTURED = "application/cloudevents+json"
_STOP_SECONDS = 15.0
_NO_RATE = 1_000_000_000


@dataclass
class System:
    """A network that serves, asked and told over HTTP by whoever a test names."""

    address: str
    issuer: Issuer
    client: httpx.AsyncClient
    operator: Network
    registry: RegistryReader
    """The door's: current when `decide` and `take_over` return."""
    parts: Parts
    """What it is made of: a test may open one of them a second time."""
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, identity: str) -> str:
        """A token of this identity for the next hours."""
        if identity not in self._tokens:
            self._tokens[identity] = self.issuer.issue(
                Identity.parse(identity), now=datetime.now(UTC), lifetime=timedelta(hours=6)
            )
        return self._tokens[identity]

    async def get(self, path: str, identity: str = "pm", **query: Json) -> httpx.Response:
        """The gateway's answer."""
        stated = {name: value for name, value in query.items() if value is not None}
        headers = {"Authorization": f"Bearer {self.token(identity)}"}
        return await self.client.get(path, params=stated, headers=headers)

    async def ask(self, path: str, identity: str = "pm", **query: Json) -> Json:
        """The body of an answer that is right."""
        answer = await self.get(path, identity, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self,
        body: bytes | str,
        content_type: str = STRUCTURED,
        *,
        speaker: str = "poc:TH-83",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The door's answer."""
        stated = {
            "Authorization": f"Bearer {self.token(speaker)}",
            "Content-Type": content_type,
            **(headers or {}),
        }
        return await self.client.post("/v1/events", content=body, headers=stated)

    async def tell(self, event: Json, *, speaker: str = "poc:TH-83") -> Json:
        """One event, taken in."""
        answer = await self.post(json.dumps(event, ensure_ascii=False), speaker=speaker)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def decide(self, stream: str, *events: tuple[Envelope, bytes]) -> None:
        """Decisions on a stream, which the read models hold when this returns."""
        store = self.operator.store
        new = [NewEvent(envelope, data) for envelope, data in events]
        done = await store.append(Decision(stream, await store.version(stream), new))
        assert done.verdict == "appended"
        await self.operator.applied(await self.operator.ends())
        await self.registry.refresh()

    async def take_over(self, archive: Archive) -> Report:
        """What became of an archive that was imported."""
        now = datetime.now(UTC)
        report = await import_archive(
            self.operator, archive, clock=lambda: now, report=lambda _done: None
        )
        await self.registry.refresh()
        return report


@asynccontextmanager
async def open_system(database: Database, home: Path, *, log_url: str) -> AsyncIterator[System]:
    """A network on this database and log, opened now, ready to take events in."""
    # Schemathesis asks faster than any reader; what a rate does is tested where it is made.
    own = Settings(
        home=home,
        reads_per_minute=_NO_RATE,
        events_per_minute=_NO_RATE,
        # A test's receivers are on this machine.
        webhooks_loopback=True,
    )
    settings = own.model_copy(
        update={
            "log_url": log_url,
            "database_url": database.dsn("").replace("//@", "//"),
            "secret": SecretStr(Fernet.generate_key().decode()),
        }
    )
    await prepare(settings)
    async with AsyncExitStack() as resources:
        # The home's own issuer, also beside brokers: they are on this machine too.
        parts = Parts(settings, resources, Metrics.new(), verifier_of(own))
        works = await parts.background()
        door, gateway = await parts.door(), await parts.gateway()
        network = await parts.network()
        rest = create_app(gateway, checks=door.checks, routers=[door_pages(door.endpoint)])
        place = resources.enter_context(listen("127.0.0.1", 0))
        answers = partial(serve, DoorFirst(door.endpoint, rest), place, on_stop=gateway.stop)
        works = {**works, **door.works, **gateway.works, "answers": answers}
        address = f"http://127.0.0.1:{place.getsockname()[1]}"
        client = httpx.AsyncClient(base_url=address, timeout=60)
        await resources.enter_async_context(client)
        async with running(works):
            await open_network(network.store, now=datetime.now(UTC))
            yield System(address, Issuer.open(own), client, network, door.registry, parts)


@asynccontextmanager
async def running(works: Mapping[str, Work]) -> AsyncIterator[None]:
    """The works run meanwhile; one that fails fails the test."""
    tasks = [asyncio.create_task(work(), name=name) for name, work in works.items()]
    try:
        yield
    finally:
        await _stop(tasks)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in reversed(tasks):
        task.cancel()
        await asyncio.wait([task], timeout=_STOP_SECONDS)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in results if isinstance(one, Exception)]
    assert not failed, failed
