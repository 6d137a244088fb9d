"""Problems: what an HTTP answer says when it cannot be what was asked for (RFC 9457).

`type` is a URN, so that it stays the same on every host and for ever. Text is Thai first, with
English beside it (`title_en`, `detail_en`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from services.operation.metrics import Metrics

MEDIA_TYPE = "application/problem+json"
_URN = "urn:kamkap:problem:"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Thai and in English."""

    th: str
    en: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: the same type, status and title wherever it occurs."""

    slug: str
    status: int
    title: Text

    @property
    def type(self) -> str:
        """The stable URN a program compares with."""
        return _URN + self.slug


UNAUTHENTICATED = Kind("unauthenticated", 401, Text("ไม่ทราบตัวผู้เรียก", "Who calls is not known"))
FORBIDDEN = Kind("forbidden", 403, Text("ไม่มีสิทธิ", "Not entitled"))
NOT_FOUND = Kind("not-found", 404, Text("ไม่พบ", "Not found"))
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, Text("ที่อยู่นี้ไม่รับเมธอดนี้", "The method does not exist here")
)
BODY_TOO_LARGE = Kind("body-too-large", 413, Text("เนื้อหาใหญ่เกินกำหนด", "The body is too large"))
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type", 415, Text("ไม่รับชนิดเนื้อหานี้", "The media type is not taken")
)
INVALID_PARAMETER = Kind(
    "invalid-parameter", 400, Text("พารามิเตอร์ไม่ถูกต้อง", "A parameter is not valid")
)
INVALID_BODY = Kind("invalid-body", 422, Text("เนื้อหาไม่ถูกต้อง", "The body is not valid"))
INTERNAL = Kind("internal", 500, Text("ระบบขัดข้อง", "The network failed"))
UNAVAILABLE = Kind(
    "unavailable", 503, Text("ระบบยังให้บริการไม่ได้ในขณะนี้", "Not available for the moment")
)
_OF_STATUS = {
    kind.status: kind
    for kind in (
        UNAUTHENTICATED,
        FORBIDDEN,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        UNAVAILABLE,
    )
}


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is a problem. `extensions` are further members of the body, JSON as they are.

    Raise it anywhere under a request; `install` turns it into the response.
    """

    kind: Kind
    detail: Text | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """What figures call it: the reason it states, or its kind."""
        return str(self.extensions.get("reason", self.kind.slug))

    def body(self) -> dict[str, object]:
        """The members of the problem, also for a place in a list of refused events."""
        members: dict[str, object] = {
            "type": self.kind.type,
            "title": self.kind.title.th,
            "title_en": self.kind.title.en,
            "status": self.kind.status,
        }
        if self.detail is not None:
            members |= {"detail": self.detail.th, "detail_en": self.detail.en}
        return members | dict(self.extensions)

    def response(self) -> Response:
        """The problem as an HTTP response."""
        return Response(
            msgspec.json.encode(self.body()),
            status_code=self.kind.status,
            headers=dict(self.headers),
            media_type=MEDIA_TYPE,
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """A problem raised meanwhile is counted as somebody who was turned away, and goes on."""

    metrics: Metrics

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if isinstance(error, Problem):
            self.metrics.turned_away.labels(error.reason).inc()


def unavailable(detail: Text, *, retry_after_seconds: int = 1) -> Problem:
    """Nothing was done, or nobody knows; the same request may be sent again after a while."""
    return Problem(UNAVAILABLE, detail, headers={"Retry-After": str(retry_after_seconds)})


def install(app: FastAPI) -> None:
    """Every error the app answers with is a problem from now on."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_framework)


async def _problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)  # noqa: S101 -- how the framework types its handlers
    return problem.response()


async def _invalid(_request: Request, invalid: Exception) -> Response:
    assert isinstance(invalid, RequestValidationError)  # noqa: S101 -- as above
    errors = invalid.errors()
    kind = INVALID_BODY if all(e["loc"][0] == "body" for e in errors) else INVALID_PARAMETER
    # What was sent is not repeated: it may be what nobody should read.
    stated = [{**_place(error["loc"]), "detail_en": error["msg"]} for error in errors]
    return Problem(kind, extensions={"errors": stated}).response()


async def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as above
    kind = _OF_STATUS.get(error.status_code)
    if kind is None:
        title = Text("คำขอไม่ถูกต้อง", str(error.detail))
        kind = Kind(f"http-{error.status_code}", error.status_code, title)
    headers = error.headers or {}
    if kind is METHOD_NOT_ALLOWED:
        headers = {**headers, "Allow": ", ".join(_methods_of(request))}
    return Problem(kind, headers=headers).response()


def _methods_of(request: Request) -> Iterator[str]:
    """Every method of the address; the framework names those of its first route alone."""
    for method in _METHODS:
        asked = {**request.scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            yield method


def _place(location: Sequence[int | str]) -> dict[str, str]:
    """Where it is: a JSON pointer into the body (RFC 6901), or the parameter's name."""
    first, *rest = location
    if first != "body":
        return {"in": str(first), "parameter": ".".join(map(str, rest))}
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in rest)
    return {"pointer": "".join(f"/{step}" for step in escaped)}
