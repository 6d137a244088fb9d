"""Two pairs of one question: the later as every read has it, the earlier to compare it with.

Both ends are answered from one snapshot. What was not so or not known at the earlier end is what
has changed since.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from services.api.answers import read_responses, stated
from services.api.cursors import Answered
from services.api.knowing import Knowing, Lacking, knowing, settled
from services.api.moments import DATE_OR_TIME, Pair, last_of, moment_of
from services.api.problems import invalid_parameter
from services.api.reading import AskedPair, Listed, Listing, Question
from services.operation.problems import Text
from services.readmodels.moment import Live, Moment

FROM_AS_OF = Annotated[
    str | None,
    Query(
        description="The earlier end: what was so at this moment. That of the later end, when left "
        "out.",
        json_schema_extra=DATE_OR_TIME,
    ),
]
FROM_KNOWN_AT = Annotated[
    str | None,
    Query(
        description="The earlier end: what was known at this moment. That of the later end, when "
        "left out: then nothing counts as corrected or withdrawn.",
        json_schema_extra=DATE_OR_TIME,
    ),
]
SINCE = Annotated[
    str | None,
    Query(
        description="Both in one: the earlier end is this moment as it was known then.",
        json_schema_extra=DATE_OR_TIME,
    ),
]
_HEADERS = {
    "Kamkap-From-As-Of": "The `as_of` of the earlier end.",
    "Kamkap-From-Known-At": "The `known_at` of the earlier end.",
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier pair a request asks for; a None is the later pair's own."""

    as_of: datetime | None
    known_at: datetime | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question at two pairs, in one snapshot."""

    listing: Listing
    before: Question
    after: Question

    def headed(self, response: Response) -> Response:
        """The answer, with the earlier pair in its headers."""
        response.headers["Kamkap-From-As-Of"] = stated(self.before.moment.as_of)
        response.headers["Kamkap-From-Known-At"] = stated(self.before.known_at)
        return response


async def earlier_pair(
    from_as_of: FROM_AS_OF = None, from_known_at: FROM_KNOWN_AT = None, since: SINCE = None
) -> Earlier:
    """The earlier pair that the parameters of a request state.

    Raises:
        Problem: 400; no time or a bad one, or `since` beside the others.
    """
    if since is not None:
        if from_as_of is not None or from_known_at is not None:
            raise _refused("since", "ใช้คู่กับ from_ ไม่ได้", "stands for both; leave the others out")
        return Earlier(last_of(since, "since"), moment_of(since, "since"))
    if from_as_of is None and from_known_at is None:
        raise _refused(
            "since",
            "ต้องระบุ since, from_as_of หรือ from_known_at",
            "one of since, from_as_of and from_known_at is needed",
        )
    return Earlier(
        None if from_as_of is None else last_of(from_as_of, "from_as_of"),
        None if from_known_at is None else moment_of(from_known_at, "from_known_at"),
    )


# The earlier pair first: one that is not valid opens no transaction.
async def comparison(
    earlier: Annotated[Earlier, Depends(earlier_pair)], asked: AskedPair, listed: Listed
) -> Comparison:
    """The question at both pairs.

    Raises:
        Problem: 400; the earlier end lies after the later one.
    """
    after = listed.question
    pair = listed.earlier or await _first_answered(after, asked, earlier)
    moment = pair.moment
    reference = await after.resources.reference.at(
        after.connection, after.seen, moment.known, moment.realm
    )
    before = replace(after, moment=moment, known_at=pair.known_at, reference=reference)
    return Comparison(replace(listed, compared=before), before, after)


Compared = Annotated[Comparison, Depends(comparison, scope="function")]


def compared_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI has the answers of a comparison: those of a read, with both pairs."""
    responses = read_responses(*statuses)
    more = {
        name: {"description": meaning, "schema": {"type": "string", "format": "date-time"}}
        for name, meaning in _HEADERS.items()
    }
    for status in (200, 304):
        responses[status]["headers"] = {**responses[status]["headers"], **more}
    return responses


async def _first_answered(after: Question, asked: Pair, earlier: Earlier) -> Answered:
    """The earlier pair of a first page; later pages have it from their cursor."""
    as_of = earlier.as_of or after.moment.as_of
    if as_of > after.moment.as_of:
        raise _not_earlier("as_of")
    if earlier.known_at is None:
        return Answered(replace(after.moment, as_of=as_of), after.known_at)
    known = await _known(after, replace(asked, known_at=earlier.known_at))
    # What is known now is everything: clocks of two machines must not make it less.
    if known.known_at > after.known_at and not isinstance(after.moment.known, Live):
        raise _not_earlier("known_at")
    return Answered(Moment(as_of, known.known, after.moment.realm), known.known_at)


async def _known(after: Question, pair: Pair) -> Knowing:
    now = after.resources.clock()
    try:
        return await knowing(after.connection, pair, after.live, after.seen, now=now)
    except Lacking:
        # The later end has waited for what it needs; the earlier one states how far it is.
        return await settled(after.connection, pair, now=now)


def _not_earlier(name: str) -> Exception:
    return _refused(f"from_{name}", f"ต้องไม่อยู่หลัง {name}", f"must not be later than {name}")


def _refused(parameter: str, th: str, en: str) -> Exception:
    return invalid_parameter(parameter, Text(th, en))
