"""Figures of places in incidents: what each source last said, and which one is shown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Literal, cast

from pydantic import Field

from schemas.events.situation import FIGURES, Severity
from services.api.bodies import Body, When
from services.api.database import Row
from services.api.reading import Question
from services.domain.changes import Version
from services.domain.precedence import Statement, rank, shown
from services.readmodels.situations import stated, states

type FigureName = Literal[
    "dead", "injured", "missing", "displaced", "households", "routes_closed", "routes_affected",
    "damage_baht",
]  # fmt: skip
type Baht = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2}$")]
type Amount = int | Baht
"""A count, or for `damage_baht` an amount of money with two decimals."""

type Totals = dict[FigureName, Amount]
type Cell = tuple[str, str]
"""A place and an incident."""

_MONEY = FIGURES.index("damage_baht")
_WHOLE = -1

# The last reports of each source, and what it last said of each figure that not all of these
# state: mostly they do, so that few figures are looked for by their own index.
_SAID = """
WITH last AS MATERIALIZED (
    SELECT s.place, s.incident, s.source, {whole} AS nth,
           CASE WHEN count(*) OVER said < :depth THEN 0
                ELSE s.stated & ~bit_and(report.states) OVER said END AS searched,
           report.*
    FROM situations.series s CROSS JOIN LATERAL ({reports}) report
    WHERE s.realm = :realm AND s.place = ANY(:places) AND s.incident = ANY(:incidents)
    WINDOW said AS (PARTITION BY s.place, s.incident, s.source)
)
SELECT * FROM last
UNION ALL
SELECT s.place, s.incident, s.source, figure.*
FROM (SELECT DISTINCT place, incident, source, searched FROM last WHERE searched <> 0) s
CROSS JOIN LATERAL ({figures}) figure
ORDER BY place, incident, source, nth, time DESC, sequence DESC NULLS LAST, id DESC
"""
_OF_A_SOURCE = """
FROM situations.reports r
WHERE r.place = s.place AND r.incident = s.incident AND r.source = s.source AND {counts}
  AND {stating}
ORDER BY r.time DESC, r.sequence DESC NULLS LAST, r.id DESC LIMIT :depth
"""
_REPORTS = """
SELECT {states} AS states, r.time, r.sequence, r.id, r.stated_by, r.slot, r.position, r.root_slot,
       r.root_position, r.figures, NULL::numeric AS value, r.district, r.severity, r.needs, r.note
"""
# One index for each figure, so each is asked for by name.
_FIGURE = """
SELECT {nth}, 0, 0, r.time, r.sequence, r.id, r.stated_by, r.slot, r.position, r.root_slot,
       r.root_position, NULL::numeric[], r.figures[{nth} + 1], NULL, NULL, NULL::text[], NULL
"""


class Stated(Body):
    """What one source last said, and how that changed what it had said before."""

    source: str
    value: Amount
    time: When
    id: str
    stated_by: str | None
    """Whom the source quotes."""
    previous: Amount | None
    change: Amount | None


class Figure(Stated):
    """The statement shown by precedence, and every source's beside it, in that order."""

    contradicted: bool
    """Sources say different things."""
    sources: list[Stated]


type Figures = dict[FigureName, Figure]


class Said(Body):
    """The last report of one source."""

    source: str
    time: When
    id: str
    district: str | None
    severity: Severity | None
    needs: list[str]
    note: str | None
    stated_by: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of one source."""

    number: Decimal
    previous: Decimal | None
    stated_by: str | None
    version: Version


type Grid = Mapping[Cell, Mapping[int, list[Statement[Value]]]]
"""For each place and incident, what the sources say of each figure, by its number."""

type Shown = Mapping[Cell, Mapping[int, Decimal]]
"""For each place and incident, the figures shown, by number: what totals are made of."""

type Reports = Mapping[Cell, Sequence[Row]]
"""For each place and incident, the last report of each source, the latest first."""


async def read_said(
    question: Question, places: Sequence[str], incidents: Sequence[str], *, depth: int = 1
) -> tuple[Grid, Reports]:
    """What every source last said in each place and incident: of every figure, with `depth` 2 also
    before that; and its last report."""
    rows = await question.rows(
        _of_sources(question.moment.counts("r")),
        places=list(places),
        incidents=list(incidents),
        depth=depth,
    )
    grid: dict[Cell, dict[int, list[Statement[Value]]]] = {}
    reports: dict[Cell, list[Row]] = {}
    for row in rows:
        cell = row.place, row.incident
        for nth, number in _numbers(row):
            _add(grid.setdefault(cell, {}).setdefault(nth, []), row, number)
        if row.nth == _WHOLE:
            said = reports.setdefault(cell, [])
            # Of each source the last alone: those before it are here for what they changed.
            if not said or said[-1].source != row.source:
                said.append(row)
    for said in reports.values():
        # Of one moment in the order of the sources, which is theirs already.
        said.sort(key=lambda row: row.time, reverse=True)
    return grid, reports


def _of_sources(counts: str) -> str:
    reports = _REPORTS.format(states=stated("r.")) + _OF_A_SOURCE.format(
        counts=counts, stating="TRUE"
    )
    figures = (
        _FIGURE.format(nth=nth)
        + _OF_A_SOURCE.format(
            counts=counts, stating=f"(s.searched >> {nth}) & 1 = 1 AND {states('r.', nth)}"
        )
        for nth in range(len(FIGURES))
    )
    found = " UNION ALL ".join(f"({figure})" for figure in figures)
    return _SAID.format(whole=_WHOLE, reports=reports, figures=found)


def _numbers(row: Row) -> Iterator[tuple[int, Decimal]]:
    """The figures that a row is to be asked for: its own, or of a report all not searched for."""
    if row.nth != _WHOLE:
        yield row.nth, row.value
    elif row.states:
        for nth, number in enumerate(row.figures):
            if number is not None and not row.searched >> nth & 1:
                yield nth, number


def _add(said: list[Statement[Value]], row: Row, number: Decimal) -> None:
    """Put a statement beside those of other sources, or before its own source's later one."""
    if said and said[-1].source == row.source:
        latest = said.pop()
        value = replace(latest.value, previous=number)
        said.append(Statement(latest.source, latest.time, latest.sequence, latest.id, value))
    else:
        value = Value(number, None, row.stated_by, version_of(row))
        said.append(Statement(row.source, row.time, row.sequence, row.id, value))


def said_of(row: Row) -> Said:
    """The report of a row."""
    return Said(**{name: row[name] for name in Said.model_fields})


def version_of(row: Row) -> Version:
    """Which version of which event a row of facts is."""
    root = (row.root_slot, row.root_position)
    return Version(row.source, row.id, root, (row.slot, row.position))


def patterns(question: Question) -> Sequence[str]:
    """The precedence of sources in force on the question's day."""
    found = question.registry.precedence(question.day)
    return found.sources if found else ()


def figures_of(
    said: Mapping[int, list[Statement[Value]]], place: str, precedence: Sequence[str]
) -> Figures:
    """The figures of one place in one incident, with the sources side by side."""
    return {
        name_of(nth): _figure(nth, statements, place, precedence)
        for nth, statements in sorted(said.items())
    }


def shown_in(grid: Grid, precedence: Sequence[str]) -> Shown:
    """The figures shown of each place and incident."""
    return {
        cell: {
            nth: shown(statements, cell[0], precedence).value.number
            for nth, statements in said.items()
        }
        for cell, said in grid.items()
    }


def totals_of(numbers: Shown, cells: Iterable[Cell]) -> Totals:
    """The figures of these places and incidents, added up."""
    sums: dict[int, Decimal] = {}
    for cell in cells:
        for nth, number in numbers.get(cell, {}).items():
            sums[nth] = sums.get(nth, 0) + number
    return {name_of(nth): amount_of(nth, sums[nth]) for nth in sorted(sums)}


def _figure(
    nth: int, said: Sequence[Statement[Value]], place: str, precedence: Sequence[str]
) -> Figure:
    first = shown(said, place, precedence)
    others = sorted(
        (one for one in said if one is not first),
        key=lambda one: (rank(one.source, place, precedence), one.source),
    )
    return Figure(
        **_stated(nth, first),
        contradicted=any(one.value.number != first.value.number for one in others),
        sources=[Stated(**_stated(nth, one)) for one in (first, *others)],
    )


def _stated(nth: int, said: Statement[Value]) -> dict[str, object]:
    number, previous = said.value.number, said.value.previous
    return {
        "source": said.source,
        "value": amount_of(nth, number),
        "time": said.time,
        "id": said.id,
        "stated_by": said.value.stated_by,
        "previous": None if previous is None else amount_of(nth, previous),
        "change": None if previous is None else amount_of(nth, number - previous),
    }


def amount_of(nth: int, number: Decimal) -> Amount:
    """A figure's number as bodies have it."""
    return f"{number:.2f}" if nth == _MONEY else int(number)


def name_of(nth: int) -> FigureName:
    """The figure with this number."""
    return cast(FigureName, FIGURES[nth])
