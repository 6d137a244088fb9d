"""A small country behind a gateway: two deputies, three provinces, their centres, and a clock."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
from asyncpg.connection import LoggedQuery
from cryptography.fernet import Fernet
from fastapi import FastAPI

from schemas.envelope import Envelope
from services.api.app import Gateway, Surroundings, create_app
from services.api.database import Connection, Pool, readers_of
from services.api.reading import Patience
from services.domain.registry import start_of
from services.eventlog.authority import STREAM
from services.eventlog.position import PositionTokens
from services.eventlog.postgres import PostgresLog
from services.eventlog.store import DecisionStore
from services.eventlog.ticks import Tick, Ticker
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.operation.metrics import Metrics
from services.operation.settings import Settings
from tests.database import Database
from tests.projections.network import NOON, Network, event, open_network

type Json = Any

PHUKET, PHANG_NGA, BANGKOK = "TH-83", "TH-82", "TH-10"
DISASTERS = "/centres/doc/moi.ddpm"
PRESS = "/centres/press/cnn"
REGISTRAR = "/centres/pmoc"
SECRET = Fernet.generate_key()
OPENED = datetime(2024, 8, 1, tzinfo=UTC)


def registered(type_: str, **data: object) -> tuple[Envelope, bytes]:
    """A registration, stated by the registrar."""
    return event(type_, {"source": "test", **data}, source=REGISTRAR)


def province(code: str, name_th: str, name_en: str) -> tuple[Envelope, bytes]:
    return registered("province.registered.v1", province=code, name_th=name_th, name_en=name_en)


def centre(name: str, level: str, **fields: object) -> tuple[Envelope, bytes]:
    fields = {"name_th": f"ศูนย์ {name}", **fields}
    return registered("centre.registered.v1", centre=name, level=level, **fields)


def order(number: str, begins: date | datetime, *clauses: Json, **fields: object) -> Json:
    """An order of these clauses, complete in every dimension unless the fields say otherwise."""
    stated = {"complete": ["area", "function", "agenda"], **fields}
    moment = begins if isinstance(begins, datetime) else start_of(begins)
    return registered(
        "order.issued.v1",
        number=number,
        effective_from=moment.isoformat(),
        clauses=list(clauses),
        **stated,
    )


def gives(dimension: str, target: str, deputy: str, power: str = "oversee") -> dict[str, str]:
    power = "area" if dimension == "area" else power
    given = {"dimension": dimension, "target": target, "deputy": deputy, "power": power}
    return {"act": "assign", **given}


REGISTRY = (
    province(PHUKET, "ภูเก็ต", "Phuket"),
    province(PHANG_NGA, "พังงา", "Phangnga"),
    province(BANGKOK, "กรุงเทพมหานคร", "Bangkok"),
    registered("ministry.registered.v1", ministry="moi", name_th="กระทรวงมหาดไทย"),
    registered("ministry.registered.v1", ministry="moph", name_th="กระทรวงสาธารณสุข"),
    registered("cluster.registered.v1", cluster="andaman", scheme="2560", name_th="อันดามัน",
               provinces=[PHUKET, PHANG_NGA], complete=True),
    registered("region.registered.v1", region="6", name_th="เขต 6", provinces=[PHUKET, PHANG_NGA]),
    centre("pmoc", "PMOC"),
    centre("moc:moi", "MOC", ministry="moi", parent="pmoc"),
    centre("moc:moph", "MOC", ministry="moph", parent="pmoc"),
    centre("doc:moi.ddpm", "DOC", ministry="moi", parent="moc:moi"),
    centre("poc:TH-83", "POC", province=PHUKET, parent="moc:moi", reporting_interval_seconds=86400),
    centre("poc:TH-82", "POC", province=PHANG_NGA, parent="moc:moi"),
    centre("city:TH-10", "other", province=BANGKOK),
    centre("press:cnn", "other"),
    registered("precedence.set.v1", sources=["doc:moi.ddpm", "poc", "PMOC", "MOC", "DOC", "other"]),
    registered("deputy.registered.v1", deputy="a", name_th="รองนายกรัฐมนตรี ก", name_en="Deputy A"),
    registered("deputy.registered.v1", deputy="b", name_th="รองนายกรัฐมนตรี ข"),
    registered("network.opened.v1", opened_at=OPENED.isoformat()),
)  # fmt: skip

ORDERS = (
    registered("tenure.registered.v1", tenure="a.1", deputy="a", office="deputy_pm",
               valid_from="2024-01-01"),
    order("1/2567", date(2024, 1, 1), gives("area", PHUKET, "a"), gives("area", PHANG_NGA, "b"),
          gives("function", "moi", "a"), gives("agenda", "drugs", "b")),
)  # fmt: skip


@dataclass
class Country:
    """A network and its gateway, asked by whoever a test names."""

    network: Network
    app: FastAPI
    gateway: Gateway
    issuer: Issuer
    now: datetime = NOON + timedelta(hours=1)

    @property
    def tokens(self) -> PositionTokens:
        return self.gateway.resources.tokens

    async def get(
        self,
        path: str,
        identity: str | None = "pm",
        headers: dict[str, str] | None = None,
        **query: Json,
    ) -> httpx.Response:
        """The answer to one identity, or to nobody."""
        return await self.send("GET", path, identity, headers, **query)

    async def send(
        self,
        method: str,
        path: str,
        identity: str | None = "pm",
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        **query: Json,
    ) -> httpx.Response:
        """The answer to a request of any method."""
        transport = httpx.ASGITransport(self.app)
        said = {**(headers or {}), **self._authorization(identity)}
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, params=query, headers=said, content=content)

    async def get_url(self, url: str, identity: str) -> httpx.Response:
        """The answer for a path with its query written out."""
        path, _, query = url.partition("?")
        named = dict(part.split("=", 1) for part in query.split("&") if part)
        return await self.get(path, identity, None, **named)

    async def ask(self, path: str, identity: str = "pm", **query: Json) -> Json:
        """The body of an answer that is right."""
        response = await self.get(path, identity, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def wait_at_most(self, *, seconds: float) -> None:
        """The gateway waits no longer than this for its read models."""
        patience = Patience(after_seconds=seconds, catch_up_seconds=seconds)
        self.app.state.resources = replace(self.gateway.resources, patience=patience)

    async def tick(self) -> Tick:
        """A tick that covers everything posted."""
        tick = await Ticker(self.network.pool, self.network.log).tick()
        assert tick is not None
        return tick

    async def tick_after(self, *events: tuple[Envelope, bytes]) -> Tick:
        """The tick that covers these events, which are in the read models."""
        await self.tell(*events)
        return await self.tick()

    async def tell(self, *events: tuple[Envelope, bytes]) -> None:
        """Events that are in the log and in the read models."""
        await self.network.post(events)
        await self.network.project()

    def _authorization(self, identity: str | None) -> dict[str, str]:
        if identity is None:
            return {}
        token = self.issuer.issue(
            Identity.parse(identity),
            now=datetime.now(UTC) - timedelta(seconds=1),
            lifetime=timedelta(hours=1),
        )
        return {"Authorization": f"Bearer {token}"}

    @contextmanager
    def counting_statements(self) -> Iterator[list[tuple[str, Json]]]:
        """The SQL statements that the gateway runs meanwhile, with their parameters."""
        counted = _Counted(self.gateway.resources.pool)
        before = self.app.state.resources
        self.app.state.resources = replace(before, pool=cast(Pool, counted))
        try:
            yield counted.statements
        finally:
            self.app.state.resources = before


class _Counted:
    """A pool whose connections note what they are asked, but for the bounds of transactions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statements: list[tuple[str, Json]] = []

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:
        async with self._pool.acquire(timeout=timeout) as connection:
            with connection.query_logger(self._note):
                yield connection

    def _note(self, logged: LoggedQuery) -> None:
        if not logged.query.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self.statements.append((logged.query, logged.args))


@asynccontextmanager
async def open_country(database: Database, home: Path) -> AsyncIterator[Country]:
    """The country with its registry, at one o'clock; nothing has happened yet."""
    async with open_again(database, home) as country:
        await country.network.decide("registry", *REGISTRY)
        await country.network.decide(STREAM, *ORDERS)
        await country.network.project()
        yield country


@asynccontextmanager
async def open_again(database: Database, home: Path) -> AsyncIterator[Country]:
    """A network and its gateway with what the database has of it."""
    settings = Settings(home=home)
    async with (
        open_network(database) as network,
        readers_of(database.dsn("kamkap_api")) as pool,
        database.pool("kamkap_api", size=4) as log_pool,
    ):
        log, store = PostgresLog(log_pool), DecisionStore(log_pool)
        country: Country
        surroundings = Surroundings(
            pool=pool,
            log=log,
            store=store,
            verifier=verifier_of(settings),
            sealing_key=SECRET,
            epoch=1,
            metrics=Metrics.new(),
            clock=lambda: country.now,
        )
        gateway = Gateway.at(surroundings)
        country = Country(network, create_app(gateway), gateway, Issuer.open(settings))
        works = [asyncio.create_task(work()) for work in gateway.works.values()]
        try:
            yield country
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            await store.close()
            await log.close()
