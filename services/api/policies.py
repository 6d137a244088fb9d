"""Policies and resolutions, of the cabinet and of ministries: registered, revoked, read by all.

They are published; a suspension names one of them as its ground.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ConfigDict, model_validator
from pydantic.config import JsonDict
from starlette.responses import Response

from schemas.events import EventModel
from schemas.events.model import Key, Name, Text
from schemas.events.policy import Outcome, PolicyKind, PolicyRegistered, PolicyRevoked
from services.api.answers import answer, answer_page, page_of, read_responses
from services.api.bodies import Body, Interval, Page
from services.api.deciding import (
    Decisions,
    IdempotencyKey,
    Sent,
    body_of,
    digest_at,
    request_body,
    token_after,
)
from services.api.moments import day_of_text
from services.api.problems import documented, forbidden, not_found
from services.api.reading import Asked, Asker, Listed, Opened, Question, Resources, registry_now
from services.domain import policies
from services.domain.policies import DECIDER, Policy
from services.domain.registry import Registry, day_of
from services.domain.scope import Resource
from services.eventlog.transact import state_of
from services.identity.identity import Identity

router = APIRouter(tags=["policies"])

type State = Literal["coming", "in_force", "over"]

_PROBLEMS = (400, 401, 403, 409, 413, 422, 503)
_KEEPERS = frozenset({"cabinet", "moc"})
_FROM_TEXT = ("kind", "ministry", "outcome", "title_th", "title_en", "decided_on", "valid_from",
              "valid_to", "source")  # fmt: skip
_POLICY: JsonDict = {
    "policy": "resolution-2025-09-30-7",
    "kind": "cabinet_resolution",
    "outcome": "agreed",
    "title_th": "แนวทางการใช้พื้นที่ชายฝั่ง",
    "text_th": "เห็นชอบแนวทางการใช้พื้นที่ชายฝั่งอันดามัน",
    "decided_on": "2025-09-30",
    "valid_from": "2025-10-01",
    "source": "มติคณะรัฐมนตรี 30 กันยายน 2568 เรื่องที่ 7",
}
_REVOCATION: JsonDict = {"valid_from": "2026-01-01", "source": "มติคณะรัฐมนตรี 23 ธันวาคม 2568"}


class PolicyBody(Body):
    """A policy or resolution, or its text from a later day on.

    Half-open: `valid_to` is the first day after it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_POLICY]})

    policy: Key
    """Its id. A second text under the same id rules from its own `valid_from` on."""
    kind: PolicyKind
    outcome: Outcome
    title_th: Name
    title_en: Name | None = None
    text_th: Text
    decided_on: date
    valid_from: date
    valid_to: date | None = None
    source: Text
    """Where the text stands."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be after valid_from")
        return self


class RevocationBody(Body):
    """From when on it rules no more."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REVOCATION]})

    valid_from: date
    """The first day on which it rules no more."""
    revoked_by: Key | None = None
    """The policy or resolution that revokes it, where that one is registered."""
    source: Text


class PolicyDecided(Body):
    """What stands in the register by the decision."""

    id: str
    position: str
    """With `after`, an answer that knows the decision."""


class PolicyItem(Body):
    """A policy or resolution as it stood."""

    id: str
    kind: PolicyKind
    ministry: str | None
    """Whose own it is; null of the cabinet's."""
    state: State
    outcome: Outcome
    title_th: str
    title_en: str | None
    decided_on: date
    valid_from: date
    valid_to: date | None
    revoked_from: date | None
    """The first day on which it rules no more."""
    revoked_by: str | None
    source: str


class PolicyText(Interval):
    """What it says from a day on."""

    outcome: Outcome
    title_th: str
    title_en: str | None
    text_th: str
    decided_on: date
    source: str


class PolicyDetail(PolicyItem):
    """A policy or resolution with its texts."""

    texts: list[PolicyText]
    """Each rules until the next begins, the first first."""


class PolicyPage(Page[PolicyItem]):
    """Policies and resolutions, the last decided first."""


async def keeper(identity: Asker) -> Identity:
    """Who keeps any policies at all; asked before anything else of the request is read.

    Raises:
        Problem: 403.
    """
    if identity.kind not in _KEEPERS:
        raise forbidden()
    return identity


@dataclass(frozen=True, slots=True)
class Keeping:
    """A decision about policies as it came: who sends it under which key."""

    identity: Identity
    key: str
    request: Request
    resources: Resources

    def sent(self, body: Body) -> Sent:
        """The decision with what it says."""
        return Sent(self.identity, self.key, digest_at(self.request.url.path, body))

    async def ministry(self, kind: PolicyKind) -> str | None:
        """Whose policy of this kind the sender writes now.

        Raises:
            NotPolicyKeeper: nobody's.
        """
        registry, day = await registry_now(self.resources), day_of(self.resources.clock())
        return policies.keeps(self.identity, kind, registry, day)


async def keeping_of(
    identity: Annotated[Identity, Depends(keeper)],
    key: IdempotencyKey,
    request: Request,
    resources: Opened,
) -> Keeping:
    """The decision that a request posts; its body is read only after it is known who sends it."""
    return Keeping(identity, key, request, resources)


Kept = Annotated[Keeping, Depends(keeping_of)]
PolicyPath = Annotated[str, Path(alias="id", max_length=128, examples=["resolution-2025-09-30-7"])]


@router.post(
    "/v1/policies",
    status_code=201,
    responses=documented(*_PROBLEMS),
    openapi_extra=request_body(PolicyBody),
)
async def register_policy(keeping: Kept) -> PolicyDecided:
    """A policy or resolution stands in the register, or says something else from a day on.

    The cabinet's by its secretary, a ministry's own by the ministry's centre.
    """
    body = await body_of(keeping.request, PolicyBody)
    ministry = await keeping.ministry(body.kind)
    stated = {name: getattr(body, name) for name in PolicyBody.model_fields}
    text = PolicyRegistered(**stated, ministry=ministry)
    decide = partial(policies.register, text=text)
    return await _decide(keeping, keeping.sent(body), body.policy, decide)


@router.post(
    "/v1/policies/{id}/revocation",
    responses=documented(*_PROBLEMS, 404),
    openapi_extra=request_body(RevocationBody),
)
async def revoke_policy(keeping: Kept, id_: PolicyPath) -> PolicyDecided:
    """A policy or resolution rules no more from a day on; by who keeps it."""
    body = await body_of(keeping.request, RevocationBody)
    stored = await keeping.resources.store.load(DECIDER.stream(id_))
    if not stored:
        raise not_found()
    last = state_of(DECIDER, stored).registered[-1]
    if await keeping.ministry(last.kind) != last.ministry:
        raise policies.NotPolicyKeeper(last.kind)
    stated = {name: getattr(body, name) for name in RevocationBody.model_fields}
    decide = partial(policies.revoke, revocation=PolicyRevoked(policy=id_, **stated))
    return await _decide(keeping, keeping.sent(body), id_, decide)


@router.get("/v1/policies", responses=read_responses(403), response_model=PolicyPage)
async def list_policies(
    request: Request,
    listed: Listed,
    kind: PolicyKind | None = None,
    in_force_on: Annotated[
        str | None,
        Query(description="In force on this day.", json_schema_extra={"format": "date"}),
    ] = None,
) -> Response:
    """Policies and resolutions that were decided by the moment, the last decided first."""
    question = listed.question
    question.require(Resource.REFERENCE)
    day = None if in_force_on is None else day_of_text(in_force_on, "in_force_on")
    keyed = (
        # Days count down so that the last decided comes first.
        ([f"{date.max.toordinal() - item.decided_on.toordinal():07}", item.id], item)
        for id_, policy in _registered(question.registry)
        if (item := _item(id_, policy, question)) is not None
        and kind in (None, item.kind)
        and (day is None or policy.is_in_force(day))
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, PolicyPage(items=items), last)


@router.get("/v1/policies/{id}", responses=read_responses(403, 404), response_model=PolicyDetail)
async def get_policy(request: Request, question: Asked, id_: PolicyPath) -> Response:
    """One policy or resolution with its texts in time."""
    question.require(Resource.REFERENCE)
    policy = _policy(question.registry, id_)
    item = _item(id_, policy, question)
    if item is None:
        raise not_found()
    texts = [
        PolicyText.model_validate(one.model_dump(include=set(PolicyText.model_fields)))
        for one in policy.registered
        if one.decided_on <= question.day
    ]
    return answer(request, question, PolicyDetail(**dict(item), texts=texts))


async def _decide(
    keeping: Keeping, sent: Sent, id_: str, decide: Callable[[Policy], list[EventModel]]
) -> PolicyDecided:
    decisions, now = Decisions(keeping.resources.store, DECIDER, id_), keeping.resources.clock()
    made = await decisions.made(sent, decide, subject=f"policies/{id_}", now=now)
    return PolicyDecided(id=id_, position=token_after(made, keeping.resources.tokens))


def _registered(registry: Registry) -> Iterator[tuple[str, Policy]]:
    """Every policy and resolution that is known, by id."""
    for subject, id_ in sorted(registry.versions):
        if subject == "policy":
            yield id_, _policy(registry, id_)


def _policy(registry: Registry, id_: str) -> Policy:
    """What is known of one, the text that begins first before the others."""
    texts = [one.model for one in registry.versions.get(("policy", id_), ())]
    ends = [one.model for one in registry.versions.get(("revocation", id_), ())]
    return Policy(
        tuple(one for one in reversed(texts) if isinstance(one, PolicyRegistered)),
        tuple(one for one in reversed(ends) if isinstance(one, PolicyRevoked)),
    )


def _item(id_: str, policy: Policy, question: Question) -> PolicyItem | None:
    """As it stood on the question's day; None when nothing of it was decided by then."""
    day = question.day
    decided = [one for one in policy.registered if one.decided_on <= day]
    if not decided:
        return None
    begun = policy.on(day)
    text = begun if begun in decided else decided[0]
    revoked = min(policy.revoked, key=lambda one: one.valid_from, default=None)
    state: State = "coming" if begun is None else "over"
    return PolicyItem(
        **{name: getattr(text, name) for name in _FROM_TEXT},
        id=id_,
        state="in_force" if policy.is_in_force(day) else state,
        revoked_from=revoked and revoked.valid_from,
        revoked_by=revoked and revoked.revoked_by,
    )
