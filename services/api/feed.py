"""The feed of directives: what happens to them, read on from where a reader is.

A reader that takes each page in before it commits its `next` misses nothing, and meets at worst a
page twice. The stream tells the same, and its places are the same.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from schemas.events.directive import DirectiveKind
from schemas.events.notice import DirectiveNotice
from schemas.events.situation import Severity
from schemas.ids import Realm
from services.api.bodies import Body, When
from services.api.database import transaction_for
from services.api.deciding import body_of, request_body
from services.api.moments import After, InRealm, Pair
from services.api.places import Places
from services.api.problems import BAD_CURSOR, documented, forbidden
from services.api.reading import Asker, Opened, Question, ask
from services.api.streams import EventStream
from services.domain.issuing import Circumstances
from services.eventlog.position import BadToken
from services.operation.problems import Problem, Text
from services.readmodels.notices import Audience, Wanted, end_of, notices, structured
from services.readmodels.statements import fetch

router = APIRouter(tags=["directives"])

_COMMITTED = """
SELECT next_position FROM outward.feeds WHERE identity = :identity AND realm = :realm
"""
_COMMIT = """
INSERT INTO outward.feeds (identity, realm, next_position) VALUES (:identity, :realm, :position)
ON CONFLICT (identity, realm) DO UPDATE
SET next_position = excluded.next_position, committed_at = now()
"""
_NOT_KEPT = {"Cache-Control": "no-store"}

_Any = Annotated[list[str] | None, Query(max_length=100)]


class NoticeItem(Body):
    """One notice: a CloudEvent in structured mode; what it does not state is left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    specversion: Literal["1.0"]
    id: str
    """The decision's own: the same however often, and by whatever way, it is told."""
    source: str
    type: Literal["directive.notice.v1"]
    subject: str
    time: When
    datacontenttype: Literal["application/json"]
    realm: Realm = "actual"
    data: DirectiveNotice


class FeedPage(Body):
    """What happened to directives, the first decided first."""

    items: list[NoticeItem]
    next: str
    """The place after them. It is always there: ask with it again later."""


class Commit(Body):
    """Everything before this place was taken in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cursor": None}]})

    cursor: Annotated[str, Field(max_length=4_000)] | None
    """`next` of a page, or the id of a stream's event; null begins again with the first notice."""
    realm: Realm = "actual"


async def wanted(
    realm: InRealm = "actual",
    province: Annotated[
        list[str] | None,
        Query(max_length=100, description="Addressed to one of these, or carried out there."),
    ] = None,
    ministry: Annotated[
        list[str] | None,
        Query(max_length=100, description="Addressed to one of these, or to a department of it."),
    ] = None,
    agenda: _Any = None,
    kind: Annotated[list[DirectiveKind] | None, Query(max_length=10)] = None,
    severity: Annotated[
        list[Severity] | None,
        Query(max_length=10, description="Of the directive's incident, as it is now."),
    ] = None,
) -> Wanted:
    """Which notices are asked for: any value of a parameter, and all parameters together."""
    chosen = (province, ministry, agenda, kind, severity)
    return Wanted(realm, *(None if one is None else frozenset(one) for one in chosen))


Filtered = Annotated[Wanted, Depends(wanted)]
From = Annotated[
    str | None,
    Query(max_length=4_000, description="`next` of a page, or the id of a stream's event."),
]


@router.get(
    "/v1/directives/feed", responses=documented(400, 401, 403, 503), response_model=FeedPage
)
async def read_directive_feed(
    identity: Asker,
    resources: Opened,
    filtered: Filtered,
    cursor: From = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many items.")] = 100,
) -> Response:
    """What happened to directives since the cursor, else since what was committed, else ever.

    Everything that the reader's authority of this moment reaches, and an addressee's own for ever;
    drafts never. At least once: the same notice has the same id, and of one directive the highest
    `number` has the last word.
    """
    reader, places = str(identity), Places(resources.tokens)
    async with ask(resources, identity, Pair(None, None, filtered.realm, after, None)) as question:
        audience = audience_of(question)
        place = await _place(question, places, filtered.realm, cursor)
        end = await end_of(question.connection)
        found, following = await notices(
            question.connection, audience, filtered, after=place, upto=end, limit=limit
        )
    items = b",".join(structured(one) for one in found)
    content = b'{"items":[%s],"next":"%s"}' % (items, places.seal(reader, following).encode())
    return Response(content, media_type="application/json", headers=_NOT_KEPT)


@router.put(
    "/v1/directives/feed/cursor",
    status_code=204,
    responses=documented(400, 401, 403, 413, 422, 503),
    openapi_extra=request_body(Commit),
)
async def commit_directive_feed(identity: Asker, resources: Opened, request: Request) -> None:
    """The reader has taken in everything before the cursor: the feed goes on from there.

    What was issued to an addressee counts as delivered once its commit has passed it.
    """
    commit, reader = await body_of(request, Commit), str(identity)
    async with ask(resources, identity, Pair(None, None, commit.realm, None, None)) as question:
        audience_of(question)
    places = Places(resources.tokens)
    position = 0 if commit.cursor is None else _opened(places, reader, commit.cursor)
    named = {"identity": reader, "realm": commit.realm, "position": position}
    async with transaction_for(resources.pool, reader) as connection:
        await fetch(connection, _COMMIT, named)


@router.get(
    "/v1/directives/stream",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {"description": "Server-sent events.", "content": {EventStream.media_type: {}}},
        **documented(400, 401, 403, 503),
    },
)
async def stream_directives(
    identity: Asker,
    resources: Opened,
    filtered: Filtered,
    cursor: From = None,
    last_event_id: Annotated[
        str | None, Header(max_length=4_000, description="What a browser sends by itself.")
    ] = None,
) -> EventStream:
    """What happens to directives, as it happens: server-sent events.

    `event: notice` has a CloudEvent as its data and the place after it as its id: with
    `Last-Event-ID`, or else with `cursor`, the stream goes on from any place there ever was, and
    without either from now. `event: reset` says that it cannot go on from there: read the feed or
    the directives anew; `next` in its data is where this stream begins. Comments are signs of life.
    A reader that does not read is cut off, everybody is after 15 minutes, and both resume.
    """
    end = await resources.streams.admit(identity, filtered.realm)
    place, places, refused = last_event_id or cursor, Places(resources.tokens), None
    position = end
    try:
        position = end if place is None else places.open(str(identity), place)
    except BadToken as bad:
        refused = str(bad)
    return EventStream(resources.streams.listen(identity, filtered, position, refused=refused))


def audience_of(question: Question) -> Audience:
    """The asker, by what it sees of directives and incidents now.

    Raises:
        Problem: 403, no directive is ever for this reader.
    """
    audience = Audience(question.identity, Circumstances(question.matrix, question.registry))
    if audience.reads.is_empty:
        raise forbidden()
    return audience


async def _place(question: Question, places: Places, realm: Realm, cursor: str | None) -> int:
    """The position the page begins at."""
    reader = str(question.identity)
    if cursor is not None:
        return _opened(places, reader, cursor)
    rows = await fetch(question.connection, _COMMITTED, {"identity": reader, "realm": realm})
    return rows[0].next_position if rows else 0


def _opened(places: Places, reader: str, cursor: str) -> int:
    try:
        return places.open(reader, cursor)
    except BadToken as bad:
        raise Problem(BAD_CURSOR, Text("เคอร์เซอร์ใช้ไม่ได้", str(bad))) from bad
