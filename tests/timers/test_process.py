"""The timers as a process of its own, in its own database role."""

import asyncio
import os
import signal
import sys

import httpx

from services.operation.serving import listen
from tests.database import Database


async def test_the_timers_start_before_anything_is_projected_and_stop_cleanly(
    database: Database,
) -> None:
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
    environment = {
        **os.environ,
        "KAMKAP_DATABASE_URL": database.dsn("").replace("//@", "//"),
        "KAMKAP_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.timers", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert await ready(port) == {"database": "ok"}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(port: int) -> object:
    """What the checks say once the process answers; it needs a second or two to start."""
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=address) as client, asyncio.timeout(60):
        while True:
            try:
                answer = await client.get("/readyz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            return answer.json()["checks"]
