"""The public history of centres' keys: with it, anybody checks what a centre ever signed."""

from collections.abc import Iterator
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from schemas.events.signing import KeyRegistered
from services.api.answers import answer_page, page_of, read_responses
from services.api.bodies import Body, Page, When
from services.api.reading import Listed, Question
from services.domain.scope import Resource

router = APIRouter(tags=["keys"])


class CentreKey(Body):
    """An Ed25519 key of a centre. An end is the first moment after."""

    centre: str
    key_id: str
    """What a signature's `keyid` names."""
    public_key: str
    """Its 32 bytes (RFC 8032) in base64."""
    valid_from: When
    valid_to: When | None
    revoked_from: When | None
    """Somebody else may have had it from then on."""
    source: str


class KeyPage(Page[CentreKey]):
    """Keys by centre, then by when they began."""


@router.get("/v1/keys", responses=read_responses(403), response_model=KeyPage)
async def list_keys(
    request: Request,
    listed: Listed,
    centre: Annotated[
        str | None, Query(max_length=128, description="Of one centre.", examples=["poc:TH-83"])
    ] = None,
) -> Response:
    """Every key that had begun by `as_of`, as it was known: those that have ended too."""
    question = listed.question
    question.require(Resource.REFERENCE)
    keyed = (
        (
            [key.centre, key.valid_from.astimezone(UTC).isoformat(), key.key_id],
            CentreKey(
                centre=key.centre,
                key_id=key.key_id,
                public_key=key.public_key,
                valid_from=key.valid_from,
                valid_to=key.valid_to,
                revoked_from=key.revoked_from,
                source=key.source,
            ),
        )
        for key in _begun(question)
        if centre is None or key.centre == centre
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, KeyPage(items=items), last)


def _begun(question: Question) -> Iterator[KeyRegistered]:
    as_of = question.moment.as_of
    keys = question.registry.each(KeyRegistered, question.day)
    return (key for key in keys if key.valid_from <= as_of)
