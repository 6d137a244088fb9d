"""A process: several pieces of work at once, until it is told to stop or one of them fails."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import structlog
import uvloop

from services.eventlog.connection import heed_cancellation
from services.eventlog.log import LogMisconfigured
from services.operation import logs
from services.operation.logs import describe
from services.operation.serving import AddressTaken
from services.operation.settings import BadSettings, Settings

STOP_SECONDS = 10.0
"""How long one piece of work may take to stop before the next one is asked."""

ABANDONED = 70
"""The exit code of a process whose work did not stop."""

_YOUNG_OBJECTS = 100_000

type Work = Callable[[], Coroutine[None, None, None]]

logger = structlog.get_logger()


def instance() -> str:
    """This process among all others: its machine and its number there."""
    return f"{socket.gethostname()}:{os.getpid()}"


def launch(run: Callable[[Settings], Coroutine[None, None, None]]) -> NoReturn:
    """Be this process, with the environment's settings, and end with its exit code.

    What stands in the way of starting is one line on stderr and exit code 2; a failure while it
    runs is logged and exit code 1.
    """
    try:
        settings = Settings.from_environment(os.environ)
        logs.configure(settings.log_level)
        asyncio.run(run(settings), loop_factory=uvloop.new_event_loop)
    except (BadSettings, LogMisconfigured, AddressTaken) as refused:
        sys.stderr.write(f"{refused}\n")
        sys.exit(2)
    except Exception:
        logger.exception("process_failed")
        sys.exit(1)
    sys.exit(0)


def spare_collector() -> None:
    """The collector of cycles leaves alone what the process began with, and comes less often.

    A request makes thousands of objects and no cycle. Measured with NDJSON of 500 events: with the
    usual thresholds the collector takes a third of the door's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 50, 50)


async def run_until_stopped(works: Mapping[str, Work], *, patience: float = STOP_SECONDS) -> None:
    """Run every work until SIGTERM or SIGINT, or until one fails.

    Stopping goes backwards: the work named last is cancelled first and has ended before the one
    named before it is. So what others rest on is named first. A work that returns has done its
    part. Resources belong to the caller, who closes them after this returns. Works that
    still go on `patience` seconds after the last was asked end the process as it is, with exit
    code `ABANDONED`: everything acknowledged is kept, as after a kill.

    Raises:
        ExceptionGroup: what a work failed with, after the others were stopped.
    """
    spare_collector()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(), name=name) for name, work in works.items()]
        with _signals() as stop:
            await stop.wait()
        # From here on a second Ctrl-C does what it always does.
        logger.info("stopping")
        for task in reversed(tasks):
            task.cancel()
            await asyncio.wait([task], timeout=patience)
        _, stuck = await asyncio.wait(tasks, timeout=patience)
        if stuck:
            _abandon([task.get_name() for task in stuck])
    logger.info("stopped")


def _abandon(stuck: Sequence[str]) -> NoReturn:
    logger.critical("work_does_not_stop", works=stuck)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ABANDONED)


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set meanwhile."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def persist(
    work: Callable[[], Awaitable[object]],
    *,
    name: str,
    through: tuple[type[Exception], ...],
    pause_seconds: float = 0.5,
) -> None:
    """Do the work for ever: again after a pause whenever one of these errors ended it."""
    while True:
        try:
            await work()
        except through as away:
            heed_cancellation()
            logger.warning("work_interrupted", work=name, error=describe(away))
        await asyncio.sleep(pause_seconds)
