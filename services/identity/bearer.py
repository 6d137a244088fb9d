"""Who sent a request: the bearer token of its Authorization header (RFC 6750)."""

from datetime import UTC, datetime

from starlette.requests import Request

from services.identity.identity import Identity
from services.identity.keys import KeysUnavailable
from services.identity.tokens import Unbelieved, Verifier
from services.operation import problems
from services.operation.problems import Problem, Text

_CHALLENGE = 'Bearer realm="kamkap"'


async def bearer(request: Request) -> Identity:
    """The identity of the request's token, verified by `app.state.verifier`.

    Raises:
        Problem: 401 without a token that is believed; 503 when the issuer's keys are not known.
    """
    verifier: Verifier = request.app.state.verifier
    return await identify(request.headers.get("authorization"), verifier, now=datetime.now(UTC))


async def identify(authorization: str | None, verifier: Verifier, *, now: datetime) -> Identity:
    """The identity that an Authorization header proves at this moment.

    Raises:
        Problem: as for `bearer`.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            problems.UNAUTHENTICATED,
            Text("ต้องมีโทเค็นในหัวข้อ Authorization", "A bearer token is needed in Authorization"),
            headers={"WWW-Authenticate": _CHALLENGE},
        )
    try:
        return await verifier.verify(token.strip(), now=now)
    except Unbelieved as why:
        reason = type(why).__name__
        raise Problem(
            problems.UNAUTHENTICATED,
            Text(f"โทเค็นใช้ไม่ได้ ({reason})", f"The token is not believed: {why}"),
            headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
            extensions={"reason": reason},
        ) from why
    except KeysUnavailable as away:
        raise problems.unavailable(
            Text("ยังอ่านกุญแจของผู้ออกโทเค็นไม่ได้", "The issuer's keys cannot be read"),
            retry_after_seconds=5,
        ) from away
