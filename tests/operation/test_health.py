"""Liveness, readiness and figures."""

import asyncio

import httpx

from services.operation.health import NotReady, health_app
from services.operation.metrics import Metrics


async def get(path: str, **checks: str) -> httpx.Response:
    async def fine() -> None:
        return None

    async def waiting() -> None:
        raise NotReady("the demonstration country is being loaded")

    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    async def silent() -> None:
        await asyncio.Event().wait()

    known = {"fine": fine, "waiting": waiting, "broken": broken, "silent": silent}
    app = health_app({name: known[kind] for name, kind in checks.items()}, Metrics.new())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def test_a_process_is_ready_when_all_its_parts_are() -> None:
    answer = await get("/readyz", log="fine", database="fine")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"log": "ok", "database": "ok"}}


async def test_one_part_that_is_not_ready_is_named() -> None:
    answer = await get("/readyz", log="fine", demo="waiting", database="broken", store="silent")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    checks = answer.json()["checks"]
    assert checks["log"] == "ok"
    assert checks["demo"] == "the demonstration country is being loaded"
    assert checks["database"] == "failed"
    assert checks["store"] == "no answer within 2 s"
    assert "hunter2" not in answer.text


async def test_a_process_lives_whatever_is_away() -> None:
    assert (await get("/healthz", log="broken")).status_code == 200


async def test_figures_have_their_names() -> None:
    text = (await get("/metrics")).text
    for name in ("kamkap_tick_age_seconds", "kamkap_events_duplicate_total"):
        assert f"# HELP {name}" in text
