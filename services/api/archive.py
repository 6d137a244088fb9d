"""The revisions of the archive: what imports took over, one after the other."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.answers import answer_page, page_of, read_responses
from services.api.bodies import Body, Page, When
from services.api.knowing import revisions
from services.api.progress import behind
from services.api.reading import Listed
from services.domain.scope import Resource

router = APIRouter(tags=["archive"])


class Revision(Body):
    """One import; an answer for a `known_at` before the opening names the revision it is from."""

    revision: int
    name: str
    digest: str
    events: int
    decisions: int
    applied: bool
    """The read models hold all of it: from here on it is answered from."""
    reaches_to: When | None
    """The network's opening: archives reach up to it."""


class ArchivePage(Page[Revision]):
    """Revisions, the first import first."""


@router.get("/v1/archive", responses=read_responses(403), response_model=ArchivePage)
async def list_revisions(request: Request, listed: Listed) -> Response:
    """The revisions there are now: an import states itself, whatever the pair."""
    question = listed.question
    question.require(Resource.REFERENCE)
    keyed = (
        (
            [f"{one.revision:012}"],
            Revision(
                revision=one.revision,
                name=one.name,
                digest=one.digest,
                events=one.events,
                decisions=one.decisions,
                applied=not behind(question.seen.progress, one.ends),
                reaches_to=question.live.opened_at,
            ),
        )
        for one in revisions(question.live)
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, ArchivePage(items=items), last)
