"""How a command of a person runs: settings, exit codes, and one line for what is in its way."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import NoReturn

import httpx
import uvloop

from services.agent.archive import BrokenLine, UnknownShape
from services.agent.importing import Moved, NotOpened
from services.agent.network import ImportUnderWay, NotApplied
from services.cli.refusal import Refusal
from services.embedded.home import Home, HomeInUse
from services.embedded.postgres import PostgresDidNotStart
from services.eventlog.connection import LOST
from services.eventlog.log import LogMisconfigured, LogUnavailable
from services.eventlog.store import StoreUnavailable
from services.identity.identity import UnknownIdentity
from services.operation import logs
from services.operation.serving import AddressTaken
from services.operation.settings import PREFIX, BadSettings, Settings
from services.projections.rebuild import UnknownReadModel
from services.projections.schemas import OutdatedReadModel

_IN_THE_WAY = (
    *LOST,
    AddressTaken,
    BadSettings,
    BrokenLine,
    HomeInUse,
    ImportUnderWay,
    LogMisconfigured,
    LogUnavailable,
    Moved,
    NotApplied,
    NotOpened,
    OutdatedReadModel,
    PostgresDidNotStart,
    Refusal,
    UnknownIdentity,
    UnknownReadModel,
    UnknownShape,
    StoreUnavailable,
    httpx.HTTPError,
)
_STOPPED = 130
_IN_THE_WAY_CODE = 2


def end(command: Callable[[], Coroutine[None, None, int]]) -> NoReturn:
    """Run the command to its end, and end with its exit code; 2 when something is in its way."""
    try:
        sys.exit(asyncio.run(command(), loop_factory=uvloop.new_event_loop))
    except KeyboardInterrupt:
        sys.exit(_STOPPED)
    except _IN_THE_WAY as reason:
        refuse(reason)


def refuse(reason: Exception) -> NoReturn:
    """Say what is in the way, and end."""
    sys.stderr.write(f"{type(reason).__name__}: {reason}\n")
    sys.exit(_IN_THE_WAY_CODE)


def stated_settings(**stated: object) -> Settings:
    """The environment's settings, overridden by what the command line states."""
    said = {
        f"{PREFIX}{name.upper()}": str(value) for name, value in stated.items() if value is not None
    }
    settings = Settings.from_environment({**os.environ, **said})
    logs.configure(settings.log_level)
    return settings


def tool_settings() -> Settings:
    """The same for a tool, which works on the home's running database when none is named."""
    stated = stated_settings()
    return Home.open(stated.home).settings(stated)
