"""The pair of a request: which moment a text means, and what `as_of` and `known_at` default to."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query

from schemas.ids import Realm
from services.api.problems import invalid_parameter
from services.domain.registry import BANGKOK_TIME
from services.operation.problems import Text

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
# An unescaped + of a query string arrives as a space; nothing else can be meant by it here.
_TIME = re.compile(r"(\d{4})-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+ -]\d{2}:\d{2})")
_NAIVE = re.compile(r"(\d{4})-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?")
# RFC 3339 knows leap seconds, the calendar here does not.
_LEAP_SECOND = re.compile(r"(T\d{2}:\d{2}):60")
_FIRST_YEAR = 1800
_FIRST_BUDDHIST_YEAR = 2400
_ERA = 543
_A_MOMENT = timedelta(microseconds=1)
DATE_OR_TIME = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
}

AsOf = Annotated[
    str | None,
    Query(
        description="What was so at this moment, by the events' own time. RFC 3339 with an offset; "
        "a bare date means the end of that day in Bangkok. Now, when left out.",
        json_schema_extra=DATE_OR_TIME,
    ),
]
KnownAt = Annotated[
    str | None,
    Query(
        description="What was known at this moment. Now, when left out; alone it sets `as_of` too. "
        "An answer for a past pair never changes.",
        json_schema_extra=DATE_OR_TIME,
    ),
]
InRealm = Annotated[Realm, Query(description="Facts, an exercise, or a test.")]
After = Annotated[
    str | None,
    Query(
        max_length=4_000,
        description="A position token: the answer has everything up to it, or is a problem that "
        "says how far behind it is after five seconds.",
    ),
]
ArchiveRevision = Annotated[
    int | None,
    Query(
        ge=1,
        le=2**31 - 1,
        description="For a `known_at` before the network's opening: the archive as it was at this "
        "revision. The latest, when left out.",
    ),
]


@dataclass(frozen=True, slots=True)
class Pair:
    """The pair a request asks for; a None is what it leaves open."""

    as_of: datetime | None
    known_at: datetime | None
    realm: Realm
    after: str | None
    archive_revision: int | None


async def pair(
    as_of: AsOf = None,
    known_at: KnownAt = None,
    realm: InRealm = "actual",
    after: After = None,
    archive_revision: ArchiveRevision = None,
) -> Pair:
    """The pair that the parameters of a request state.

    Raises:
        Problem: 400, with what is wrong about a time.
    """
    # What was known at the end of a day includes what became known as it ended; what was so on a
    # day does not include what began with the next.
    known = None if known_at is None else moment_of(known_at, "known_at")
    so = known_at if as_of is None else as_of
    return Pair(None if so is None else last_of(so, "as_of"), known, realm, after, archive_revision)


def moment_of(text: str, parameter: str) -> datetime:
    """The moment a text means; a bare date means the moment that day ends in Bangkok.

    Raises:
        Problem: 400; names the parameter and says what to write instead.
    """
    if _DATE.fullmatch(text):
        return _midnight(day_of_text(text, parameter) + timedelta(days=1))
    if (found := _TIME.fullmatch(text)) is None:
        raise _not_a_moment(text, parameter)
    _check_year(int(found[1]), parameter)
    offset = len(text) - 6
    if text[offset] == " ":
        text = f"{text[:offset]}+{text[offset + 1 :]}"
    try:
        return datetime.fromisoformat(_LEAP_SECOND.sub(r"\1:59", text.upper())).astimezone(UTC)
    except ValueError:
        raise _not_a_moment(text, parameter) from None


def last_of(text: str, parameter: str) -> datetime:
    """The last moment a text means: of a bare date, the last of that day in Bangkok.

    Raises:
        Problem: 400, as `moment_of`.
    """
    moment = moment_of(text, parameter)
    return moment - _A_MOMENT if _DATE.fullmatch(text) else moment


def first_of(text: str, parameter: str) -> datetime:
    """The first moment a text means: of a bare date, its midnight in Bangkok.

    Raises:
        Problem: 400, as `moment_of`.
    """
    if _DATE.fullmatch(text):
        return _midnight(day_of_text(text, parameter))
    return moment_of(text, parameter)


def day_of_text(text: str, parameter: str) -> date:
    """The day a text names.

    Raises:
        Problem: 400, as `moment_of`.
    """
    if (found := _DATE.fullmatch(text)) is None:
        raise invalid_parameter(
            parameter, Text("ต้องเป็นวันที่ เช่น 2004-12-26", "must be a date, like 2004-12-26")
        )
    _check_year(int(found[1]), parameter)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid_parameter(
            parameter, Text("ไม่มีวันที่นี้ในปฏิทิน", "there is no such day in the calendar")
        ) from None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=BANGKOK_TIME).astimezone(UTC)


def _check_year(year: int, parameter: str) -> None:
    if year >= _FIRST_BUDDHIST_YEAR:
        raise invalid_parameter(
            parameter,
            Text(
                f"ปี {year} เป็นพุทธศักราช โปรดส่งเป็นคริสต์ศักราช {year - _ERA}",
                f"{year} is a year of the Buddhist Era; send {year - _ERA} (CE = BE - 543)",
            ),
            year_ce=year - _ERA,
        )
    if year < _FIRST_YEAR:
        raise invalid_parameter(
            parameter,
            Text(f"ปีต้องไม่ก่อน {_FIRST_YEAR}", f"the year must not be before {_FIRST_YEAR}"),
        )


def _not_a_moment(text: str, parameter: str) -> Exception:
    if _NAIVE.fullmatch(text):
        return invalid_parameter(
            parameter,
            Text("ต้องระบุเขตเวลา เช่น +07:00", "the offset is missing, like +07:00"),
        )
    return invalid_parameter(
        parameter,
        Text(
            "ต้องเป็น RFC 3339 พร้อมเขตเวลา เช่น 2004-12-26T12:00:00+07:00 หรือวันที่ เช่น 2004-12-26",
            "must be RFC 3339 with an offset, like 2004-12-26T12:00:00+07:00, or a date, "
            "like 2004-12-26",
        ),
    )
