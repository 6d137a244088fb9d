"""What changed between two moments, or between what was known at two: the live situation report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from schemas.events.order import DeputyRegistered, Dimension
from schemas.ids import NATION
from services.api.alerts import Alert
from services.api.answers import answer_page, page_of
from services.api.bodies import Body
from services.api.comparing import Compared, Comparison, compared_responses
from services.api.deputies import DeputyPath
from services.api.evidence import evidenced, standings_at
from services.api.figures import FigureName, Said
from services.api.problems import forbidden, not_found
from services.api.provinces import Code
from services.api.reading import Question
from services.api.states import (
    ALERT,
    CENTRE,
    FIGURE,
    HOLDING,
    INCIDENT,
    REPORT,
    FigureState,
    GivingOrder,
    HoldingState,
    IncidentState,
    SilenceState,
    View,
    given_by,
    states_of,
)
from services.domain.changes import (
    Difference,
    End,
    Kind,
    differences,
    kind_of,
    moving_order,
    replaced,
)
from services.domain.matrix import Holding
from services.domain.scope import Resource

router = APIRouter(tags=["changes"])


class StatedBy(Body):
    """The event that corrects or withdraws; `GET /v1/events` has its reason."""

    source: str
    id: str


class Change(Body):
    """One thing that is not the same at both ends; null is an end at which it was not seen."""

    kind: Kind
    """`new`: not there before. `changed`: by a later word, or over; `after` is null then.
    `corrected`, `withdrawn`: what was shown before was put right or taken back since, also where a
    later word stands in its place. `silent`, `heard`: a centre missed its interval, or is back.
    `moved`: it came into the area, or left it, by an order."""
    order: GivingOrder | None
    """The order that moved it; null also when its holder left office without one."""
    by: StatedBy | None
    """What corrects or withdraws it."""


class HoldingChange(Change):
    """A target came to somebody, left them, or is held by another order."""

    about: Literal["holding"]
    dimension: Dimension
    target: str
    deputy: str
    before: HoldingState | None
    after: HoldingState | None


class IncidentChange(Change):
    """An incident came or went, or one field of it changed."""

    about: Literal["incident"]
    incident: str
    field: str | None
    """The field that differs; null when the incident is seen at one end alone."""
    before: IncidentState | None
    after: IncidentState | None


class FigureChange(Change):
    """What one source says of one figure of a place in an incident."""

    about: Literal["figure"]
    incident: str
    place: str
    figure: FigureName
    source: str
    before: FigureState | None
    after: FigureState | None


class ReportChange(Change):
    """The last report of one source about a place in an incident."""

    about: Literal["report"]
    incident: str
    place: str
    source: str
    before: Said | None
    after: Said | None


class AlertChange(Change):
    """A public alert that began or ceased to stand."""

    about: Literal["alert"]
    source: str
    alert: str
    before: Alert | None
    after: Alert | None


class CentreChange(Change):
    """A centre that fell silent, or is silent no more."""

    about: Literal["centre"]
    centre: str
    before: SilenceState | None
    after: SilenceState | None


type AnyChange = Annotated[
    HoldingChange | IncidentChange | FigureChange | ReportChange | AlertChange | CentreChange,
    Field(discriminator="about"),
]


class ChangePage(Body):
    """Changes: holdings, incidents, figures, reports, alerts, centres, each by its names."""

    items: list[AnyChange]
    next: str | None = None
    """The cursor of the page after it."""


_BODIES: Mapping[str, tuple[type[Change], str, tuple[str, ...]]] = {
    HOLDING: (HoldingChange, "holding", ("dimension", "target", "power", "deputy")),
    INCIDENT: (IncidentChange, "incident", ("incident", "field")),
    FIGURE: (FigureChange, "figure", ("incident", "place", "figure", "source")),
    REPORT: (ReportChange, "report", ("incident", "place", "source")),
    ALERT: (AlertChange, "alert", ("source", "alert", "id")),
    CENTRE: (CentreChange, "centre", ("centre",)),
}


@router.get("/v1/changes", responses=compared_responses(403), response_model=ChangePage)
async def list_changes(request: Request, compared: Compared) -> Response:
    """What changed in the whole country between two moments, or in what was known of one."""
    ends = (compared.before, compared.after)
    if not all(end.scope.nation and end.scope.reads(Resource.OVERVIEW) for end in ends):
        raise forbidden()
    return await _answer(request, compared, *(_nation(end) for end in ends))


@router.get(
    "/v1/deputies/{id}/changes", responses=compared_responses(404), response_model=ChangePage
)
async def list_deputy_changes(request: Request, compared: Compared, deputy: DeputyPath) -> Response:
    """What changed in a deputy's overview; what moved says by which order."""
    ends = (compared.before, compared.after)
    if not any(_sees_deputy(end, deputy) for end in ends):
        raise not_found()
    return await _answer(request, compared, *(_overview(end, deputy) for end in ends))


@router.get(
    "/v1/provinces/{code}/changes",
    responses=compared_responses(403, 404),
    response_model=ChangePage,
)
async def list_province_changes(request: Request, compared: Compared, code: Code) -> Response:
    """What changed in the situation of a province, with its alerts, centres and overseers."""
    ends = (compared.before, compared.after)
    if not any(end.scope.reads(Resource.SITUATION) for end in ends):
        raise forbidden()
    if not any(_sees_province(end, code) for end in ends):
        raise not_found()
    return await _answer(request, compared, *(_situation(end, code) for end in ends))


def _nation(question: Question) -> View:
    matrix = question.matrix
    dimensions: Sequence[Dimension] = ("area", "function", "agenda")
    held = (
        holding
        for dimension in dimensions
        for target in matrix.targets(dimension)
        for holding in matrix.cell(dimension, target).holdings
    )
    provinces = (one.province for one in question.registered.provinces)
    return View(question, frozenset({NATION, *provinces}), _keyed(held), nation=True)


def _overview(question: Question, deputy: str) -> View:
    held = question.matrix.held_by(deputy) if _sees_deputy(question, deputy) else []
    area = (one.given.target for one in held if one.given.dimension == "area")
    return View(question, frozenset(area), _keyed(held))


def _situation(question: Question, code: str) -> View:
    if not _sees_province(question, code):
        return View(question, frozenset(), {})
    holdings = question.matrix.cell("area", code).holdings
    wherever = question.scope.ministries | question.scope.agendas
    return View(question, frozenset({code}), _keyed(holdings), wherever=wherever)


def _sees_deputy(question: Question, deputy: str) -> bool:
    known = question.registry.at(DeputyRegistered, deputy, question.day)
    return known is not None and question.scope.sees_deputy(deputy)


def _sees_province(question: Question, code: str) -> bool:
    scope = question.scope
    seen = bool(scope.ministries or scope.agendas) or scope.sees_place(code)
    known = question.registry.province(code, question.day)
    return known is not None and seen and scope.reads(Resource.SITUATION)


def _keyed(held: Iterable[Holding]) -> dict[tuple[str, ...], Holding]:
    return {
        (given.dimension, given.target, holding.power, given.deputy): holding
        for holding in held
        for given in (holding.given,)
    }


async def _answer(request: Request, compared: Comparison, before: View, after: View) -> Response:
    found = _listed(differences(*await states_of(before, after)))
    page, last = page_of(compared.listing, ((list(one.key), one) for one in found))
    changes = await evidenced(before.question, after.question, page)
    first = End(before.held, await standings_at(before.question, changes))
    second = End(after.held, await standings_at(after.question, changes))
    reasons = _Reasons(before, after, first, second)
    body = ChangePage(items=[reasons.item(change) for change in changes])
    return compared.headed(answer_page(request, compared.listing, body, last))


def _listed(changes: Sequence[Difference[Body]]) -> Iterator[Difference[Body]]:
    """Without the fields of an incident that is seen at one end alone: it shows them itself."""
    whole = {change.key[1] for change in changes if change.key[0] == INCIDENT and not change.key[2]}
    for change in changes:
        about, name, *rest = change.key
        if about != INCIDENT or name not in whole or rest == [""]:
            yield change


@dataclass(frozen=True)
class _Reasons:
    """Why things differ between two ends."""

    before: View
    after: View
    first: End
    second: End

    def item(self, change: Difference[Body]) -> Change:
        """The change as bodies have it."""
        kind = self._kind(change)
        shape, about, names = _BODIES[change.key[0]]
        named = {
            name: part or None
            for name, part in zip(names, change.key[1:], strict=True)
            if name in shape.model_fields
        }
        return shape.model_validate(
            {
                **named,
                "about": about,
                "kind": kind,
                "order": self._order(change) if kind == "moved" else None,
                "by": self._by(change) if kind in ("corrected", "withdrawn") else None,
                "before": change.before and change.before.detail,
                "after": change.after and change.after.detail,
            }
        )

    def _kind(self, change: Difference[Body]) -> Kind:
        about = change.key[0]
        if about == HOLDING:
            return "moved" if change.before is None or change.after is None else "changed"
        kind = kind_of(change, self.first, self.second)
        if about == CENTRE and kind in ("new", "changed"):
            return self._hearing(change)
        return kind

    def _hearing(self, change: Difference[Body]) -> Kind:
        """A centre that is registered no more is not heard for that."""
        if change.after is not None:
            return "silent"
        after = self.after.question
        is_there = after.registry.centre(change.key[1], after.day) is not None
        return "heard" if is_there else "changed"

    def _by(self, change: Difference[Body]) -> StatedBy | None:
        standing = replaced(change, self.first, self.second)
        if standing is None or standing.by is None:
            return None
        source, id_ = standing.by
        return StatedBy(source=source, id=id_)

    def _order(self, change: Difference[Body]) -> GivingOrder | None:
        if change.key[0] == HOLDING:
            return self._mover(change.key[1:])
        entry = change.after or change.before
        places = sorted(entry.places) if entry else []
        orders = (self._movers.get(place) for place in places)
        return next((order for order in orders if order is not None), None)

    @cached_property
    def _movers(self) -> Mapping[str, GivingOrder | None]:
        """The order that brought or took each province."""
        keys = self.before.holdings.keys() ^ self.after.holdings.keys()
        # The one that gave it last, so that it stands before the one that ended another's.
        keyed = sorted(keys, key=lambda key: (key in self.after.holdings, key))
        return {key[1]: self._mover(key) for key in keyed if key[0] == "area"}

    def _mover(self, key: tuple[str, ...]) -> GivingOrder | None:
        order = moving_order(
            self.after.holdings.get(key),
            self.before.holdings.get(key),
            self.before.question.matrix,
            self.after.question.matrix,
        )
        return None if order is None else given_by(order)
