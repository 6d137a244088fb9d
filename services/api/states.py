"""What a reader sees at one end, as entries to compare: incidents and what is said in them, alerts,
silent centres, holdings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from schemas.events.incident import Hazard
from schemas.events.order import OrderIssued, Power
from schemas.events.registry import CentreRegistered
from schemas.events.situation import Severity
from schemas.ids import NATION
from services.api import alerts, incidents
from services.api.alerts import alert_of
from services.api.bodies import Body, When
from services.api.centres import centres_in, silent_of
from services.api.database import Row
from services.api.figures import (
    Amount,
    Cell,
    Grid,
    Reports,
    amount_of,
    name_of,
    patterns,
    read_said,
    said_of,
    version_of,
)
from services.api.incidents import Wanted
from services.api.reading import Question
from services.domain.changes import Entry, Key, Version
from services.domain.matrix import Holding
from services.domain.precedence import shown

HOLDING, INCIDENT, FIGURE, REPORT, ALERT, CENTRE = ("0", "1", "2", "3", "4", "5")
"""The first part of a key: what it is about, in the order of the answer."""

FIELDS = (
    "state", "hazard", "title_th", "title_en", "severity", "provinces", "ministries", "agendas",
    "place",
)  # fmt: skip

type State = dict[Key, Entry[Body]]


class GivingOrder(Body):
    """An order of the Prime Minister by its number."""

    number: str
    effective_from: When
    illustrative: bool
    """No source states the order: it stands in for the demonstration."""


class HoldingState(Body):
    """By which order somebody held a target."""

    power: Power
    except_th: str | None
    order: GivingOrder


class IncidentState(Body):
    """An incident as it was at one end."""

    state: Literal["open", "closed"]
    hazard: Hazard | None
    title_th: str | None
    title_en: str | None
    severity: Severity | None
    provinces: list[str]
    ministries: list[str]
    agendas: list[str]
    place: str | None
    opened_at: When
    closed_at: When | None


class FigureState(Body):
    """What one source had said last of one figure."""

    value: Amount
    time: When
    id: str
    stated_by: str | None
    """Whom the source quotes."""
    shown: bool
    """It is the one shown by precedence, and counted in totals."""


class SilenceState(Body):
    """A centre that had missed its interval."""

    name_th: str
    province: str | None
    silent_since: When


@dataclass(frozen=True)
class View:
    """The part of the country that is looked at, at one end."""

    question: Question
    area: frozenset[str]
    """The provinces looked at; `TH` too where it is the nation."""
    holdings: Mapping[tuple[str, ...], Holding]
    """What is held, by (dimension, target, power, deputy)."""
    nation: bool = False
    """Also what lies in no province."""
    wherever: frozenset[str] = frozenset()
    """Ministries and agendas whose incidents the reader sees whoever holds the province."""

    @property
    def held(self) -> frozenset[str]:
        """What of the area is the reader's to see for the area's own sake."""
        return frozenset(filter(self.question.scope.sees_place, self.area))

    @property
    def provinces(self) -> Sequence[str] | None:
        """The provinces as a filter; None filters nothing."""
        return None if self.nation else sorted(self.area)

    def entry(
        self, of: Iterable[str], value: object, detail: Body, *versions: Version
    ) -> Entry[Body]:
        """An entry that lies in these of the area's provinces."""
        return Entry(value, detail, self.area.intersection(of), versions)

    def bound(self, incident: Row) -> bool:
        """Whether the incident is seen for its provinces alone, and moves with them."""
        return self.wherever.isdisjoint((*incident.ministries, *incident.agendas))


async def states_of(before: View, after: View) -> tuple[State, State]:
    """What is seen at both ends, of every incident open at one of them: six queries an end."""
    found = [await _incidents(view, "open") for view in (before, after)]
    names = [frozenset(row.id for row in rows) for rows in found]
    states = []
    for view, rows, missing in zip(
        (before, after), found, (names[1] - names[0], names[0] - names[1]), strict=True
    ):
        closed = await _incidents(view, "closed", sorted(missing))
        states.append(await _state(view, [*rows, *closed]))
    return states[0], states[1]


def given_by(order: OrderIssued) -> GivingOrder:
    """The order as bodies have it."""
    return GivingOrder(
        number=order.number,
        effective_from=order.effective_from,
        illustrative=order.illustrative,
    )


async def _incidents(
    view: View, state: Literal["open", "closed"], names: Sequence[str] | None = None
) -> list[Row]:
    wanted = Wanted(provinces=view.provinces, state=state)
    return await incidents.find(view.question, replace(wanted, incidents=names))


async def _state(view: View, rows: Sequence[Row]) -> State:
    names = [row.id for row in rows]
    places = sorted(view.area)
    question = view.question
    cells = _Cells(view, {row.id: row for row in rows})
    grid, reports = await read_said(question, places, names)
    return dict(
        (
            *_holdings(view),
            *(entry for row in rows for entry in _described(view, row)),
            *_figures(cells, grid),
            *_reports(cells, reports),
            *_alerts(view, await alerts.active(question, view.provinces)),
            *(await _silences(view)),
        )
    )


@dataclass(frozen=True)
class _Cells:
    """The incidents of a view, and the places that are looked at in each."""

    view: View
    incidents: Mapping[str, Row]

    def has(self, place: str, incident: str) -> bool:
        """Whether the incident lies in the place, and the reader sees what is said of it there.

        All incidents lie in the nation.
        """
        row = self.incidents[incident]
        scope = self.view.question.scope
        return (place == NATION or place in row.provinces) and scope.sees_said(
            place, row.ministries, row.agendas
        )

    def entry(self, cell: Cell, value: object, detail: Body, version: Version) -> Entry[Body]:
        """What is said in a cell; it moves with the place where the incident does."""
        place, incident = cell
        bound = self.view.bound(self.incidents[incident])
        return self.view.entry([place] if bound else (), value, detail, version)


def _holdings(view: View) -> Iterator[tuple[Key, Entry[Body]]]:
    for key, holding in view.holdings.items():
        given, order = holding.given, holding.order
        detail = HoldingState(power=holding.power, except_th=given.except_th, order=given_by(order))
        yield (HOLDING, *key), Entry((order.number, given.except_th), detail)


def _described(view: View, row: Row) -> Iterator[tuple[Key, Entry[Body]]]:
    """That it is there, and then each of its fields."""
    detail = IncidentState(**{name: row[name] for name in IncidentState.model_fields})
    provinces = row.provinces if view.bound(row) else ()
    for name in ("", *FIELDS):
        value = row[name] if name else None
        yield (INCIDENT, row.id, name), view.entry(provinces, value, detail)


def _figures(cells: _Cells, grid: Grid) -> Iterator[tuple[Key, Entry[Body]]]:
    precedence = patterns(cells.view.question)
    for (place, incident), figures in grid.items():
        if not cells.has(place, incident):
            continue
        for nth, said in figures.items():
            first = shown(said, place, precedence)
            for one in said:
                detail = FigureState(
                    value=amount_of(nth, one.value.number),
                    time=one.time,
                    id=one.id,
                    stated_by=one.value.stated_by,
                    shown=one is first,
                )
                key = (FIGURE, incident, place, name_of(nth), one.source)
                value = (one.value.number, one is first)
                yield key, cells.entry((place, incident), value, detail, one.value.version)


def _reports(cells: _Cells, reports: Reports) -> Iterator[tuple[Key, Entry[Body]]]:
    for (place, incident), rows in reports.items():
        if not cells.has(place, incident):
            continue
        for row in rows:
            said = said_of(row)
            key = (REPORT, incident, place, row.source)
            yield key, cells.entry((place, incident), said, said, version_of(row))


def _alerts(view: View, rows: Iterable[Row]) -> Iterator[tuple[Key, Entry[Body]]]:
    for row in rows:
        alert = alert_of(row)
        key = (ALERT, row.source, row.alert, row.id)
        yield key, view.entry(row.provinces, alert, alert, version_of(row))


async def _silences(view: View) -> list[tuple[Key, Entry[Body]]]:
    question = view.question
    centres = {
        one.centre: one
        for one in centres_in(question, question.scope)
        if view.nation or one.province in view.area
    }
    rows = await silent_of(question, ",".join(centres))
    return [_silence(view, centres[row.centre], row) for row in rows]


def _silence(view: View, centre: CentreRegistered, row: Row) -> tuple[Key, Entry[Body]]:
    detail = SilenceState(name_th=centre.name_th, province=centre.province, silent_since=row.since)
    version = Version(
        row.word_source, row.word_id, (row.root_slot, row.root_position), (row.slot, row.position)
    )
    where = [] if centre.province is None else [centre.province]
    return (CENTRE, centre.centre), view.entry(where, row.since, detail, version)
