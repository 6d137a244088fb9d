"""What is posted about directives: a draft, its issue, and each step after it by its name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from schemas.events.directive import (
    Attachment,
    DirectiveAcknowledged,
    DirectiveActStopped,
    DirectiveBegun,
    DirectiveComplied,
    DirectiveDrafted,
    DirectiveLifted,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveStep,
    DirectiveText,
    DirectiveUpheld,
)
from schemas.events.model import EventModel, Key, Text
from schemas.ids import Realm
from services.api.bodies import Body
from services.api.deciding import (
    IdempotencyKey,
    Sent,
    body_of,
    digest_at,
    digest_of,
    request_body,
)
from services.api.directing import Deciding, DirectiveState
from services.api.directives import DirectivePath
from services.api.moments import InRealm
from services.api.problems import documented
from services.api.reading import Asker, Opened, Resources
from services.domain import deadlines, directives
from services.domain.directives import Actor, Directive, DirectiveIdTaken
from services.domain.issuing import addressee_named
from services.identity.identity import Identity

router = APIRouter(tags=["directives"])

_WORDS = frozenset({"feed", "stream", "times"})
"""What stands where an id does in an address: no directive is named so."""

_PROBLEMS = (400, 401, 403, 404, 409, 413, 422, 503)
_DRAFT: JsonDict = {
    "directive": "evacuate-coast",
    "deputy": "deputy-andaman",
    "kind": "order",
    "title_th": "ให้อพยพประชาชนออกจากชายฝั่ง",
    "text_th": "ให้อพยพประชาชนออกจากชายฝั่งทันที และรายงานผลภายในสองชั่วโมง",
    "addressees": ["TH-83", "TH-82"],
    "report_by": "2026-12-26T13:30:00+07:00",
}


class DraftBody(DirectiveText):
    """A directive to be written down, or written anew while it is a draft."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_DRAFT]})
    type: ClassVar[str] = ""

    directive: Key | None = None
    """Its id; one is made of the request when it is left out."""


class IssueBody(Body):
    """Nothing but the signature."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class StepBody(Body):
    """A step of one addressee's life."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"addressee": "TH-83"}]})

    addressee: Key | None = None
    """Whose; the sender's own, or the only one, when it is left out."""


class NotedBody(StepBody):
    """A step that may be explained."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "เริ่มอพยพหาดป่าตอง"}]})

    note: Text | None = None


class ReasonedBody(StepBody):
    """A step that needs a reason."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"addressee": "TH-83", "reason": "ถนนขาด"}]}
    )

    reason: Text


class ReportBody(StepBody):
    """What the addressee did or found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"report": "อพยพแล้ว 4,200 คน"}]})

    report: Text
    attachments: Annotated[list[Attachment], Field(max_length=50)] = []


class EndBody(Body):
    """An end of the whole directive, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "พื้นที่ปลอดภัยแล้ว"}]})

    reason: Text


class SupersedeBody(Body):
    """The directive that stands in this one's place."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"superseded_by": "evacuate-coast-2"}]}
    )

    superseded_by: Key


@dataclass(frozen=True, slots=True)
class Posted:
    """A step as it can be posted: its path's last word, what it says, what it makes."""

    path: str
    body: type[StepBody]
    makes: type[DirectiveStep]
    about: str


@dataclass(frozen=True, slots=True)
class Ending:
    """An end of the whole that states its reason."""

    path: str
    decide: Callable[..., list[EventModel]]
    about: str


STEPS = (
    Posted("acknowledge", StepBody, DirectiveAcknowledged, "The addressee has taken note."),
    Posted("object", ReasonedBody, DirectiveObjected, "The addressee says why it cannot comply."),
    Posted("begin", NotedBody, DirectiveBegun, "The addressee is at it."),
    Posted("report", ReportBody, DirectiveReported, "The addressee reports."),
    Posted("accept", StepBody, DirectiveComplied, "The issuer's side accepts: complied with."),
    Posted("return", ReasonedBody, DirectiveReturned, "The issuer's side returns the report."),
    Posted("confirm-stop", StepBody, DirectiveActStopped, "The addressee has stopped the act."),
    Posted("lift", ReasonedBody, DirectiveLifted, "The act may go on."),
    Posted("uphold", ReasonedBody, DirectiveUpheld, "The suspension stays for good."),
)
ENDINGS = (
    Ending("withdraw", directives.withdraw, "The issuer's side takes it back, or drops a draft."),
    Ending("reverse", directives.reverse, "The PM reverses it; what was done until now stands."),
    Ending("take-over", directives.take_over, "From now on it is the Prime Minister's own."),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it came: who sends it under which key, about which directive."""

    identity: Identity
    key: str
    request: Request
    resources: Resources
    id: str
    realm: Realm

    async def deciding(self, body: Body) -> Deciding:
        """What decides it. The path says the directive and the step."""
        digest = digest_at(self.request.url.path, body)
        sent = Sent(self.identity, self.key, digest, self.realm)
        return await Deciding.of(self.resources, sent, self.id)


async def step_of(
    identity: Asker,
    key: IdempotencyKey,
    request: Request,
    resources: Opened,
    id_: DirectivePath,
    realm: InRealm = "actual",
) -> Step:
    """The step that a request posts; its body is read only after it is known who sends it."""
    return Step(identity, key, request, resources, id_, realm)


Sending = Annotated[Step, Depends(step_of)]


@router.post(
    "/v1/directives",
    status_code=201,
    responses=documented(*_PROBLEMS),
    openapi_extra=request_body(DraftBody),
)
async def draft_directive(
    identity: Asker,
    key: IdempotencyKey,
    request: Request,
    resources: Opened,
    realm: InRealm = "actual",
) -> DirectiveState:
    """A directive is written down and rules nothing yet; the same id again writes it anew.

    By the deputy, the deputy's secretariat or substitute, or the Prime Minister. In another realm
    than `actual` it is judged by the same orders and known in that realm alone.
    """
    body = await body_of(request, DraftBody)
    sent = Sent(identity, key, digest_of(body), realm)
    stated = {name: getattr(body, name) for name in DirectiveText.model_fields}
    id_ = body.directive or sent.id
    if id_ in _WORDS:
        raise DirectiveIdTaken(id_)
    written = DirectiveDrafted(**stated, directive=id_, drafted_by=str(identity))
    return await (await Deciding.of(resources, sent, id_)).draft(written)


@router.post(
    "/v1/directives/{id}/issue",
    responses=documented(*_PROBLEMS),
    openapi_extra=request_body(IssueBody),
)
async def issue_directive(sending: Sending) -> DirectiveState:
    """The draft rules from now on, by the orders in force at this moment.

    By the deputy, by the substitute while the deputy is away, or by the Prime Minister; not by who
    wrote it, but for the Prime Minister. Each addressee's ground is kept.
    """
    deciding = await sending.deciding(await body_of(sending.request, IssueBody))
    return await deciding.issue()


@router.post(
    "/v1/directives/{id}/supersede",
    responses=documented(*_PROBLEMS),
    openapi_extra=request_body(SupersedeBody),
)
async def supersede_directive(sending: Sending) -> DirectiveState:
    """Another directive, issued already, stands in its place; nothing more is owed under this."""
    body = await body_of(sending.request, SupersedeBody)
    deciding = await sending.deciding(body)
    await deciding.require_issued(body.superseded_by)
    decide = partial(directives.supersede, by_directive=body.superseded_by)
    return await deciding.take(decide, addressee=None)


def _step(posted: Posted) -> Callable[..., Awaitable[DirectiveState]]:
    async def take(sending: Sending) -> DirectiveState:
        body = await body_of(sending.request, posted.body)
        deciding = await sending.deciding(body)
        said = {name: getattr(body, name) for name in type(body).model_fields}

        def decide(directive: Directive, actor: Actor) -> list[EventModel]:
            addressee = addressee_named(body.addressee, directive, actor)
            who = {"directive": sending.id, "by": actor.identity, "order": actor.order}
            taken = posted.makes(**{**said, **who, "addressee": addressee})
            timed = deadlines.timed(directive, taken, now=deciding.now)
            return directives.step(directive, timed, actor)

        return await deciding.take(decide, addressee=body.addressee)

    return take


def _ending(ending: Ending) -> Callable[..., Awaitable[DirectiveState]]:
    async def take(sending: Sending) -> DirectiveState:
        body = await body_of(sending.request, EndBody)
        deciding = await sending.deciding(body)
        return await deciding.take(partial(ending.decide, reason=body.reason), addressee=None)

    return take


def _add(path: str, endpoint: Callable[..., Any], body: type[Body], about: str) -> None:
    router.add_api_route(
        f"/v1/directives/{{id}}/{path}",
        endpoint,
        methods=["POST"],
        name=f"{path.replace('-', '_')}_directive",
        description=about,
        responses=documented(*_PROBLEMS),
        openapi_extra=request_body(body),
    )


for _posted in STEPS:
    _add(_posted.path, _step(_posted), _posted.body, _posted.about)
for _ended in ENDINGS:
    _add(_ended.path, _ending(_ended), EndBody, _ended.about)
