"""`kamkap up`: every process in one, on one port, with a database of its own."""

import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from socket import socket

from services.api.app import create_app
from services.cli.demonstration import FirstStart
from services.cli.keeper import Keeper
from services.cli.parts import Parts, parts_of
from services.cli.preparation import make_database, prepare
from services.cli.refusal import Refusal
from services.embedded.home import Home
from services.identity.issuer import verifier_of
from services.ingest.app import DoorFirst
from services.ingest.describe import router as door_pages
from services.operation.process import Work, run_until_stopped
from services.operation.serving import listen, serve
from services.operation.settings import Settings

_WELCOME = """
กำกับ พร้อมใช้งานแล้ว · Kamkap is ready

  ที่อยู่ · address      {address}
  เอกสาร API · docs    {address}/docs
  โทเค็น · a token      {command} token pm
  ลองดู · try it        curl -H "Authorization: Bearer $({command} token pm)" \\
                         "{address}/v1/provinces/TH-82/situation?as_of=2004-12-27T12:00:00%2B07:00"
  หยุด · stop           Ctrl-C
"""


async def run_up(stated: Settings, *, demo: bool) -> int:
    """Everything runs until Ctrl-C or SIGTERM; the home keeps its state.

    Raises:
        HomeInUse, AddressTaken, IssuerRefused, PostgresDidNotStart: nothing was started.
        Refusal: the settings name a database, which is for processes of their own.
    """
    if stated.database_url is not None:
        raise Refusal("kamkap up serves a database of its own: unset KAMKAP_DATABASE_URL")
    home = Home.open(stated.home)
    verifier_of(stated)
    with listen(stated.host, stated.port) as place, home.alone():
        keeper = Keeper(home.postgres)
        try:
            await make_database(keeper.server)
            settings = home.settings(stated)
            await prepare(settings)
            async with AsyncExitStack() as resources:
                works = await _works(parts_of(settings, resources), home, place, demo=demo)
                await run_until_stopped({"database": keeper.run, **works})
        finally:
            keeper.stop()
    return 0


async def _works(parts: Parts, home: Home, place: socket, *, demo: bool) -> dict[str, Work]:
    """What runs, what others rest on first."""
    background = await parts.background()
    door, gateway = await parts.door(), await parts.gateway()
    welcome = partial(_welcome, parts.settings, place)
    first_start = FirstStart(await parts.network(), home, wants_country=demo, tell=welcome)
    app = create_app(
        gateway,
        checks={**door.checks, "first_start": first_start.check},
        routers=[door_pages(door.endpoint), *parts.issuer_pages()],
    )
    answers = partial(serve, DoorFirst(door.endpoint, app), place, on_stop=gateway.stop)
    return {
        **background,
        **door.works,
        **gateway.works,
        "answers": answers,
        # Named last, stopped first: an import that is under way needs all others.
        "first_start": first_start.run,
    }


def _welcome(settings: Settings, place: socket) -> None:
    host, port = place.getsockname()[:2]
    command = str(Path(sys.argv[0]))
    if "KAMKAP_HOME" in os.environ or settings.home != Path(".kamkap").resolve():
        command = f"KAMKAP_HOME={settings.home} {command}"
    sys.stdout.write(_WELCOME.format(address=f"http://{host}:{port}", command=command))
    sys.stdout.flush()
