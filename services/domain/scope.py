"""What a reader may see: nothing, unless a rule here gives it.

Each kind of identity has one rule, judged by the orders and the registry of the moment asked for.
Every query is filtered by what the rules give; nothing is taken out of an answer afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Protocol

from schemas.events.order import Dimension
from services.domain.matrix import Holding, Matrix
from services.domain.registry import Registry, day_of
from services.domain.substitution import (
    acted_for_by,
    acting_prime_minister,
    entrusted,
    exercised,
)


class Reader(Protocol):
    """Who reads: an office, a person's office, or a centre."""

    @property
    def kind(self) -> str:
        """The first word: `pm`, `deputy`, `poc`."""
        ...

    @property
    def name(self) -> str | None:
        """Whose: a person, a province, a ministry; None for what is one in the country."""
        ...


class Resource(Enum):
    """Kinds of what can be read, each given by itself."""

    REFERENCE = "reference"
    """Places, deputies, the matrix, archive revisions: the same for everybody."""
    SITUATION = "situation"
    """Incidents, situations, indicators, alerts, events: of the places in scope."""
    CENTRES = "centres"
    """Whether centres are heard."""
    OVERVIEW = "overview"
    """Deputies' areas and overviews."""
    MATTERS = "matters"
    """What the Prime Minister reserves of single matters, whosever they are."""
    QUARANTINE = "quarantine"
    """What could not be read or applied: where it lies and why, never its content."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one reader may see at one moment."""

    resources: frozenset[Resource] = frozenset()
    nation: bool = False
    """Every place, and what lies in none."""
    provinces: frozenset[str] = frozenset()
    ministries: frozenset[str] = frozenset()
    """An incident of one of these is seen wherever it is."""
    agendas: frozenset[str] = frozenset()
    deputies: frozenset[str] = frozenset()
    """Whose overview is seen; with `nation`, everybody's."""
    centres: frozenset[str] = frozenset()
    """Centres seen whatever their province."""

    def reads(self, resource: Resource) -> bool:
        """Whether this kind of resource is seen at all."""
        return resource in self.resources

    def sees_place(self, place: str) -> bool:
        """Whether what happens in this province (or `TH`) is seen."""
        return self.nation or place in self.provinces

    def sees_everywhere(self, ministries: Iterable[str], agendas: Iterable[str]) -> bool:
        """Whether an incident of these ministries and agendas is seen in all its places."""
        return (
            self.nation
            or not self.ministries.isdisjoint(ministries)
            or not self.agendas.isdisjoint(agendas)
        )

    def sees_said(self, place: str, ministries: Iterable[str], agendas: Iterable[str]) -> bool:
        """Whether what is said of this place is seen, in an incident of these.

        An incident that two provinces share shows each of them what is said of itself.
        """
        return self.sees_place(place) or self.sees_everywhere(ministries, agendas)

    def sees_deputy(self, deputy: str) -> bool:
        """Whether this person's area and overview are seen."""
        return self.reads(Resource.OVERVIEW) and (self.nation or deputy in self.deputies)

    def sees_matter(self, deputy: str | None) -> bool:
        """Whether it is seen that a single matter is reserved from this person, or from all."""
        return self.reads(Resource.MATTERS) or deputy in self.deputies

    def sees_centre(self, centre: str, province: str | None) -> bool:
        """Whether it is seen how this centre is heard."""
        return self.reads(Resource.CENTRES) and (
            self.nation or centre in self.centres or province in self.provinces
        )


NOTHING = Scope()
_READS = frozenset({Resource.REFERENCE, Resource.SITUATION, Resource.CENTRES})
_NATION = Scope(_READS | {Resource.OVERVIEW}, nation=True)
_PRIME_MINISTER = Scope(_NATION.resources | {Resource.MATTERS}, nation=True)
_OPERATOR = Scope(
    frozenset({Resource.REFERENCE, Resource.CENTRES, Resource.QUARANTINE}), nation=True
)
_REFERENCE = Scope(frozenset({Resource.REFERENCE}))
_WHOLE_COUNTRY = frozenset({"cabinet", "committee", "interior", "opdc", "budget", "analyst"})


def scope_of(reader: Reader, matrix: Matrix, registry: Registry) -> Scope:
    """What this reader may see at the matrix's moment.

    Source: a centre or body sees what its place in the network lets it see (domain.md 1, 2). The
    Prime Minister and PMOC see every place and matter. Every place is seen by who works for the
    country as a whole: the committee's office as the hub for information about work in the
    regions, the cabinet's secretary, the Interior Ministry that links the POCs, OPDC and the Budget
    Bureau (domain.md 2), and by analysts, because all of this is public. The operator sees the
    system and not its content, the screening group the requests before it (issue 3).
    """
    kind, name = reader.kind, reader.name
    if kind in ("pm", "pmoc"):
        return _PRIME_MINISTER
    if kind in _WHOLE_COUNTRY:
        return _NATION
    day = day_of(matrix.at)
    match kind:
        case "operator":
            return _OPERATOR
        case "screening":
            return _REFERENCE
        case "inspector" if name is not None:
            return _of_inspector(name, matrix)
        case "deputy" if name is not None and _acts_as_prime_minister(name, matrix):
            return replace(_PRIME_MINISTER, deputies=_of_deputy(name, matrix).deputies)
        case "deputy" | "secretariat" if name is not None:
            return _of_deputy(name, matrix)
        case "governor" if name is not None:
            return _of_governor(name, registry, day)
        case _ if name is not None:
            return _of_centre(f"{kind}:{name}", registry, day)
    return NOTHING


def may_retry(reader: Reader) -> bool:
    """Whether this reader may have tried again what could not be read or applied: operators."""
    return reader.kind == "operator"


def _acts_as_prime_minister(deputy: str, matrix: Matrix) -> bool:
    """Whether the person decides in the Prime Minister's place, and so must see as they do.

    Source: รักษาราชการแทน (domain.md 2); that it is the person alone, not the secretariat, is ours.
    """
    acting = acting_prime_minister(matrix)
    return acting is not None and acting.clause.deputy == deputy


def _of_deputy(deputy: str, matrix: Matrix) -> Scope:
    """What is held at the moment, and what those hold or left for whom the deputy acts.

    Source: the holder has area, function and agenda by the orders in force (domain.md 2); a
    substitute acts only during the absence (domain.md 6). A secretariat prepares what its deputy
    decides on, so it sees the same.
    """
    deputies = [deputy, *(acting.acting_for for acting in acted_for_by(matrix, deputy))]
    held = exercised(matrix, deputy)
    return Scope(
        _READS | {Resource.OVERVIEW},
        provinces=_targets(held, "area"),
        ministries=_targets(held, "function"),
        agendas=_targets(held, "agenda"),
        deputies=frozenset(deputies),
    )


def _targets(held: Iterable[Holding], dimension: Dimension) -> frozenset[str]:
    given = (holding.given for holding in held)
    return frozenset(one.target for one in given if one.dimension == dimension)


def _of_inspector(inspector: str, matrix: Matrix) -> Scope:
    """The provinces entrusted, of each deputy only those that deputy holds at the moment.

    Source: one whose region is split serves two deputies and sees for each only that deputy's
    provinces (domain.md 2).
    """
    provinces = frozenset(
        province for duties in entrusted(matrix, inspector) for province in duties.provinces
    )
    return Scope(_READS, provinces=provinces) if provinces else _REFERENCE


def _of_governor(province: str, registry: Registry, day: date) -> Scope:
    """The governor's province, while there is one.

    Source: the POC stands under the governor (domain.md 1).
    """
    if registry.province(province, day) is None:
        return _REFERENCE
    return Scope(_READS, provinces=frozenset({province}))


def _of_centre(centre: str, registry: Registry, day: date) -> Scope:
    """A POC's province; of MOC and DOC the incidents of their ministry or department, anywhere.

    Neighbouring POCs see the problems they share (domain.md 1): an incident that lies in their own
    province too. A centre that is not registered on the day reads reference data alone (ours).
    """
    registered = registry.centre(centre, day)
    if registered is None:
        return _REFERENCE
    below = {other: registry.centre(other, day) for other in _below(centre, registry, day)}
    departments = (one.department for one in (registered, *below.values()) if one is not None)
    return Scope(
        _READS,
        provinces=_named(registered.province),
        ministries=_named(registered.ministry, *departments),
        centres=frozenset({centre, *below}),
    )


def _named(*names: str | None) -> frozenset[str]:
    return frozenset(name for name in names if name is not None)


def _below(centre: str, registry: Registry, day: date) -> Iterable[str]:
    """A ministry's centre sees how those of its departments are heard."""
    if not centre.startswith("moc:"):
        return
    for other in registry.centres():
        if other.startswith("doc:") and registry.is_above(centre, other, day):
            yield other
