"""An answer: the body, serialised once, the pair it is for, and a tag that no pair changes."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from services.api.cursors import Key
from services.api.problems import documented
from services.api.reading import Listing, Question
from services.domain.registry import BANGKOK_TIME
from services.readmodels.moment import Archive

_NOT_MODIFIED = 304
_NO_NEXT = b'"next":null}'
_PAIR = {
    "Kamkap-As-Of": ("date-time", "The `as_of` that was answered for."),
    "Kamkap-Known-At": (
        "date-time",
        "The `known_at` that was answered for: earlier than asked while that is not over or not "
        "applied yet.",
    ),
    "Kamkap-Archive-Revision": (
        None,
        "For a `known_at` before the network's opening: the archive revision answered from.",
    ),
    "ETag": (None, "Changes when the body does."),
}


def answer(request: Request, question: Question, body: BaseModel) -> Response:
    """The body as the answer to the question; 304 when the reader has it already."""
    content = body.__pydantic_serializer__.to_json(body)
    return answer_bytes(request, question, content, tag_of(content))


def answer_page(request: Request, listing: Listing, body: BaseModel, last: Key | None) -> Response:
    """The page as the answer, with a cursor after `last` when there are more.

    The cursor is sealed anew for each answer, so it is put in after the tag is taken.
    """
    content = body.__pydantic_serializer__.to_json(body)
    if last is None:
        return answer_bytes(request, listing.question, content, tag_of(content))
    assert content.endswith(_NO_NEXT)  # noqa: S101 -- how a page ends
    paged = b'%s"%s"}' % (content.removesuffix(b"null}"), listing.next(last).encode())
    return answer_bytes(request, listing.question, paged, tag_of(content + b"+"))


def tag_of(content: bytes) -> str:
    """The entity tag of this content."""
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def answer_bytes(
    request: Request,
    question: Question,
    content: bytes,
    tag: str,
    *,
    media_type: str = "application/json",
) -> Response:
    """Ready bytes as the answer to the question; 304 when the reader has them already."""
    headers = {
        "Kamkap-As-Of": stated(question.moment.as_of),
        "Kamkap-Known-At": stated(question.known_at),
        "ETag": tag,
        "Cache-Control": "private",
        "Vary": "Authorization, Cookie",
    }
    if isinstance(question.moment.known, Archive):
        headers["Kamkap-Archive-Revision"] = str(question.moment.known.revision)
    if _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def stated(moment: datetime) -> str:
    """A time as the wire has it: RFC 3339 with the offset of Bangkok."""
    return moment.astimezone(BANGKOK_TIME).isoformat()


def page_of[Item](
    listing: Listing, keyed: Iterable[tuple[list[str], Item]]
) -> tuple[list[Item], Key | None]:
    """A page of items all at hand, in the order of their keys; the last's key if more follow."""
    last = [] if listing.last is None else [str(part) for part in listing.last]
    rest = sorted((pair for pair in keyed if pair[0] > last), key=lambda pair: pair[0])
    page = rest[: listing.limit]
    more = len(rest) > len(page)
    return [item for _, item in page], page[-1][0] if more else None


def read_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI has the answers of a read: the pair's headers, 304, and its problems."""
    headers = {
        name: {
            "description": meaning,
            "schema": {"type": "string"} | ({"format": kind} if kind else {}),
        }
        for name, (kind, meaning) in _PAIR.items()
    }
    return {
        200: {"description": "The answer, for the pair in its headers.", "headers": headers},
        304: {"description": "The reader has this body already.", "headers": headers},
        **documented(400, 401, *statuses, 503),
    }


def _has(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return tag in tags or "*" in tags
