"""Provinces: reference data of the day, and the situation in each."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from schemas.events.incident import Hazard
from schemas.events.registry import ClusterRegistered, ProvinceRegistered, RegionRegistered
from schemas.events.situation import Severity
from services.api import incidents
from services.api.answers import answer, answer_page, page_of, read_responses
from services.api.bodies import Body, Interval, Named, Page, When
from services.api.database import Row
from services.api.figures import (
    Figures,
    Said,
    Totals,
    figures_of,
    patterns,
    read_said,
    said_of,
    shown_in,
    totals_of,
)
from services.api.incidents import Wanted
from services.api.problems import not_found
from services.api.reading import Asked, Listed, Question
from services.domain import thai
from services.domain.scope import Resource

router = APIRouter(tags=["provinces"])

Code = Annotated[str, Path(max_length=20, description="ISO 3166-2.", examples=["TH-83"])]


class Cluster(Named):
    """A group of provinces in one scheme; nothing is added up across schemes."""

    scheme: str


class Province(Interval):
    """A province as it was on the day."""

    code: str
    name_th: str
    name_en: str | None
    region: str | None
    lat: float | None
    lon: float | None
    area_km2: float | None
    population: int | None
    succeeds: list[str]
    """The provinces it was cut out of when it began."""
    clusters: list[Cluster]
    inspection_regions: list[Named]


class ProvincePage(Page[Province]):
    """Provinces in the order of their Thai names."""


class PlaceIncident(Body):
    """What one open incident does in the province."""

    id: str
    title_th: str | None
    title_en: str | None
    hazard: Hazard | None
    severity: Severity | None
    opened_at: When
    figures: Figures
    reports: list[Said]


class ProvinceName(Body):
    """A province by its code and names."""

    code: str
    name_th: str
    name_en: str | None


class Situation(Body):
    """What was so in a province: each open incident, and the figures shown added up over them."""

    province: ProvinceName
    incidents: list[PlaceIncident]
    totals: Totals


@router.get("/v1/provinces", responses=read_responses(403), response_model=ProvincePage)
async def list_provinces(request: Request, listed: Listed) -> Response:
    """The provinces there were on the day, by Thai name."""
    question = listed.question
    question.require(Resource.REFERENCE)
    groups = _Groups(question)
    keyed = (
        ([*thai.sort_key(one.name_th), one.province], groups.province(one))
        for one in question.registered.provinces
    )
    items, last = page_of(listed, keyed)
    return answer_page(request, listed, ProvincePage(items=items), last)


@router.get("/v1/provinces/{code}", responses=read_responses(403, 404), response_model=Province)
async def get_province(request: Request, question: Asked, code: Code) -> Response:
    """One province as it was on the day."""
    question.require(Resource.REFERENCE)
    found = question.registry.province(code, question.day)
    if found is None:
        raise not_found()
    return answer(request, question, _Groups(question).province(found))


@router.get(
    "/v1/provinces/{code}/situation",
    responses=read_responses(403, 404),
    response_model=Situation,
)
async def get_situation(request: Request, question: Asked, code: Code) -> Response:
    """The open incidents of a province with their figures, sources side by side."""
    scope = question.require(Resource.SITUATION)
    found = question.registry.province(code, question.day)
    everywhere = bool(scope.ministries or scope.agendas)
    if found is None or not (everywhere or scope.sees_place(code)):
        raise not_found()
    rows = await incidents.find(question, Wanted(provinces=[code]))
    # An incident shared with the reader's own province is seen; what others say of theirs is not.
    names = [row.id for row in rows if scope.sees_said(code, row.ministries, row.agendas)]
    said, reports = await read_said(question, [code], names, depth=2)
    precedence = patterns(question)
    body = Situation(
        province=ProvinceName(code=code, name_th=found.name_th, name_en=found.name_en),
        incidents=[
            _incident(
                row,
                figures_of(said.get((code, row.id), {}), code, precedence),
                reports.get((code, row.id), ()),
            )
            for row in rows
        ],
        totals=totals_of(shown_in(said, precedence), said),
    )
    return answer(request, question, body)


def _incident(row: Row, figures: Figures, reports: Sequence[Row]) -> PlaceIncident:
    return PlaceIncident(
        id=row.id,
        title_th=row.title_th,
        title_en=row.title_en,
        hazard=row.hazard,
        severity=row.severity,
        opened_at=row.opened_at,
        figures=figures,
        reports=[said_of(row) for row in reports],
    )


class _Groups:
    """Which clusters and regions each province belongs to on the question's day."""

    def __init__(self, question: Question) -> None:
        self._clusters: dict[str, list[Cluster]] = {}
        self._regions: dict[str, list[Named]] = {}
        for cluster in question.registry.each(ClusterRegistered, question.day):
            one = Cluster(
                id=cluster.cluster,
                scheme=cluster.scheme,
                name_th=cluster.name_th,
                name_en=cluster.name_en,
            )
            for province in cluster.provinces:
                self._clusters.setdefault(province, []).append(one)
        for region in question.registry.each(RegionRegistered, question.day):
            named = Named(id=region.region, name_th=region.name_th, name_en=region.name_en)
            for province in region.provinces:
                self._regions.setdefault(province, []).append(named)

    def province(self, found: ProvinceRegistered) -> Province:
        """The province with the groups it belongs to."""
        return Province(
            code=found.province,
            name_th=found.name_th,
            name_en=found.name_en,
            region=found.region,
            lat=found.lat,
            lon=found.lon,
            area_km2=found.area_km2,
            population=found.population,
            succeeds=found.succeeds,
            valid_from=found.valid_from,
            valid_to=found.valid_to,
            clusters=self._clusters.get(found.province, []),
            inspection_regions=self._regions.get(found.province, []),
        )
