"""The gateway process: every read of the contract over HTTP."""

from contextlib import AsyncExitStack
from functools import partial

from services.api.app import Gateway, Surroundings, create_app
from services.api.database import readers_of
from services.identity.issuer import verifier_of
from services.identity.rates import reads_of
from services.operation.connections import log_of, pool_of
from services.operation.metrics import Metrics
from services.operation.process import run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings

LOG_CONNECTIONS = 2
"""For single events, where the log's home is the database."""


async def run(settings: Settings) -> None:
    """Answer until told to stop; what is under way then is finished. Any number may run."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(readers_of(settings.dsn("kamkap_api")))
        log_pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_api", size=LOG_CONNECTIONS)
        )
        surroundings = Surroundings(
            pool=pool,
            log=await resources.enter_async_context(log_of(settings, log_pool)),
            verifier=verifier_of(settings),
            sealing_key=settings.sealing_key,
            epoch=await pool.fetchval("SELECT epoch FROM eventlog.epoch"),
            metrics=Metrics.new(),
            rate=reads_of(settings),
            public_origin=settings.public_origin,
        )
        gateway = Gateway.at(surroundings)
        place = listen(settings.host, settings.port)
        answers = partial(serve, create_app(gateway), place)
        await run_until_stopped({**gateway.works, "answers": answers})
