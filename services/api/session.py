"""A browser's session: a bearer token exchanged for a cookie that no script reads."""

import secrets
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from services.api.bodies import Body, When
from services.api.problems import documented
from services.identity.caller import Received
from services.identity.sessions import session_of

router = APIRouter(prefix="/v1/session", tags=["session"])


class SessionOpened(Body):
    """Whose session it is, and until when."""

    identity: str
    expires_at: When


@router.post(
    "",
    status_code=201,
    responses=documented(400, 401, 503),
    openapi_extra={"security": [{"bearer": []}]},
)
async def open_session(request: Request, response: Response, reception: Received) -> SessionOpened:
    """The browser has a session of who the bearer token speaks for, until the token expires.

    The cookie is HttpOnly, SameSite=Strict, of this host alone, and Secure unless this is plain
    HTTP on the same machine. A bearer token beside it wins.
    """
    believed = await reception.bearer(request)
    now = reception.clock()
    session = session_of(believed, id_=secrets.token_urlsafe(16))
    origin = reception.origin(request)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        origin.cookie,
        reception.sessions.seal(session),
        max_age=max(0, int(session.expires - now.timestamp())),
        secure=origin.is_secure,
        httponly=True,
        samesite="strict",
    )
    expires_at = datetime.fromtimestamp(session.expires, UTC)
    return SessionOpened(identity=str(session.identity), expires_at=expires_at)


@router.delete(
    "",
    status_code=204,
    responses=documented(400, 401, 403),
    openapi_extra={"security": [{"session": []}]},
)
async def close_session(request: Request, response: Response, reception: Received) -> None:
    """The session is over, and the browser forgets its cookie."""
    session = await reception.session(request)
    reception.sessions.end(session, now=reception.clock())
    origin = reception.origin(request)
    response.delete_cookie(origin.cookie, secure=origin.is_secure, httponly=True, samesite="strict")
