"""A dispatcher that is killed between the request it sent and what it writes down of the answer."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Response

from services.operation.serving import listen
from tests.api.country import PHUKET, SECRET, Json
from tests.api.directing import PM, issued, published
from tests.database import Database
from tests.dispatcher.receiving import Receiver
from tests.dispatcher.webhooking import Hooks


@asynccontextmanager
async def process(database: Database) -> AsyncIterator[Process]:
    """A dispatcher in a process of its own; killed if the test left it so."""
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
    environment = {
        **os.environ,
        "KAMKAP_DATABASE_URL": database.dsn("").replace("//@", "//"),
        "KAMKAP_PORT": str(port),
        "KAMKAP_SECRET": SECRET.decode(),
        "KAMKAP_WEBHOOKS_LOOPBACK": "true",
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.dispatcher", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_after_a_kill_the_same_message_goes_again_and_the_timeline_tells(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    made = await hooks.subscribe(PM, receiver)
    await issued(hooks.country, "killed", PHUKET)
    await published(hooks.country)
    async with process(database) as first, asyncio.timeout(60):

        def kill(_event: Json) -> Response:
            first.send_signal(signal.SIGKILL)
            return Response("ok")

        receiver.answer = kill
        await first.wait()
    came = asyncio.Event()

    def take(_event: Json) -> Response:
        came.set()
        return Response("ok")

    receiver.answer = take
    (cut_off,) = await hooks.timeline(made, PM)
    assert (cut_off["state"], cut_off["attempts"][0]["duration_ms"]) == ("waiting", None)
    # As if half a minute had gone by.
    pool = hooks.country.network.pool
    await pool.execute("UPDATE outward.deliveries SET leased_until = '-infinity'")
    async with process(database) as second, asyncio.timeout(60):
        await came.wait()
        # What was sent is written down before it stops.
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
    assert len(receiver.ids) == 2
    assert json.dumps(receiver.received[0]) == json.dumps(receiver.received[1])
    (delivery,) = await hooks.timeline(made, PM)
    assert [one["status"] for one in delivery["attempts"]] == [None, 200]
