"""What every HTTP request gets: an id, a place in the figures, and an answer whatever happens."""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.operation import problems
from services.operation.metrics import Metrics
from services.operation.problems import Problem

REQUEST_ID = "X-Request-Id"
ANSWER_HEADERS = "kamkap.answer_headers"
"""Where a request's scope keeps headers that its answer gets, whatever it is."""

_OURS_OR_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NO_ROUTE = "none"
_FAILED = 500

logger = structlog.get_logger()


class Requests:
    """Outermost middleware: names the request, measures it, and answers what nobody caught."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        began = time.perf_counter()
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers.update(scope.get(ANSWER_HEADERS, {}))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, named)
            except Exception:
                logger.exception("request_failed", method=scope["method"], route=_route(scope))
                if status:
                    raise
                failed = Problem(problems.INTERNAL, extensions={"request_id": request_id})
                await failed.response()(scope, receive, named)
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        logger.debug("request", method=scope["method"], route=route, status=status, seconds=seconds)


def _request_id(scope: Scope) -> str:
    """The caller's own id where it is one, so that two systems' logs can be laid side by side."""
    stated = Headers(scope=scope).get(REQUEST_ID, "")
    return stated if _OURS_OR_SANE.fullmatch(stated) else secrets.token_hex(8)


def _route(scope: Scope) -> str:
    """The pattern, not the path: paths hold ids and are without number."""
    route = scope.get("route")
    return getattr(route, "path", _NO_ROUTE)
