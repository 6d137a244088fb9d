"""A browser's session: who a token proved, sealed in a cookie that no script reads.

EventSource cannot send an Authorization header, and a token in an address ends up in logs and
histories: so a token is exchanged once for a cookie, which lives no longer than the token.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.identity.identity import Identity
from services.identity.tokens import Believed

_LONGEST_COOKIE = 4_096


class NoSession(Exception):
    """A cookie that opens no session. The message says why."""


class SessionUnknown(NoSession):
    """It was not sealed by this network, or it was changed."""


class SessionOver(NoSession):
    """Its token has expired since, or it was ended."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is believed until when (Unix seconds); `id` is nobody else's."""

    id: str
    identity: Identity
    expires: float


class _Sealed(msgspec.Struct, array_like=True):
    id: str
    identity: str
    expires: float


class Sessions:
    """Seals and opens sessions, under a key derived from the network's secret.

    What was ended here is refused here until it would have expired; another process, which shares
    the secret alone, honours a copy of the cookie until then.
    """

    def __init__(self, secret: bytes) -> None:
        derivation = HKDF(SHA256(), length=64, salt=None, info=b"kamkap session")
        self._cipher = AESSIV(derivation.derive(base64.urlsafe_b64decode(secret)))
        self._ended: dict[str, float] = {}

    def seal(self, session: Session) -> str:
        """The session as the value of a cookie."""
        content = _Sealed(session.id, str(session.identity), session.expires)
        sealed = self._cipher.encrypt(msgspec.msgpack.encode(content), None)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, cookie: str, *, now: datetime) -> Session:
        """The session that a cookie holds.

        Raises:
            SessionUnknown: it holds none.
            SessionOver: the session has ended or expired.
        """
        session = self._opened(cookie)
        if session.id in self._ended:
            raise SessionOver("the session was ended")
        if not now.timestamp() < session.expires:
            raise SessionOver("the session has expired")
        return session

    def end(self, session: Session, *, now: datetime) -> None:
        """From now on the session is refused."""
        moment = now.timestamp()
        self._ended = {id_: until for id_, until in self._ended.items() if until > moment}
        self._ended[session.id] = session.expires

    def _opened(self, cookie: str) -> Session:
        if len(cookie) > _LONGEST_COOKIE:
            raise SessionUnknown(f"longer than {_LONGEST_COOKIE} characters")
        try:
            padded = cookie + "=" * (-len(cookie) % 4)
            sealed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            content = self._cipher.decrypt(sealed, None)
        except (InvalidTag, UnicodeEncodeError, binascii.Error, ValueError) as unreadable:
            raise SessionUnknown("not a session of this network") from unreadable
        found = msgspec.msgpack.decode(content, type=_Sealed)
        return Session(found.id, Identity.parse(found.identity), found.expires)


def session_of(believed: Believed, *, id_: str) -> Session:
    """A session of who a token speaks for, until the token expires."""
    return Session(id_, believed.identity, believed.expires)
