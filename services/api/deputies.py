"""Deputies: who they are, and what they hold by which order."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from schemas.events.order import (
    Absence,
    DeputyRegistered,
    Dimension,
    OrderIssued,
    Power,
    Reservation,
    TenureRegistered,
)
from services.api.answers import answer, answer_page, page_of, read_responses
from services.api.bodies import Body, Interval, Page, When
from services.api.oversight import Holder, holder_of, target_names
from services.api.problems import not_found
from services.api.reading import Asked, Listed, Question
from services.domain import thai
from services.domain.matrix import Holding, Ordered
from services.domain.scope import Resource
from services.domain.substitution import (
    acted_for_by,
    acting_for,
    is_present,
    reservations,
    substitutes,
)

router = APIRouter(tags=["deputies"])

DeputyPath = Annotated[str, Path(alias="id", max_length=128, examples=["deputy-andaman"])]


class Tenure(Interval):
    """A person's time in one office."""

    id: str
    office: str
    source: str
    """Where the dates stand."""


class Deputy(Holder):
    """A person who oversees, or did."""

    tenures: list[Tenure]


class DeputyPage(Page[Deputy]):
    """Deputies in the order of their Thai names."""


class ByOrder(Body):
    """The order that says so. `effective_to` is the first moment after it, if it states one."""

    number: str
    effective_from: When
    effective_to: When | None
    illustrative: bool
    """No source states the order: it stands in for the demonstration."""


class Held(Body):
    """One target that is held."""

    dimension: Dimension
    target: str
    target_name_th: str | None
    target_name_en: str | None
    power: Power
    except_targets: list[str]
    """Units inside the target that are carved out."""
    except_th: str | None
    order: ByOrder


class Reserved(Body):
    """What the PM has reserved: the deputy's power over it rests."""

    dimension: Dimension | None
    target: str | None
    subject: str | None
    """One matter alone: `directives/…`, `incidents/…`."""
    order: ByOrder


class Area(Body):
    """Everything a deputy holds at the moment, by which orders, and who acts meanwhile."""

    deputy: Holder
    present: bool
    """In office, and no absence is in force."""
    absences: list[ByOrder]
    """The orders that say that the deputy is away or unable."""
    substitutes: list[Holder]
    """Who stands in, in this sequence."""
    acting: Holder | None
    """Who acts for the deputy; null while the deputy is present, or when nobody is."""
    acting_for: list[Holder]
    """For whom the deputy acts."""
    held: list[Held]
    reservations: list[Reserved]


@router.get("/v1/deputies", responses=read_responses(403), response_model=DeputyPage)
async def list_deputies(request: Request, listed: Listed) -> Response:
    """Everybody who oversees or did, with their offices, by Thai name."""
    question = listed.question
    question.require(Resource.REFERENCE)
    tenures = _tenures(question)
    keyed = (
        (
            [*thai.sort_key(person.name_th), person.deputy],
            Deputy(
                **dict(holder_of(question, person.deputy)),
                tenures=tenures.get(person.deputy, []),
            ),
        )
        for person in question.registry.each(DeputyRegistered, question.day)
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, DeputyPage(items=items), last)


@router.get("/v1/deputies/{id}/area", responses=read_responses(404), response_model=Area)
async def get_area(request: Request, question: Asked, deputy: DeputyPath) -> Response:
    """What the deputy holds at the moment, by which orders, and who acts meanwhile."""
    require_deputy(question, deputy)
    return answer(request, question, _area(question, deputy))


def _area(question: Question, deputy: str) -> Area:
    matrix = question.matrix
    listed = substitutes(matrix, deputy)
    acting = acting_for(matrix, deputy)
    absences = [one for one in matrix.clauses(Absence) if one.clause.deputy == deputy]
    return Area(
        deputy=holder_of(question, deputy),
        present=is_present(matrix, deputy),
        absences=[_by_order(one.order) for one in absences],
        substitutes=[holder_of(question, one) for one in listed.clause.substitutes]
        if listed
        else [],
        acting=holder_of(question, acting.deputy) if acting else None,
        acting_for=[holder_of(question, one.acting_for) for one in acted_for_by(matrix, deputy)],
        held=held_by(question, deputy),
        reservations=[
            Reserved(
                dimension=one.clause.dimension,
                target=one.clause.target,
                subject=one.clause.subject,
                order=_by_order(one.order),
            )
            for one in reservations(matrix)
            if _concerns(question, one, deputy) and _is_seen(question, one.clause)
        ],
    )


def _concerns(question: Question, reserved: Ordered[Reservation], deputy: str) -> bool:
    """Whether it is the deputy's power that rests: by name, or because they hold the target."""
    if reserved.clause.deputy is not None:
        return reserved.clause.deputy == deputy
    held = {(one.given.dimension, one.given.target) for one in question.matrix.held_by(deputy)}
    return (reserved.clause.dimension, reserved.clause.target) in held


def _is_seen(question: Question, reserved: Reservation) -> bool:
    """A target's is; that of one matter is for the PM and for whom it is reserved from."""
    return reserved.subject is None or question.scope.sees_matter(reserved.deputy)


def _by_order(order: OrderIssued) -> ByOrder:
    return ByOrder(
        number=order.number,
        effective_from=order.effective_from,
        effective_to=order.effective_to,
        illustrative=order.illustrative,
    )


def require_deputy(question: Question, deputy: str) -> None:
    """The person is registered, and in the reader's scope.

    Raises:
        Problem: 404.
    """
    known = question.registry.at(DeputyRegistered, deputy, question.day)
    if known is None or not question.scope.sees_deputy(deputy):
        raise not_found()


def held_by(question: Question, deputy: str) -> list[Held]:
    """What the person holds at the moment, by dimension and Thai name."""
    held = (_held(question, holding) for holding in question.matrix.held_by(deputy))
    return sorted(held, key=_by_name)


def _held(question: Question, holding: Holding) -> Held:
    given = holding.given
    name_th, name_en = target_names(
        question.registry, question.day, dimension=given.dimension, target=given.target
    )
    return Held(
        dimension=given.dimension,
        target=given.target,
        target_name_th=name_th,
        target_name_en=name_en,
        power=holding.power,
        except_targets=given.except_targets,
        except_th=given.except_th,
        order=_by_order(holding.order),
    )


def _by_name(held: Held) -> list[str]:
    return [
        held.dimension,
        *thai.sort_key(held.target_name_th or held.target),
        held.target,
        held.power,
    ]


def _tenures(question: Question) -> dict[str, list[Tenure]]:
    by_person: dict[str, list[Tenure]] = {}
    for (subject, _), versions in sorted(question.registry.versions.items()):
        if subject == "tenure" and isinstance(one := versions[0].model, TenureRegistered):
            by_person.setdefault(one.deputy, []).append(
                Tenure(
                    id=one.tenure,
                    office=one.office,
                    valid_from=one.valid_from,
                    valid_to=one.valid_to,
                    source=one.source,
                )
            )
    return by_person
