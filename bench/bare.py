"""The floor of single posts, a process of its own: a Starlette handler that reads and answers."""

import asyncio
import os

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.operation.process import spare_collector
from services.operation.serving import listen, serve


async def _taken(request: Request) -> Response:
    await request.body()
    return Response(b'{"id":"1","position":"1"}', 202, media_type="application/json")


async def _ready(_request: Request) -> Response:
    return Response()


if __name__ == "__main__":
    place = listen("127.0.0.1", int(os.environ["KAMKAP_PORT"]))
    routes = [Route("/v1/events", _taken, methods=["POST"]), Route("/readyz", _ready)]
    spare_collector()
    asyncio.run(serve(Starlette(routes=routes), place), loop_factory=uvloop.new_event_loop)
