"""A door on a real log, with a small registered country and tokens of a real issuer."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from schemas.envelope import DECISIONS_TOPIC, STATUS_TOPIC, Envelope
from schemas.events import EventModel
from schemas.events.registry import CentreRegistered, ProvinceRegistered
from schemas.slots import slot_of
from services.eventlog.log import Log, Record
from services.eventlog.position import PositionTokens
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.ingest.app import Ingest, Surroundings, create_app
from services.ingest.content import STRUCTURED
from services.operation.metrics import Metrics
from services.operation.settings import Settings
from services.projections.runner import Worker
from tests.database import Database
from tests.projections.network import Network, open_network

NOW = datetime.now(UTC)
PHUKET = "/centres/poc/TH-83"
type Json = dict[str, object]
_numbers = itertools.count(1)


def event(**changes: object) -> Json:
    """A situation report of Phuket's centre as a CloudEvent; None leaves an attribute out."""
    stated: Json = {
        "specversion": "1.0",
        "id": f"e{next(_numbers)}",
        "source": PHUKET,
        "type": "situation.reported.v1",
        "time": NOW.isoformat(),
        "subject": "provinces/TH-83",
        "data": {"incident": "flood", "place": "TH-83", "dead": 3},
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


@dataclass
class Doorway:
    """A door, who may speak at it, and what lies behind it."""

    ingest: Ingest
    network: Network
    settings: Settings
    issuer: Issuer
    client: httpx.AsyncClient

    def token(self, identity: str, *, now: datetime = NOW) -> str:
        """A token of this identity for the next hour."""
        return self.issuer.issue(Identity.parse(identity), now=now, lifetime=timedelta(hours=1))

    async def post(
        self,
        body: bytes | str,
        content_type: str = STRUCTURED,
        *,
        speaker: str = "poc:TH-83",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The door's answer to this body."""
        stated = {
            "Authorization": f"Bearer {self.token(speaker)}",
            "Content-Type": content_type,
            **(headers or {}),
        }
        return await self.client.post("/v1/events", content=body, headers=stated)

    async def post_event(self, stated: Json, *, speaker: str = "poc:TH-83") -> httpx.Response:
        """The door's answer to one event in structured mode."""
        return await self.post(json.dumps(stated), speaker=speaker)

    async def stored(self, source: str = PHUKET) -> list[Record]:
        """Everything in the log's slot of this source."""
        slot = slot_of(source)
        end = (await self.network.log.ends(STATUS_TOPIC))[slot]
        found = [await self.network.log.at(STATUS_TOPIC, slot, at) for at in range(end)]
        return [record for record in found if record is not None]

    def counted(self, name: str, **labels: str) -> float:
        """A figure of the door."""
        registry = self.ingest.surroundings.metrics.registry
        return registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def open_doorway(
    database: Database, home: Path, *, log: Log | None = None
) -> AsyncIterator[Doorway]:
    """A door whose registry is read; its log is the database's own unless one is given."""
    settings = Settings(home=home)
    issuer = Issuer.open(settings)
    async with open_network(database) as network, database.pool(size=6) as pool:
        await register(network)
        surroundings = Surroundings(
            name="door-1",
            pool=pool,
            log=log or network.log,
            verifier=verifier_of(settings),
            tokens=PositionTokens(Fernet.generate_key(), epoch=1),
            metrics=Metrics.new(),
        )
        async with Ingest.open(surroundings) as ingest:
            await ingest.registry.refresh()
            transport = httpx.ASGITransport(create_app(ingest), raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                yield Doorway(ingest, network, settings, issuer, client)


def country() -> list[EventModel]:
    """Four provinces and those who speak."""
    provinces = [("TH-82", None), ("TH-83", None), ("TH-10", None), ("TH-38", date(2011, 3, 23))]
    centres: list[dict[str, object]] = [
        {"centre": "pmoc", "level": "PMOC"},
        {"centre": "moc:moi", "level": "MOC", "parent": "pmoc", "ministry": "moi"},
        {"centre": "poc:TH-83", "level": "POC", "parent": "moc:moi", "province": "TH-83"},
        {"centre": "poc:TH-82", "level": "POC", "parent": "moc:moi", "province": "TH-82"},
    ]
    return [
        *(
            ProvinceRegistered(province=code, name_th=code, valid_from=since, source="test")
            for code, since in provinces
        ),
        *(
            CentreRegistered.model_validate({"name_th": "ศูนย์", "source": "test", **stated})
            for stated in centres
        ),
    ]


async def register(network: Network) -> None:
    """The country is in the registry's table, by way of the log."""
    await state(network, country(), prefix="r")


async def state(network: Network, models: Sequence[EventModel], *, prefix: str) -> None:
    """These registrations are in the registry's table; their ids begin with the prefix."""
    decided = [
        (
            Envelope(id=f"{prefix}{number}", source="/centres/pmoc", type=model.type, time=NOW),
            model.model_dump_json().encode(),
        )
        for number, model in enumerate(models)
    ]
    await network.decide(f"registry/{prefix}", *decided)
    worker = Worker(network.pool, network.log, name="registry", topic=DECISIONS_TOPIC)
    while await worker.step(wait=0.0):
        pass
    await worker.close()
