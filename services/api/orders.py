"""Orders of the Prime Minister: issued by the PM, and read as they stood at any moment."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.config import JsonDict
from starlette.responses import Response

from schemas.envelope import Envelope
from schemas.events import EventModel, decode
from schemas.events.model import Key, Name, Province, Text
from schemas.events.order import Clause, Dimension, OrderIssued, Reservation
from services.api.answers import answer, answer_page, page_of, read_responses
from services.api.bodies import Body, Page, When, self_contained
from services.api.deciding import (
    Decisions,
    IdempotencyKey,
    Sent,
    body_of,
    digest_of,
    request_body,
    token_after,
)
from services.api.moments import InRealm, first_of
from services.api.problems import KEY_USED, documented, forbidden, not_found
from services.api.reading import Asked, Asker, Listed, Opened, Question, Resources, registry_held
from services.domain.chain import DECIDER, PRIME_MINISTER, Chain
from services.domain.naming import GroupGiven
from services.domain.orders import Draft, issue, judged_by, require_free
from services.domain.scope import Resource
from services.domain.validity import ENDLESS, Ruling
from services.eventlog.store import StoredEvent
from services.eventlog.transact import Judged
from services.identity.identity import Identity
from services.operation.problems import Problem

router = APIRouter(tags=["orders"])


class GroupAssignment(Body):
    """A whole cluster or inspection region is given, but for some provinces.

    The order holds its provinces one by one, as they are registered on the day it takes effect.
    """

    act: Literal["assign_group"]
    group: Literal["cluster", "region"]
    name: Key
    deputy: Key
    except_provinces: Annotated[list[Province], Field(max_length=100)] = []

    @property
    def given(self) -> GroupGiven:
        """What the rules call it."""
        return GroupGiven(self.group, self.name, self.deputy, tuple(self.except_provinces))


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be RFC 3339 with an offset, or a date")
    try:
        return first_of(value, "it")
    except Problem as wrong:
        raise ValueError(wrong.detail.en if wrong.detail else "no moment") from None


Begins = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
    ),
]
"""RFC 3339 with an offset, or a date: the first moment of that day in Bangkok."""

Number = Annotated[
    str, Field(max_length=64, pattern=r"^[0-9A-Za-zก-๎]+([ ./-][0-9A-Za-zก-๎]+){0,8}$")
]
"""As printed, with the Buddhist year: `168/2562`."""

_EXAMPLE: JsonDict = {
    "number": "401/2568",
    "issued_on": "2025-09-24",
    "effective_from": "2025-10-01",
    "amends": ["313/2568"],
    "clauses": [
        {
            "act": "assign_group",
            "group": "region",
            "name": "6",
            "deputy": "deputy-andaman",
            "except_provinces": ["TH-91"],
        },
        {"act": "substitute", "deputy": "deputy-andaman", "substitutes": ["deputy-north"]},
    ],
}


class OrderBody(Body):
    """An order as the PM issues it. It rules from `effective_from`, in the past or to come."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: Number
    issued_on: date | None = None
    """The day the order bears; the day it is issued here, when left out."""
    effective_from: Begins
    effective_to: Begins | None = None
    """The first moment, or the first day, after it."""
    complete: Annotated[list[Dimension], Field(max_length=3)] = []
    """The dimensions of which it names everything: earlier orders of them end."""
    revokes: Annotated[list[Name], Field(max_length=100)] = []
    amends: Annotated[list[Name], Field(max_length=100)] = []
    clauses: Annotated[
        list[Annotated[Clause | GroupAssignment, Field(discriminator="act")]],
        Field(max_length=1_000),
    ] = []
    note: Text | None = None
    source: Text = "issued in the network by the Prime Minister"

    @property
    def draft(self) -> Draft:
        """What the rules are asked about."""
        return Draft(
            number=self.number,
            effective_from=self.effective_from,
            source=self.source,
            effective_to=self.effective_to,
            issued_on=self.issued_on,
            complete=tuple(self.complete),
            revokes=tuple(self.revokes),
            amends=tuple(self.amends),
            clauses=tuple(
                one.given if isinstance(one, GroupAssignment) else one for one in self.clauses
            ),
            note=self.note,
        )


# What a clause writes about itself has the shape that it is read by; its serialiser hides it.
_CLAUSE = self_contained(TypeAdapter(Clause).json_schema(mode="validation"))


class NumberedClause(Body):
    """One clause of an order; `clause` counts from 1 and is what a decision cites."""

    clause: int
    orders: Annotated[Clause, WithJsonSchema(_CLAUSE, mode="serialization")]


class IssuedOrder(Body):
    """An order that was issued: what of it stands in the log, groups as their provinces."""

    number: str
    position: str
    """With `after`, an answer that knows the order."""
    clauses: list[NumberedClause]


class Order(Body):
    """An order as it stood at the moment."""

    number: str
    issued_on: date | None
    effective_from: When
    effective_to: When | None
    """What the order itself states."""
    state: Literal["coming", "in_force", "over"]
    ends: When | None
    """When it is over, by its own words or by a later order; null while nothing ends it."""
    complete: list[Dimension]
    missing: list[Dimension]
    """The archive lacks its text on these: cover is not known from its effect on."""
    revokes: list[str]
    amends: list[str]
    illustrative: bool
    """No source states the order: it stands in for the demonstration."""
    note: str | None
    source: str
    clauses: list[NumberedClause]


class OrderPage(Page[Order]):
    """Orders by the moment they take effect, then by number."""


async def prime_minister(identity: Asker) -> Identity:
    """The Prime Minister and nobody else; asked before anything else of the request is read.

    Raises:
        Problem: 403.
    """
    if identity.kind != "pm":
        raise forbidden()
    return identity


PrimeMinister = Annotated[Identity, Depends(prime_minister)]
NumberPath = Annotated[str, Path(alias="number", max_length=300, examples=["315/2567"])]


@router.post(
    "/v1/orders",
    status_code=201,
    response_model=IssuedOrder,
    responses=documented(400, 401, 403, 409, 413, 422, 503),
    openapi_extra=request_body(OrderBody),
)
async def issue_order(
    identity: PrimeMinister,
    key: IdempotencyKey,
    request: Request,
    resources: Opened,
    realm: InRealm = "actual",
) -> IssuedOrder:
    """The Prime Minister issues an order; the same request again is answered alike.

    Refused by the name of its rule when it does not fit what is there: 409. In another realm than
    `actual` it is judged by the actual orders and that realm's own, and rules in that realm alone.
    """
    body = await body_of(request, OrderBody)
    sent = Sent(identity, key, digest_of(body), realm)
    stored = await _issue(body.draft, sent, resources)
    made = sent.made(stored) or _numbered(body.number, stored)
    return IssuedOrder(
        number=body.number,
        position=token_after(made, resources.tokens),
        clauses=list(_clauses(_order_of(made))),
    )


@router.get("/v1/orders", responses=read_responses(403), response_model=OrderPage)
async def list_orders(
    request: Request,
    listed: Listed,
    state: Annotated[
        Literal["coming", "in_force", "over"] | None, Query(description="At `as_of`.")
    ] = None,
) -> Response:
    """Every order that is known, as it stands at the moment."""
    question = listed.question
    question.require(Resource.REFERENCE)
    keyed = (
        ([order.effective_from.astimezone(UTC).isoformat(), order.number], order)
        for order in _orders(question)
        if state in (None, order.state)
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, OrderPage(items=items), last)


@router.get("/v1/orders/{number:path}", responses=read_responses(404), response_model=Order)
async def get_order(request: Request, question: Asked, number: NumberPath) -> Response:
    """One order as it stands at the moment; its number may be written with its slash."""
    if question.scope.reads(Resource.REFERENCE):
        for order in _orders(question):
            if order.number == number:
                return answer(request, question, order)
    raise not_found()


async def _issue(draft: Draft, sent: Sent, resources: Resources) -> Sequence[StoredEvent]:
    """All orders with this one: judged by what is registered, decided while that holds still."""
    now, subject = resources.clock(), f"orders/{draft.number}"

    async def judge(chain: Chain, _: Sequence[StoredEvent]) -> Judged:
        registry, guards = await registry_held(resources, partial(judged_by, draft))
        if sent.realm != "actual":
            actual = (await resources.orders.read())["actual"]
            require_free(draft.number, actual.chain)
            chain, guards = actual.chain.then(chain), [*guards, *actual.guards]
        return Judged(issue(chain, draft, registry=registry, now=now), guards)

    def envelope(event: EventModel, _version: int) -> Envelope:
        return sent.envelope(event, subject=subject, now=now)

    decisions = Decisions(resources.store, DECIDER.within(sent.realm), PRIME_MINISTER)
    return (await decisions.once(sent, judge, envelope=envelope)).stream


def _numbered(number: str, stored: Iterable[StoredEvent]) -> StoredEvent:
    """The order that had this number and this content before the request came.

    Raises:
        Problem: 422, there is none: the store knows the key from another kind of decision.
    """
    for event in stored:
        if event.envelope.type == OrderIssued.type and _order_of(event).number == number:
            return event
    raise Problem(KEY_USED)


def _order_of(stored: StoredEvent) -> OrderIssued:
    order = decode(stored.envelope.type, stored.data)
    assert isinstance(order, OrderIssued)  # noqa: S101 -- the only type a request here makes
    return order


def _orders(question: Question) -> Iterator[Order]:
    """What the reader may see of every order known; the last that was stated under a number."""
    rulings = {one.order.number: one for one in question.matrix.validity.orders}
    stated = {order.number: order for order in question.reference.chain.orders}
    for order in stated.values():
        clauses = [one for one in _clauses(order) if _is_seen(one.orders, question)]
        if clauses or not order.clauses:
            yield _told(order, clauses, rulings.get(order.number), question.moment.as_of)


def _told(
    order: OrderIssued, clauses: list[NumberedClause], ruling: Ruling | None, at: datetime
) -> Order:
    ends = ruling.ends if ruling else order.effective_from
    state: Literal["coming", "in_force", "over"] = (
        "over" if at >= ends else "in_force" if at >= order.effective_from else "coming"
    )
    stated = {name: getattr(order, name) for name in OrderIssued.model_fields if name != "clauses"}
    return Order(**stated, state=state, ends=None if ends == ENDLESS else ends, clauses=clauses)


def _clauses(order: OrderIssued) -> Iterator[NumberedClause]:
    for nth, clause in enumerate(order.clauses, start=1):
        yield NumberedClause(clause=nth, orders=clause)


def _is_seen(clause: Clause, question: Question) -> bool:
    """A reservation that names one matter is for the PM and for whom it is reserved from."""
    if not isinstance(clause, Reservation) or clause.subject is None:
        return True
    return question.scope.sees_matter(clause.deputy)
