"""How much is owed under directives: counted by addressee, of what the reader may see."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from services.api.bodies import Body
from services.api.database import Found
from services.api.directive_rows import not_over, shaped_by
from services.api.reading import Question
from services.domain.issuing import Circumstances
from services.domain.readership import readership_of
from services.domain.steps import DONE
from services.readmodels.statements import Select

_OWED = """
SELECT life.addressee, count(*) AS open, count(*) FILTER (WHERE life.overdue) AS overdue,
       count(*) FILTER (WHERE life.state = ANY(:unanswered)) AS unacknowledged,
       count(*) FILTER (WHERE life.state = 'objected') AS objected
FROM shaped
CROSS JOIN LATERAL json_to_recordset(shaped.addressees::json)
    AS life (addressee text, state text, overdue boolean)
WHERE {in_scope} AND shaped.state IN ('open', 'taken_over')
  AND shaped.kind || ' ' || life.state <> ALL(:done)
GROUP BY life.addressee
"""
_DONE = sorted(f"{kind} {standing}" for kind, done in DONE.items() for standing in done)


# For whom no directive ever is.
_NONE = Select("SELECT WHERE FALSE", {})


class DirectiveCounts(Body):
    """What is owed under directives; one that was issued to several counts once for each."""

    open: int
    """Issued, and the addressee has not done all there was to do."""
    overdue: int
    unacknowledged: int
    objected: int


type Owed = Mapping[str, DirectiveCounts] | None
"""By addressee; None where no directive is for the reader."""


def owing(question: Question) -> Select:
    """What finds what every addressee owes at the moment: one query, however many they are."""
    reads = readership_of(question.identity, Circumstances(question.matrix, question.registry))
    if reads.is_empty:
        return _NONE
    return shaped_by(question, reads, _OWED, only=not_over(question), done=_DONE)


def owed_of(asked: Select, rows: Iterable[Found]) -> Owed:
    """What the rows of that query say."""
    if asked is _NONE:
        return None
    names = DirectiveCounts.model_fields
    return {row.addressee: DirectiveCounts(**{one: row[one] for one in names}) for row in rows}


def owed_by(owed: Owed, addressees: Container[str]) -> DirectiveCounts | None:
    """What these addressees owe together."""
    if owed is None:
        return None
    sums = Counter(dict.fromkeys(DirectiveCounts.model_fields, 0))
    for addressee, counts in owed.items():
        if addressee in addressees:
            sums.update(counts.model_dump())
    return DirectiveCounts(**sums)
