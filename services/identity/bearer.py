"""Who sent a request: the bearer token of its Authorization header (RFC 6750)."""

from datetime import datetime

from services.identity.identity import Identity
from services.identity.keys import KeysUnavailable
from services.identity.tokens import Believed, Unbelieved, Verifier
from services.operation import problems
from services.operation.problems import Problem, Text

TOKEN_PARAMETER = "access_token"  # noqa: S105 -- the name of RFC 6750, 2.3, not a token

_CHALLENGE = 'Bearer realm="kamkap"'
_NEEDED = Text("ต้องมีโทเค็นในหัวข้อ Authorization", "A bearer token is needed in Authorization")


async def identify(authorization: str | None, verifier: Verifier, *, now: datetime) -> Identity:
    """The identity that an Authorization header proves at this moment.

    Raises:
        Problem: as for `believe`.
    """
    return (await believe(authorization, verifier, now=now)).identity


async def believe(authorization: str | None, verifier: Verifier, *, now: datetime) -> Believed:
    """What an Authorization header proves at this moment.

    Raises:
        Problem: 401 without a token that is believed; 503 when the issuer's keys are not known.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("NoToken")
    try:
        return await verifier.believe(token.strip(), now=now)
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


def unauthenticated(reason: str, detail: Text = _NEEDED) -> Problem:
    """401 for a request that proves nobody."""
    return Problem(
        problems.UNAUTHENTICATED,
        detail,
        headers={"WWW-Authenticate": _CHALLENGE},
        extensions={"reason": reason},
    )


def token_in_address() -> Problem:
    """400 for a token in the query, whatever else proves the request: it is in logs by now."""
    return Problem(
        problems.INVALID_PARAMETER,
        Text(
            "ห้ามใส่โทเค็นในที่อยู่ ให้ส่งในหัวข้อ Authorization และขอโทเค็นใหม่",
            "A token never stands in an address: send it in Authorization, and get a new one",
        ),
        extensions={"parameter": TOKEN_PARAMETER, "reason": "TokenInAddress"},
    )
