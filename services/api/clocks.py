"""The clocks of directives: by when they are answered, and with whom what is overdue lies next."""

from datetime import date
from functools import partial
from typing import ClassVar

from fastapi import APIRouter, Request
from pydantic import ConfigDict
from pydantic.config import JsonDict
from starlette.responses import Response

from schemas.events.clocks import ClocksSet, Office
from services.api.answers import answer, read_responses
from services.api.bodies import Body
from services.api.deciding import (
    Decisions,
    IdempotencyKey,
    Sent,
    body_of,
    digest_at,
    request_body,
    token_after,
)
from services.api.orders import PrimeMinister
from services.api.problems import documented
from services.api.reading import Asked, Opened
from services.domain import clocks
from services.domain.registry import CLOCKS
from services.domain.scope import Resource

router = APIRouter(tags=["directives"])

_CLOCKS: JsonDict = {
    "valid_from": "2026-10-01",
    "acknowledge_seconds": 86_400,
    "report_seconds": 259_200,
    "reminder_percent": 75,
    "level_seconds": 86_400,
    "levels": ["secretariat", "deputy", "pmoc", "pm"],
    "source": "คำสั่งสำนักนายกรัฐมนตรี",
}


class ClocksBody(ClocksSet):
    """The policy from a day on; directives that run keep the one they were issued under."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_CLOCKS]})
    type: ClassVar[str] = ""

    valid_from: date


class ClocksItem(Body):
    """The policy that rules on a day."""

    valid_from: date | None
    """Null where it always ruled."""
    acknowledge_seconds: int
    """From the issue, where a directive does not say so."""
    report_seconds: int
    """From the issue, likewise; of a suspension, until the act has stopped."""
    reminder_percent: int
    level_seconds: int
    """From the deadline to the first level, and from each level to the next."""
    levels: list[Office]
    source: str
    """Where it stands; `ours` while none was set."""


class ClocksDecided(ClocksItem):
    """The policy as it was set."""

    position: str
    """With `after`, an answer that knows it."""


@router.post(
    "/v1/clocks",
    status_code=201,
    responses=documented(400, 401, 403, 409, 413, 422, 503),
    openapi_extra=request_body(ClocksBody),
)
async def set_clocks(
    identity: PrimeMinister,
    key: IdempotencyKey,
    request: Request,
    resources: Opened,
) -> ClocksDecided:
    """The Prime Minister sets by when directives are answered, and to whom they go up."""
    body = await body_of(request, ClocksBody)
    policy = ClocksSet(**body.model_dump())
    sent = Sent(identity, key, digest_at(request.url.path, body))
    decisions = Decisions(resources.store, clocks.DECIDER, CLOCKS)
    decide = partial(clocks.set_anew, wanted=policy)
    subject = f"clocks/{CLOCKS}"
    made = await decisions.made(sent, decide, subject=subject, now=resources.clock())
    return ClocksDecided(**policy.model_dump(), position=token_after(made, resources.tokens))


@router.get("/v1/clocks", responses=read_responses(403), response_model=ClocksItem)
async def get_clocks(request: Request, question: Asked) -> Response:
    """The policy that rules on the day: what a directive issued on it allows."""
    question.require(Resource.REFERENCE)
    policy = question.registry.clocks(question.day) or clocks.DEFAULT
    return answer(request, question, ClocksItem(**policy.model_dump()))
