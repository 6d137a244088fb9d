"""What a reader may see: nothing, unless a rule here gives it.

The first floor of it: by kind of identity, the reader's place, and what the matrix gives at the
moment asked for. Every query is filtered by it; nothing is taken out of an answer afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

from schemas.events.order import Dimension
from services.domain.matrix import Holding, Matrix
from services.domain.registry import Registry, day_of
from services.domain.substitution import acted_for_by, entrusted


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
    QUARANTINE = "quarantine"
    """What could not be read or applied."""


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

    def sees_deputy(self, deputy: str) -> bool:
        """Whether this person's area and overview are seen."""
        return self.reads(Resource.OVERVIEW) and (self.nation or deputy in self.deputies)

    def sees_centre(self, centre: str, province: str | None) -> bool:
        """Whether it is seen how this centre is heard."""
        return self.reads(Resource.CENTRES) and (
            self.nation or centre in self.centres or province in self.provinces
        )


NOTHING = Scope()
_READS = frozenset({Resource.REFERENCE, Resource.SITUATION, Resource.CENTRES})
_NATION = Scope(_READS | {Resource.OVERVIEW}, nation=True)
_OPERATOR = Scope(
    frozenset({Resource.REFERENCE, Resource.CENTRES, Resource.QUARANTINE}), nation=True
)
_REFERENCE = Scope(frozenset({Resource.REFERENCE}))
_WHOLE_COUNTRY = frozenset(
    {"pm", "pmoc", "cabinet", "committee", "interior", "opdc", "budget", "analyst"}
)


def scope_of(reader: Reader, matrix: Matrix, registry: Registry) -> Scope:
    """What this reader may see at the matrix's moment.

    Source: a centre or body sees what its place in the network lets it see (domain.md 1, 2).
    """
    kind, name = reader.kind, reader.name
    if kind in _WHOLE_COUNTRY:
        return _NATION
    match kind:
        case "operator":
            return _OPERATOR
        case "screening":
            return _REFERENCE
        case "inspector" if name is not None:
            return _of_inspector(name, matrix)
        case "deputy" | "secretariat" if name is not None:
            return _of_deputy(name, matrix)
        case "governor" | "poc" if name is not None:
            return Scope(_READS, provinces=frozenset({name}))
        case _ if name is not None:
            return _of_centre(f"{kind}:{name}", registry, day_of(matrix.at))
    return NOTHING


def may_retry(reader: Reader) -> bool:
    """Whether this reader may have tried again what could not be read or applied: operators."""
    return reader.kind == "operator"


def _of_deputy(deputy: str, matrix: Matrix) -> Scope:
    """Source: the holder sees area, function and agenda by the orders in force (domain.md 2).

    Who acts for an absent deputy sees that deputy's too, as long as the absence lasts.
    """
    deputies = [deputy, *(acting.acting_for for acting in acted_for_by(matrix, deputy))]
    held = [holding for one in deputies for holding in matrix.held_by(one)]
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
    """Source: an inspector sees the provinces in which a deputy entrusted them (domain.md 2)."""
    provinces = frozenset(
        province for duties in entrusted(matrix, inspector) for province in duties.provinces
    )
    return Scope(_READS, provinces=provinces) if provinces else _REFERENCE


def _of_centre(centre: str, registry: Registry, day: date) -> Scope:
    """A centre that is not registered on the day reads reference data alone."""
    registered = registry.centre(centre, day)
    if registered is None:
        return _REFERENCE
    return Scope(
        _READS,
        provinces=_named(registered.province),
        ministries=_named(registered.ministry),
        centres=frozenset({centre, *_below(centre, registry, day)}),
    )


def _named(name: str | None) -> frozenset[str]:
    return frozenset() if name is None else frozenset({name})


def _below(centre: str, registry: Registry, day: date) -> Iterable[str]:
    """A ministry's centre sees how those of its departments are heard."""
    if not centre.startswith("moc:"):
        return
    for other in registry.centres():
        if other.startswith("doc:") and registry.is_above(centre, other, day):
            yield other
