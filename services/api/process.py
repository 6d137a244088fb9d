"""The gateway process: every read and every decision of the contract over HTTP."""

from contextlib import AsyncExitStack
from functools import partial

from services.api.app import Gateway, Surroundings, create_app
from services.api.database import readers_of
from services.eventlog.store import DecisionStore
from services.identity.issuer import verifier_of
from services.identity.rates import reads_of
from services.operation.connections import log_of, pool_of
from services.operation.metrics import Metrics
from services.operation.process import run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings
from services.operation.starting import begun, epoch_of

WRITING_CONNECTIONS = 12
"""For decisions, one of them kept, and for single events where the log's home is the database."""


async def run(settings: Settings) -> None:
    """Answer until told to stop; what is under way then is finished. Any number may run."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(readers_of(settings.dsn("kamkap_api")))
        log_pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_api", size=WRITING_CONNECTIONS)
        )
        log = await resources.enter_async_context(log_of(settings, log_pool))
        store = DecisionStore(log_pool)
        resources.push_async_callback(store.close)
        place, metrics = listen(settings.host, settings.port), Metrics.new()
        surroundings = Surroundings(
            pool=pool,
            log=log,
            store=store,
            verifier=verifier_of(settings),
            sealing_key=settings.sealing_key,
            epoch=await begun(epoch_of(log_pool), place, metrics),
            metrics=metrics,
            rate=reads_of(settings),
            public_origin=settings.public_origin,
            webhooks_loopback=settings.webhooks_loopback,
        )
        gateway = Gateway.at(surroundings)
        answers = partial(serve, create_app(gateway), place, on_stop=gateway.stop)
        await run_until_stopped({**gateway.works, "answers": answers})
