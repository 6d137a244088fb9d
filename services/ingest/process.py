"""The ingest process: the centres' door over HTTP, and the inboxes of those with producers."""

import ctypes
from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from services.eventlog.log import Log
from services.eventlog.position import PositionTokens
from services.identity.issuer import verifier_of
from services.identity.rates import events_of
from services.ingest.app import Ingest, Surroundings, create_app
from services.operation.connections import check_log, log_of, pool_of
from services.operation.metrics import Metrics
from services.operation.process import instance, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings
from services.operation.starting import begun, epoch_of

POOL_SIZE = 12
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 1024 * 1024


async def run(settings: Settings) -> None:
    """Take events in until told to stop; what is under way then is finished. Any number may run."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_ingest", size=POOL_SIZE)
        )
        log = await resources.enter_async_context(log_of(settings, pool))
        place, metrics = listen(settings.host, settings.port), Metrics.new()
        epoch = await begun(_start(pool, log), place, metrics)
        surroundings = Surroundings(
            name=instance(),
            pool=pool,
            log=log,
            verifier=verifier_of(settings),
            tokens=PositionTokens(settings.sealing_key, epoch=epoch),
            metrics=metrics,
            rate=events_of(settings),
        )
        ingest = await resources.enter_async_context(Ingest.open(surroundings))
        give_large_blocks_back()
        # Named last, stopped first: the last answers are given while the log is still open.
        answers = partial(serve, create_app(ingest), place)
        await run_until_stopped({**ingest.works, "answers": answers})


def give_large_blocks_back() -> None:
    """A block of a megabyte or more is the system's again as soon as it is freed.

    glibc would learn from the first large body that such blocks come often, and keep them in a heap
    whose gaps the next bodies do not fit. Measured with 32 bodies of 16 MiB at once, twice: 187 MB
    kept afterwards and growing, against 142 MB. Other C libraries have no such setting.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


async def _start(pool: asyncpg.Pool, log: Log) -> int:
    """The log keeps what it is given; the epoch it is in."""
    await check_log(log)
    return await epoch_of(pool)
