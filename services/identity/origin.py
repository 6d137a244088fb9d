"""Where a browser's request comes from, and how a cookie is bound to that place.

SameSite keeps other sites' requests from carrying the cookie; a sibling host is the same site, so a
request that changes something must say that it comes from the very same origin (OWASP, Cross-Site
Request Forgery Prevention; Fetch Metadata, W3C).
"""

from dataclasses import dataclass

from starlette.requests import Request

COOKIE = "__Host-kamkap_session"
"""The prefix makes browsers insist on Secure, on this host alone, and on the whole of it."""

LOOPBACK_COOKIE = "kamkap_session"
"""Over plain HTTP on this machine, where browsers take no Secure cookie."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What browsers call this address: `https://kamkap.example`."""

    text: str
    is_secure: bool

    @classmethod
    def of(cls, request: Request, *, public: str | None) -> "Origin":
        """The one the settings state, or the one the request was sent to."""
        if public is not None:
            return cls(public, public.startswith("https://"))
        url = request.url
        secure = url.scheme == "https" or url.hostname not in _LOOPBACK
        return cls(f"{url.scheme}://{url.netloc}", secure)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie here."""
        return COOKIE if self.is_secure else LOOPBACK_COOKIE

    def sent(self, request: Request) -> bool:
        """Whether a page of this origin sent the request, as its browser says."""
        site, origin = (request.headers.get(name) for name in ("sec-fetch-site", "origin"))
        if site not in (None, "same-origin"):
            return False
        if origin is not None:
            return origin == self.text
        return site is not None
