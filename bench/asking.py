"""The gateway asked within this process, to learn which statements its answers are made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import httpx
from asyncpg.connection import LoggedQuery

from bench import country
from bench.network import Network
from services.api.app import Gateway, Surroundings, create_app
from services.api.database import Connection, Pool, readers_of
from services.eventlog.store import DecisionStore
from services.identity.issuer import verifier_of
from services.operation.metrics import Metrics

type Statement = tuple[str, list[object] | tuple[object, ...]]


class _Noting:
    """A pool whose connections note what they are asked, but for the bounds of transactions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statements: list[Statement] = []

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:
        async with self._pool.acquire(timeout=timeout) as connection:
            with connection.query_logger(self._note):
                yield connection

    def _note(self, logged: LoggedQuery) -> None:
        if not logged.query.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self.statements.append((logged.query, logged.args or ()))


@asynccontextmanager
async def _store_of(network: Network) -> AsyncIterator[DecisionStore]:
    store = DecisionStore(network.pool)
    try:
        yield store
    finally:
        await store.close()


async def answers_of(network: Network) -> list[list[Statement]]:
    """The statements of each answer: eight overviews, eight situations, warm."""
    async with (
        readers_of(network.settings.dsn("kamkap_api")) as pool,
        _store_of(network) as store,
    ):
        noting = _Noting(pool)
        gateway = Gateway.at(
            Surroundings(
                pool=pool,
                log=network.log,
                store=store,
                verifier=verifier_of(network.settings),
                sealing_key=network.settings.sealing_key,
                epoch=1,
                metrics=Metrics.new(),
            )
        )
        app = create_app(gateway)
        app.state.resources = replace(gateway.resources, pool=cast(Pool, noting))
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {network.token('pm')}"}
        answers = []
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers
        ) as client:
            for path in (_PATHS[0], *_PATHS):
                noting.statements = []
                (await client.get(path)).raise_for_status()
                answers.append(noting.statements)
        # The first answer also read the registry, which later ones have in memory.
        return answers[1:]


_PATHS = [
    *(f"/v1/deputies/{deputy}/overview" for deputy in country.DEPUTIES),
    *(f"/v1/provinces/{province}/situation" for province in country.PROVINCES[::10]),
]
