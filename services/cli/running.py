"""How a command of a person runs: settings, exit codes, and one line for what is in its way."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import NoReturn

import uvloop

from services.embedded.home import Home
from services.operation import logs
from services.operation.settings import PREFIX, Settings

IN_THE_WAY = frozenset(
    {
        "asyncpg.exceptions._base.InterfaceError",
        "asyncpg.exceptions._base.PostgresError",
        "builtins.OSError",
        "httpx.HTTPError",
        "services.agent.archive.BrokenLine",
        "services.agent.archive.UnknownShape",
        "services.agent.importing.Moved",
        "services.agent.importing.NotOpened",
        "services.agent.network.ImportUnderWay",
        "services.agent.network.NotApplied",
        "services.cli.refusal.Refusal",
        "services.embedded.home.HomeInUse",
        "services.embedded.postgres.PostgresDidNotStart",
        "services.eventlog.log.LogMisconfigured",
        "services.eventlog.log.LogUnavailable",
        "services.eventlog.store.StoreUnavailable",
        "services.identity.identity.UnknownIdentity",
        "services.operation.serving.AddressTaken",
        "services.operation.settings.BadSettings",
        "services.projections.rebuild.UnknownReadModel",
        "services.projections.schemas.OutdatedReadModel",
    }
)
"""What a person can do something about. By name: importing all of them takes a second, and a
command meets few of them."""

_STOPPED = 130
_IN_THE_WAY_CODE = 2


def end(command: Callable[[], Coroutine[None, None, int]]) -> NoReturn:
    """Run the command to its end, and end with its exit code; 2 when something is in its way."""
    try:
        sys.exit(asyncio.run(command(), loop_factory=uvloop.new_event_loop))
    except KeyboardInterrupt:
        sys.exit(_STOPPED)
    except Exception as reason:
        if not is_in_the_way(reason):
            raise
        refuse(reason)


def is_in_the_way(reason: Exception) -> bool:
    """Whether it is said in one line; anything else is our own mistake and shows its trace."""
    kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(reason).__mro__)
    return not IN_THE_WAY.isdisjoint(kinds)


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
