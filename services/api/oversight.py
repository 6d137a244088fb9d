"""The matrix at a moment: for every target who holds it, or why nobody is named."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from schemas.events.order import DeputyRegistered, Dimension, Power
from schemas.events.registry import MinistryRegistered, Registration
from services.api.answers import answer_page, page_of, read_responses
from services.api.bodies import Body, Page, When
from services.api.reading import Listed, Question
from services.domain import thai
from services.domain.matrix import Cell, Holding
from services.domain.registry import Registry
from services.domain.scope import Resource
from services.domain.substitution import acting_for

router = APIRouter(tags=["oversight"])

_DIMENSIONS: tuple[Dimension, ...] = ("area", "function", "agenda")


class Holder(Body):
    """A person who holds, and the office they are in at the moment."""

    id: str
    name_th: str | None
    name_en: str | None
    office: str | None


class OversightItem(Body):
    """One target of the matrix and one who holds it, or acts for the holder.

    A target with two powers stands twice, and once more for a substitute who acts at the moment.
    """

    dimension: Dimension
    target: str
    target_name_th: str | None
    target_name_en: str | None
    cover: Literal["overseer", "uncovered", "not_known", "outside_scheme"]
    deputy: Holder | None
    acting_for: str | None
    """For whom this person acts at the moment: an absent holder, or who held it until they left
    office; null for the holder."""
    power: Power | None
    except_targets: list[str]
    """Units inside the target that are carved out."""
    except_th: str | None
    order: str | None
    order_from: When | None
    illustrative: bool
    """No source states the order: it stands in for the demonstration."""


class OversightPage(Page[OversightItem]):
    """The matrix: areas, then functions, then agendas, each by Thai name."""


@router.get("/v1/oversight", responses=read_responses(403), response_model=OversightPage)
async def get_oversight(
    request: Request,
    listed: Listed,
    dimension: Annotated[Dimension | None, Query(description="One dimension alone.")] = None,
) -> Response:
    """The whole matrix at a moment."""
    question = listed.question
    question.require(Resource.REFERENCE)
    rows = (
        (_key(nth, place, item), item)
        for nth, one in enumerate(_DIMENSIONS)
        if dimension in (None, one)
        for target in _targets(question, one)
        for place, item in enumerate(_items(question, question.matrix.cell(one, target)))
    )
    items, last = page_of(listed, rows)
    return answer_page(request, listed, OversightPage(items=items), last)


def holder_of(question: Question, deputy: str) -> Holder:
    """The person by name, as far as the registry has one."""
    person = question.registry.at(DeputyRegistered, deputy, question.day)
    return Holder(
        id=deputy,
        name_th=person.name_th if person else None,
        name_en=person.name_en if person else None,
        office=question.matrix.office_of(deputy),
    )


def target_names(
    registry: Registry, day: date, *, dimension: Dimension, target: str
) -> tuple[str | None, str | None]:
    """The target's Thai and English name; an agenda is known by its id alone."""
    found: Registration | None = None
    match dimension:
        case "area":
            found = registry.province(target, day)
        case "function":
            found = registry.ministry(target, day) or registry.department(target, day)
        case "agenda":
            pass
    return (found.name_th, found.name_en) if found else (None, None)


def _key(nth: int, place: int, item: OversightItem) -> list[str]:
    name = item.target_name_th or item.target
    return [str(nth), *thai.sort_key(name), item.target, f"{place:03}"]


def _targets(question: Question, dimension: Dimension) -> Iterable[str]:
    """Every target there was: what the state consists of, and what orders in force name beside."""
    registry, day = question.registry, question.day
    match dimension:
        case "area":
            there = [one.province for one in question.registered.provinces]
        case "function":
            there = [one.ministry for one in registry.each(MinistryRegistered, day)]
        case "agenda":
            there = []
    return dict.fromkeys([*there, *question.matrix.targets(dimension)])


def _items(question: Question, cell: Cell) -> Iterator[OversightItem]:
    if not cell.holdings:
        yield _item(question, cell, None)
    for holding in cell.holdings:
        yield _item(question, cell, holding)
        yield from _acted_for(question, cell, holding)
    for holding in cell.left:
        yield from _acted_for(question, cell, holding)


def _acted_for(question: Question, cell: Cell, holding: Holding) -> Iterator[OversightItem]:
    """The substitute who acts on it at the moment."""
    if acting := acting_for(question.matrix, holding.given.deputy):
        substitute = holder_of(question, acting.deputy)
        item = _item(question, cell, holding)
        yield item.model_copy(update={"deputy": substitute, "acting_for": holding.given.deputy})


def _item(question: Question, cell: Cell, holding: Holding | None) -> OversightItem:
    name_th, name_en = target_names(
        question.registry, question.day, dimension=cell.dimension, target=cell.target
    )
    return OversightItem(
        dimension=cell.dimension,
        target=cell.target,
        target_name_th=name_th,
        target_name_en=name_en,
        cover=cell.cover,
        deputy=holder_of(question, holding.given.deputy) if holding else None,
        acting_for=None,
        power=holding.power if holding else None,
        except_targets=holding.given.except_targets if holding else [],
        except_th=holding.given.except_th if holding else None,
        order=holding.order.number if holding else None,
        order_from=holding.order.effective_from if holding else None,
        illustrative=holding.order.illustrative if holding else False,
    )
