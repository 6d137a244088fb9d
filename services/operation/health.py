"""Whether a process lives, whether it can serve, and its figures: the same three pages in each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from services.operation import problems
from services.operation.logs import describe
from services.operation.metrics import Metrics
from services.operation.problems import UNAVAILABLE, Problem, Text

type Check = Callable[[], Awaitable[None]]
"""Returns when its part can serve; raises when it cannot. `NotReady` states why in words."""

CHECK_SECONDS = 2.0

logger = structlog.get_logger()


class NotReady(Exception):
    """A part of the process cannot serve yet; the message says why and may be shown."""


def router(checks: Mapping[str, Check], metrics: Metrics) -> APIRouter:
    """`/healthz`, `/readyz` (every check passes) and `/metrics`. They need no token and no pair."""
    pages = APIRouter(include_in_schema=False)

    @pages.get("/healthz")
    async def alive() -> dict[str, bool]:
        """The process answers."""
        return {"alive": True}

    @pages.get("/readyz")
    async def ready() -> dict[str, object]:
        """The process can serve."""
        states = await ask(checks)
        if any(state != "ok" for state in states.values()):
            raise Problem(
                UNAVAILABLE,
                Text("ยังไม่พร้อมให้บริการ", "Not ready yet"),
                headers={"Retry-After": "1"},
                extensions={"checks": states},
            )
        return {"ready": True, "checks": states}

    @pages.get("/metrics")
    async def figures() -> Response:
        """The figures in Prometheus' text format."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return pages


async def ask(checks: Mapping[str, Check]) -> dict[str, str]:
    """What each check says, asked at once and not waited for longer than `CHECK_SECONDS`."""
    states = await asyncio.gather(*(_ask(name, check) for name, check in checks.items()))
    return dict(zip(checks, states, strict=True))


async def _ask(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except NotReady as why:
        return str(why)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as failure:  # noqa: BLE001 -- whatever is wrong with a part, it is not ready
        logger.warning("check_failed", check=name, error=describe(failure))
        return "failed"
    return "ok"


def health_app(checks: Mapping[str, Check], metrics: Metrics) -> FastAPI:
    """The three pages alone, for a process that serves nothing else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    app.include_router(router(checks, metrics))
    return app
