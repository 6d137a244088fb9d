"""Directives read: outboxes of issuers, inboxes of addressees, one of them, and its history."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from schemas.events.clocks import Office, Owed
from schemas.events.directive import (
    Attachment,
    Capacity,
    Classification,
    DirectiveDrafted,
    DirectiveIssued,
    DirectiveKind,
    Stop,
)
from schemas.events.order import Dimension, Power
from services.api.answers import answer, answer_page, read_responses
from services.api.bodies import Body, Page, When
from services.api.database import Row
from services.api.directive_rows import CITED, EVENTS, counted, find, readership
from services.api.problems import BAD_CURSOR, not_found
from services.api.reading import Asked, Listed, Listing, Question
from services.domain.readership import Readership
from services.domain.scope import Resource
from services.domain.steps import Phase, Standing
from services.operation.problems import Problem
from services.readmodels.notices import said_in
from services.readmodels.readership import parameters

router = APIRouter(tags=["directives"])

_FROM_DRAFT = ("deputy", "kind", "title_th", "title_en", "classification", "incident", "agenda",
               "provinces", "drafted_by", "illustrative")  # fmt: skip

DirectivePath = Annotated[str, Path(alias="id", max_length=128, examples=["evacuate-coast"])]


class Cited(Body):
    """By which clause of which order, with which power over what; null in what the PM issued."""

    order: str | None
    clause: int | None
    dimension: Dimension | None
    target: str | None
    power: Power | None


class Addressed(Body):
    """How far one addressee is."""

    addressee: str
    state: Standing
    since: When
    due_at: When | None
    """By when it owes what it owes first; null when it owes nothing, or nobody said by when."""
    overdue: bool
    """The acknowledgement, or the report, was due before `as_of` and is not there."""
    escalated_to: Office | None
    """With whom the overdue lies by now; null while it lies with the addressee."""
    authority: list[Cited]


class DirectiveItem(Body):
    """A directive as it stood."""

    id: str
    state: Phase
    deputy: str
    """In whose name; `pm` is the Prime Minister's own."""
    kind: DirectiveKind
    title_th: str
    title_en: str | None
    classification: Classification
    incident: str | None
    agenda: str | None
    provinces: list[str]
    drafted_by: str
    drafted_at: When
    issued_by: str | None
    issued_at: When | None
    capacity: Capacity | None
    acting_for: str | None
    acknowledge_by: When | None
    """As the draft states it; once issued, also where it follows from the policy of that day."""
    report_by: When | None
    illustrative: bool
    """No source states it: it stands in for the demonstration."""
    overdue: bool
    addressees: list[Addressed]
    """Of a draft none yet; an addressee sees itself alone."""


class DirectiveDetail(DirectiveItem):
    """A directive with its text."""

    text_th: str
    named: list[str]
    """Whom the text names, issued or not; an addressee sees itself alone."""
    grounds: list[str]
    attachments: list[Attachment]
    stops: Stop | None


class DirectivePage(Page[DirectiveItem]):
    """Directives, the last begun first."""


class Event(Body):
    """One event of a directive's life: who, when, under which order."""

    time: When
    event: str
    """`drafted`, `issued`, `acknowledged`, …, `reversed`, `assumed` (by the PM), `closed`; of the
    clocks `reminded`, `overdue`, `escalated`.

    `reserved` is for the PM and those whose power over it rests by the order."""
    addressee: str | None
    by: str | None
    """Null where it follows of itself."""
    order: str | None
    """Under which order who did it held the matter, or acted; null of addressees and the PM, unless
    it is the order that reserves it."""
    acting_for: str | None
    text: str | None
    """The reason, the report or the note."""
    attachments: list[Attachment]
    superseded_by: str | None
    owes: Owed | None
    """Of `reminded`, `overdue` and `escalated`: what is not there."""
    escalated_to: Office | None


class HistoryPage(Page[Event]):
    """What happened to a directive, the first event first."""


@router.get("/v1/directives", responses=read_responses(403), response_model=DirectivePage)
async def list_directives(
    request: Request,
    listed: Listed,
    issuer: Annotated[
        str | None, Query(max_length=128, description="In this deputy's name, or `pm`.")
    ] = None,
    addressee: Annotated[
        str | None, Query(max_length=128, description="Issued to it: an inbox.")
    ] = None,
    province: Annotated[
        str | None, Query(max_length=20, description="Addressed to it, or carried out there.")
    ] = None,
    kind: DirectiveKind | None = None,
    state: Phase | None = None,
    overdue: Annotated[
        bool | None, Query(description="An acknowledgement or a report was due before `as_of`.")
    ] = None,
) -> Response:
    """Directives that the reader may see, as they stand at the moment, the last begun first.

    Drafts are their deputy's, their secretariat's and the PM's. What was issued is for both sides,
    for the deputies in whose area or function it lies, and for the PMOC; what is confidential for
    both sides and the PM alone.
    """
    question = listed.question
    reads = readership(question)
    wanted: dict[str, object] = {
        "issuer": issuer,
        "addressee": addressee,
        "province": province,
        "kind": kind,
        "state": state,
        "overdue": overdue,
        "before": _position(listed),
        "limit": listed.limit + 1,
    }
    rows = await find(question, reads, wanted)
    page = rows[: listed.limit]
    cited = await _cited(question, [row.id for row in page])
    last = [page[-1].begun] if len(rows) > len(page) else None
    items = [DirectiveItem(**_item(row, cited)) for row in page]
    return answer_page(request, listed, DirectivePage(items=items), last)


@router.get(
    "/v1/directives/{id}", responses=read_responses(403, 404), response_model=DirectiveDetail
)
async def get_directive(request: Request, question: Asked, id_: DirectivePath) -> Response:
    """One directive as it stood at the moment."""
    reads = readership(question)
    row = await _one(question, reads, id_)
    written = _draft_of(row)
    detail = DirectiveDetail(
        **_item(row, await _cited(question, [id_])),
        text_th=written["text_th"],
        named=[one for one in row.named if reads.sees_sides or one in reads.addressees],
        grounds=written["grounds"],
        attachments=written["attachments"],
        stops=written["stops"],
    )
    return answer(request, question, detail)


@router.get(
    "/v1/directives/{id}/history", responses=read_responses(403, 404), response_model=HistoryPage
)
async def list_directive_history(request: Request, listed: Listed, id_: DirectivePath) -> Response:
    """What happened to a directive until the moment: who, when, under which order."""
    question = listed.question
    reads = readership(question)
    row = await _one(question, reads, id_)
    rows = await question.rows(
        counted(EVENTS, question),
        directive=id_,
        drafts=reads.everything or row.deputy in reads.own,
        **parameters(reads),
        matters=_matters(row),
        reads_matters=question.scope.reads(Resource.MATTERS),
        after=_position(listed),
        limit=listed.limit + 1,
    )
    page = rows[: listed.limit]
    last = [page[-1].position] if len(rows) > len(page) else None
    return answer_page(request, listed, HistoryPage(items=[_event(one) for one in page]), last)


async def _one(question: Question, reads: Readership, id_: str) -> Row:
    rows = await find(question, reads, {"limit": 1}, id_)
    if not rows:
        raise not_found()
    return rows[0]


async def _cited(question: Question, ids: Sequence[str]) -> dict[tuple[str, str], list[Cited]]:
    """What each addressee of these directives is directed by."""
    cited: dict[tuple[str, str], list[Cited]] = {}
    for row in await question.rows(counted(CITED, question), directives=list(ids)):
        one = dict(row)
        key = one.pop("directive"), one.pop("addressee")
        cited.setdefault(key, []).append(Cited(**one))
    return cited


def _matters(row: Row) -> list[str]:
    """Under which names the Prime Minister may have reserved it."""
    incident = _draft_of(row)["incident"]
    named = [] if incident is None else [f"incidents/{incident}"]
    return [f"directives/{row.id}", *named]


def _position(listed: Listing) -> int | None:
    match listed.last:
        case None:
            return None
        case [int(position)]:
            return position
        case _:
            raise Problem(BAD_CURSOR)


def _draft_of(row: Row) -> dict[str, Any]:
    # Through the model: a field that newer code knows has its default in an older draft.
    written = DirectiveDrafted.model_validate_json(row.draft)
    return {name: getattr(written, name) for name in DirectiveDrafted.model_fields}


def _item(row: Row, cited: dict[tuple[str, str], list[Cited]]) -> dict[str, Any]:
    written = _draft_of(row)
    issue = None if row.issue is None else DirectiveIssued.model_validate_json(row.issue)
    told = json.loads(row.addressees)
    return {
        **{name: written[name] for name in _FROM_DRAFT},
        "id": row.id,
        "state": row.state,
        "drafted_at": row.drafted_at,
        "issued_by": issue and issue.issued_by,
        "issued_at": row.issued_at,
        "capacity": issue and issue.capacity,
        "acting_for": issue and issue.acting_for,
        "acknowledge_by": row.acknowledge_by,
        "report_by": row.report_by,
        "overdue": row.overdue,
        "addressees": [
            Addressed(
                **{
                    **one,
                    "since": datetime.fromisoformat(one["since"]),
                    "due_at": one["due_at"] and datetime.fromisoformat(one["due_at"]),
                },
                authority=cited.get((row.id, one["addressee"]), []),
            )
            for one in told
        ],
    }


def _event(row: Row) -> Event:
    body: dict[str, Any] = json.loads(row.body)
    said = said_in(row.event, body)
    return Event(
        time=row.time,
        event=row.event,
        addressee=row.addressee,
        by=said.by,
        order=said.order,
        acting_for=body.get("acting_for"),
        text=said.note,
        attachments=body.get("attachments", []),
        superseded_by=said.superseded_by,
        owes=said.owes,
        escalated_to=said.escalated_to,
    )
