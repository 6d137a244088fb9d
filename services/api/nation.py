"""The nation at a moment, added up over provinces, overseers and clusters: always the same sum.

What is stated of a province, or issued to it, counts in the group its province is in and nowhere
else. An incident or alert that lies in several groups stands in each and once in the nation.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.events.registry import ClusterRegistered, ProvinceRegistered
from services.api.answers import answer, read_responses
from services.api.bodies import Body
from services.api.database import Found
from services.api.directive_counts import Owed, owed_by
from services.api.figures import Shown, patterns, read_said, shown_in, totals_of
from services.api.incidents import Overseer, Wanted, overseers_of
from services.api.oversight import Holder, holder_of
from services.api.overview import OverviewTotals, open_of, read_there
from services.api.problems import forbidden
from services.api.reading import Asked, Question
from services.domain import thai
from services.domain.matrix import Cover
from services.domain.scope import Resource

router = APIRouter(tags=["oversight"])


class Sums(Body):
    """Some provinces together: figures add up; incidents and alerts count once in each group."""

    provinces: list[str]
    totals: OverviewTotals


class ProvinceSums(Sums):
    """One province, and who has it."""

    name_th: str
    name_en: str | None
    cover: Cover


class OverseerSums(Sums):
    """The area of one deputy."""

    deputy: Holder


class ClusterSums(Sums):
    """One cluster of provinces."""

    id: str
    name_th: str
    name_en: str | None


class SchemeSums(Body):
    """The clusters of one scheme, and the provinces that are in none of them."""

    scheme: str
    clusters: list[ClusterSums]
    outside: Sums


class SharedIncident(Body):
    """An open incident in the fields of several deputies, and through what it lies in each."""

    id: str
    overseers: list[Overseer]


class NationOverview(Body):
    """The nation, three times divided: each division and `elsewhere` add up to `totals`."""

    totals: OverviewTotals
    elsewhere: OverviewTotals
    """What lies in no province: incidents, alerts, and centres and directives of ministries."""
    provinces: list[ProvinceSums]
    overseers: list[OverseerSums]
    uncovered: Sums
    """Nobody holds them."""
    not_known: Sums
    """An order is missing from the archive."""
    outside_scheme: Sums
    """Bangkok has no overseer."""
    schemes: list[SchemeSums]
    shared: list[SharedIncident]
    """Each counts once in the nation."""


@router.get("/v1/overview", responses=read_responses(403), response_model=NationOverview)
async def get_nation(request: Request, question: Asked) -> Response:
    """The nation by province, by overseer and by cluster; each adds up to the same."""
    scope = question.scope
    if not (scope.nation and scope.reads(Resource.OVERVIEW)):
        raise forbidden()
    there = sorted(question.registered.provinces, key=lambda one: thai.sort_key(one.name_th))
    facts = await _read(question, [one.province for one in there])
    division = _Division.of(question, facts)
    body = NationOverview(
        totals=facts.nation(),
        elsewhere=facts.elsewhere(),
        provinces=[_province(facts, division, one) for one in there],
        overseers=[
            OverseerSums(
                deputy=holder_of(question, deputy),
                provinces=provinces,
                totals=facts.sums(provinces),
            )
            for deputy, provinces in sorted(division.held.items())
        ],
        uncovered=facts.group(division.beside["uncovered"]),
        not_known=facts.group(division.beside["not_known"]),
        outside_scheme=facts.group(division.beside["outside_scheme"]),
        schemes=_schemes(question, facts),
        shared=list(_shared(question, facts)),
    )
    return answer(request, question, body)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read of the nation."""

    provinces: Sequence[str]
    incidents: Sequence[Found]
    shown: Shown
    silent: Mapping[str | None, int]
    """How many centres are silent, by province; None is those of no province."""
    alerts: Sequence[Found]
    owed: Owed

    def nation(self) -> OverviewTotals:
        """Everything, each thing once."""
        silent = sum(self.silent.values())
        everybody = frozenset(self.owed or ())
        return self._totals(self.provinces, self.incidents, self.alerts, silent, everybody)

    def elsewhere(self) -> OverviewTotals:
        """What lies in none of the provinces there are."""
        there = frozenset(self.provinces)
        return self._totals(
            (),
            [row for row in self.incidents if there.isdisjoint(row.provinces)],
            [row for row in self.alerts if there.isdisjoint(row.provinces)],
            sum(count for place, count in self.silent.items() if place not in there),
            frozenset(self.owed or ()) - there,
        )

    def sums(self, provinces: Sequence[str]) -> OverviewTotals:
        """These provinces together."""
        area = frozenset(provinces)
        return self._totals(
            provinces,
            [row for row in self.incidents if not area.isdisjoint(row.provinces)],
            [row for row in self.alerts if not area.isdisjoint(row.provinces)],
            sum(self.silent.get(place, 0) for place in area),
            area,
        )

    def group(self, provinces: Sequence[str]) -> Sums:
        """These provinces by name and together."""
        return Sums(provinces=list(provinces), totals=self.sums(provinces))

    def _totals(
        self,
        provinces: Sequence[str],
        incidents: Sequence[Found],
        alerts: Sequence[Found],
        silent: int,
        addressees: frozenset[str],
    ) -> OverviewTotals:
        area = frozenset(provinces)
        cells = [(code, row.id) for row in incidents for code in row.provinces if code in area]
        return OverviewTotals(
            provinces=len(area),
            incidents=open_of(incidents),
            figures=totals_of(self.shown, cells),
            silent_centres=silent,
            active_alerts=len(alerts),
            directives=owed_by(self.owed, addressees),
        )


@dataclass(frozen=True, slots=True)
class _Division:
    """Every province in one place: with its overseer, or among those that have none."""

    cover: Mapping[str, Cover]
    held: Mapping[str, list[str]]
    beside: Mapping[Cover, list[str]]

    @classmethod
    def of(cls, question: Question, facts: Facts) -> "_Division":
        held: dict[str, list[str]] = {}
        beside: dict[Cover, list[str]] = {
            "uncovered": [],
            "not_known": [],
            "outside_scheme": [],
        }
        cover: dict[str, Cover] = {}
        for code in facts.provinces:
            cell = question.matrix.cell("area", code)
            cover[code] = cell.cover
            if cell.holdings:
                # The power over an area is one, and so is its holder.
                held.setdefault(cell.holdings[0].given.deputy, []).append(code)
            else:
                beside[cell.cover].append(code)
        return cls(cover, held, beside)


async def _read(question: Question, provinces: Sequence[str]) -> Facts:
    """Two statements, however large the nation is."""
    registered = question.registered
    there = await read_there(question, Wanted(), ",".join(registered.named_in.values()))
    grid, _ = await read_said(question, provinces, [row.id for row in there.incidents])
    return Facts(
        provinces,
        there.incidents,
        shown_in(grid, patterns(question)),
        Counter(registered.centre[row.centre].province for row in there.silent),
        there.alerts,
        there.owed,
    )


def _province(facts: Facts, division: _Division, one: ProvinceRegistered) -> ProvinceSums:
    return ProvinceSums(
        provinces=[one.province],
        totals=facts.sums([one.province]),
        name_th=one.name_th,
        name_en=one.name_en,
        cover=division.cover[one.province],
    )


def _schemes(question: Question, facts: Facts) -> list[SchemeSums]:
    by_scheme: dict[str, list[ClusterRegistered]] = {}
    for cluster in question.registry.each(ClusterRegistered, question.day):
        by_scheme.setdefault(cluster.scheme, []).append(cluster)
    return [_scheme(facts, scheme, by_scheme[scheme]) for scheme in sorted(by_scheme)]


def _scheme(facts: Facts, scheme: str, clusters: Iterable[ClusterRegistered]) -> SchemeSums:
    left = list(facts.provinces)
    sums = []
    for cluster in sorted(clusters, key=lambda one: one.cluster):
        # A province is in one cluster of a scheme: a second that names it does not count it again.
        inside = [code for code in left if code in cluster.provinces]
        left = [code for code in left if code not in cluster.provinces]
        sums.append(
            ClusterSums(
                provinces=inside,
                totals=facts.sums(inside),
                id=cluster.cluster,
                name_th=cluster.name_th,
                name_en=cluster.name_en,
            )
        )
    return SchemeSums(scheme=scheme, clusters=sums, outside=facts.group(left))


def _shared(question: Question, facts: Facts) -> Iterable[SharedIncident]:
    for row in facts.incidents:
        overseers = overseers_of(row, question.matrix)
        if len({one.deputy for one in overseers}) > 1:
            yield SharedIncident(id=row.id, overseers=overseers)
