"""Who calls the gateway: a bearer token, or a browser's session; and how often they may."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from services.identity.bearer import (
    TOKEN_PARAMETER,
    believe,
    token_in_address,
    unauthenticated,
)
from services.identity.identity import Identity
from services.identity.origin import Origin
from services.identity.rates import Meter
from services.identity.sessions import NoSession, Session, Sessions
from services.identity.tokens import Believed, Verifier
from services.operation import problems
from services.operation.metrics import Metrics
from services.operation.problems import Kind, Problem, Text
from services.operation.requests import ANSWER_HEADERS

CROSS_SITE = Kind("cross-site", 403, Text("คำขอมาจากหน้าเว็บอื่น", "The request is another page's"))

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Reception:
    """Judges who sends a request to one process, and counts whom it turns away."""

    verifier: Verifier
    sessions: Sessions
    metrics: Metrics
    meter: Meter | None = None
    """Without one, everybody may ask as often as they like."""
    public_origin: str | None = None
    clock: Callable[[], datetime] = _now
    seconds: Callable[[], float] = time.monotonic

    async def caller(self, request: Request) -> Identity:
        """Who sends the request, by its bearer token, or without one by its session.

        Raises:
            Problem: 400 for a token in the address; 401 for nobody who is believed; 403 for another
                page's request; 429 above the rate; 503 when the issuer's keys are not known.
        """
        with problems.Counted(self.metrics):
            _refuse_token_in_address(request)
            if "authorization" in request.headers:
                identity = (await self._believed(request)).identity
            else:
                identity = self._session(request).identity
            self._meter(request, identity)
        return identity

    async def bearer(self, request: Request) -> Believed:
        """What the request's bearer token proves; a session is no token.

        Raises:
            Problem: 400, 401, 429, 503 as for `caller`.
        """
        with problems.Counted(self.metrics):
            _refuse_token_in_address(request)
            believed = await self._believed(request)
            self._meter(request, believed.identity)
        return believed

    async def session(self, request: Request) -> Session:
        """The session that the request's cookie holds.

        Raises:
            Problem: 400, 401, 403, 429 as for `caller`.
        """
        with problems.Counted(self.metrics):
            _refuse_token_in_address(request)
            session = self._session(request)
            self._meter(request, session.identity)
        return session

    def origin(self, request: Request) -> Origin:
        """What the request's browser calls this address."""
        return Origin.of(request, public=self.public_origin)

    async def _believed(self, request: Request) -> Believed:
        authorization = request.headers.get("authorization")
        return await believe(authorization, self.verifier, now=self.clock())

    def _session(self, request: Request) -> Session:
        origin = self.origin(request)
        cookie = request.cookies.get(origin.cookie)
        if cookie is None:
            raise unauthenticated("NoToken")
        if request.method not in _SAFE and not origin.sent(request):
            raise Problem(
                CROSS_SITE,
                Text(
                    "คำขอที่เปลี่ยนข้อมูลด้วยคุกกี้ต้องมาจากหน้าเว็บของที่อยู่เดียวกัน",
                    "With a cookie, what changes something must be sent by a page of this origin",
                ),
            )
        try:
            return self.sessions.open(cookie, now=self.clock())
        except NoSession as none:
            raise unauthenticated(
                type(none).__name__, Text("เซสชันใช้ไม่ได้ โปรดเข้าใหม่", f"Sign in again: {none}")
            ) from none

    def _meter(self, request: Request, identity: Identity) -> None:
        if self.meter is None:
            return
        now = self.seconds()
        account = self.meter.account(identity, now=now)
        account.require(now=now)
        account.spend(1, now=now)
        request.scope[ANSWER_HEADERS] = account.headers(now=now)


async def reception_of(request: Request) -> Reception:
    """The reception of the request's app."""
    found: Reception = request.app.state.reception
    return found


Received = Annotated[Reception, Depends(reception_of)]


async def caller(request: Request, reception: Received) -> Identity:
    """Who sends the request.

    Raises:
        Problem: as `Reception.caller` does.
    """
    return await reception.caller(request)


def _refuse_token_in_address(request: Request) -> None:
    if TOKEN_PARAMETER in request.query_params:
        raise token_in_address()
