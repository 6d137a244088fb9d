"""What the gateway answers when it cannot answer: kinds of problems, and which rule has which."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.api.refusals import REFUSALS
from services.domain import standing
from services.domain.registry import BANGKOK_TIME
from services.domain.rejected import Rejected
from services.identity.rates import RATE_EXCEEDED
from services.operation import problems
from services.operation.problems import Kind, Problem, Text

NOT_YET = Kind("not-yet", 503, Text("ข้อมูลยังตามมาไม่ถึง", "Not caught up yet"))
BAD_TOKEN = Kind("invalid-position", 400, Text("โทเค็นตำแหน่งใช้ไม่ได้", "The position is not valid"))
KEY_USED = Kind(
    "idempotency-key-used",
    422,
    Text("คีย์นี้ใช้กับคำขออื่นแล้ว", "The key was used for another request"),
)
BAD_CURSOR = Kind("invalid-cursor", 400, Text("เคอร์เซอร์ใช้ไม่ได้", "The cursor is not valid"))

_REFUSED = Text("กฎของเครือข่ายไม่อนุญาต", "A rule of the network refuses it")


class ProblemBody(BaseModel):
    """RFC 9457, Thai first with English beside it; further members say what to correct."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    title_en: str
    status: int
    detail: str | None = None
    detail_en: str | None = None


def of_rejected(rejected: Rejected) -> Problem:
    """A rule said no; its name is the problem's type, and what it carries stands beside it."""
    refusal = REFUSALS[type(rejected)]
    told = refusal.told(rejected)
    carried = vars(rejected) if told else {}
    return Problem(
        Kind(rejected.rule, refusal.status, _REFUSED),
        told,
        extensions={"rule": rejected.rule, **carried},
    )


def not_found() -> Problem:
    """Not there, or not for this reader to know: nobody can tell which."""
    return Problem(problems.NOT_FOUND)


def forbidden() -> Problem:
    """This kind of resource is not for this reader, whatever it holds."""
    return Problem(problems.FORBIDDEN)


def invalid_parameter(parameter: str, detail: Text, **extensions: object) -> Problem:
    """A parameter that has to be written otherwise."""
    return Problem(
        problems.INVALID_PARAMETER,
        Text(f"{parameter}: {detail.th}", f"{parameter}: {detail.en}"),
        extensions={"parameter": parameter, **extensions},
    )


def not_yet(behind: int) -> Problem:
    """The read models have not reached what was asked for."""
    return Problem(
        NOT_YET,
        Text(
            f"ยังตามหลังตำแหน่งที่ขออยู่ {behind} เหตุการณ์",
            f"{behind} events behind the position asked for",
        ),
        headers={"Retry-After": "1"},
        extensions={"behind": behind},
    )


_EXAMPLES: Mapping[int, Problem] = {
    400: invalid_parameter(
        "as_of", Text("ต้องระบุเขตเวลา เช่น +07:00", "the offset is missing, like +07:00")
    ),
    401: Problem(
        problems.UNAUTHENTICATED,
        Text("ต้องมีโทเค็นในหัวข้อ Authorization", "A bearer token is needed in Authorization"),
    ),
    403: forbidden(),
    404: not_found(),
    409: of_rejected(
        standing.PowerHeld(
            "area",
            "TH-83",
            "area",
            "deputy-andaman",
            "313/2568",
            datetime(2025, 10, 1, tzinfo=BANGKOK_TIME),
        )
    ),
    413: Problem(problems.BODY_TOO_LARGE, Text("รับได้ไม่เกิน 1 MiB", "At most 1 MiB is taken")),
    422: Problem(
        problems.INVALID_BODY,
        extensions={"errors": [{"pointer": "/number", "detail_en": "Field required"}]},
    ),
    429: Problem(
        RATE_EXCEEDED,
        Text("เกิน 6000 ต่อ 60 วินาที ลองใหม่ใน 2 วินาที", "More than 6000 in 60 s: again in 2 s"),
        extensions={"violated-policies": ["reads"]},
    ),
    503: not_yet(12),
}
_MEANING = {
    400: "A parameter, a cursor or a position token that has to be written otherwise.",
    401: "No token, or one that is not believed.",
    403: "This kind of resource is not for this reader.",
    404: "Not there, or not for this reader to know.",
    409: "A rule refuses it; the problem's type names the rule.",
    413: "The body is too large.",
    422: "The body is not of its schema, or the key was used for another request.",
    429: "More than the rate allowed to one identity: again after `Retry-After` seconds.",
    503: "Not caught up with `after`, or a part of the network is away: send it again.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems an endpoint answers with, as OpenAPI has them."""
    return {
        status: {
            "description": _MEANING[status],
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _EXAMPLES[status].body(),
                }
            },
        }
        for status in statuses
    }
