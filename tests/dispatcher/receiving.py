"""A receiver of webhooks as an integrator writes one: a web server and the published library."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook
from starlette.types import Receive, Scope, Send

from services.operation.serving import listen, serve

type Json = Any
type Answering = Callable[[Json], Awaitable[Response] | Response]


@dataclass
class Call:
    """One request that verified, byte for byte."""

    id: str
    body: bytes
    status: int | None = None
    """What was answered; None while nothing was."""
    answered_at: datetime | None = None
    """By the clock of this machine."""


class _Unwritable(Response):
    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        # The server refuses to write such a header: it has no other way to write nothing.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"\0")]})


def hangup() -> Response:
    """No answer: the connection ends without one."""
    return _Unwritable(status_code=0)


def ok(_event: Json) -> Response:
    return Response("ได้รับแล้ว")


@dataclass
class Receiver:
    """What was received, each verified with the secrets that are believed."""

    url: str = ""
    secrets: list[str] = field(default_factory=list)
    answer: Answering = ok
    received: list[Json] = field(default_factory=list)
    """Every event that verified, as often as it came."""
    signatures: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.received]

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Of which directive what was told."""
        return [(one["data"]["directive"], one["data"]["change"]) for one in self.received]

    async def hook(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        for secret in self.secrets:
            # The library is told its own time by the attempt's: a test's clock is not today's.
            signature = Webhook(secret).sign(
                headers["webhook-id"], _moment(headers["webhook-timestamp"]), body.decode()
            )
            assert signature in headers["webhook-signature"].split(" ")
        event = json.loads(body)
        assert headers["webhook-id"] == event["id"]
        assert headers["content-type"].startswith("application/cloudevents+json")
        self.received.append(event)
        self.signatures.append(headers["webhook-signature"])
        call = Call(event["id"], body)
        self.calls.append(call)
        answered = self.answer(event)
        response = answered if isinstance(answered, Response) else await answered
        call.status, call.answered_at = response.status_code or None, datetime.now(UTC)
        return response


def _moment(timestamp: str) -> datetime:
    return datetime.fromtimestamp(int(timestamp), UTC)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()
    app = FastAPI()
    app.post("/hook")(receiver.hook)
    place = listen("127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{place.getsockname()[1]}/hook"
    serving = asyncio.create_task(serve(app, place))
    try:
        yield receiver
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
