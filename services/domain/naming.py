"""What a new order names must be there when it takes effect; a group becomes its provinces.

Source of all: an order names what the state consists of on its day (issue of the matrix, bad
input). Imported orders are not held to it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Appointment,
    Assignment,
    CabinetEnd,
    Clause,
    DeputyRegistered,
    Dimension,
    Entrusted,
    FundPower,
    PartRevoked,
    Release,
    Reservation,
    Substitutes,
    TenureEnd,
)
from schemas.events.registry import ClusterRegistered, InspectorRegistered, RegionRegistered
from schemas.ids import BANGKOK
from services.domain.registry import Registry, stream
from services.domain.rejected import Rejected

type GroupKind = Literal["cluster", "region"]


@dataclass(frozen=True, slots=True)
class GroupGiven:
    """A whole cluster or inspection region is given to one holder, but for some provinces."""

    group: GroupKind
    name: str
    deputy: str
    except_provinces: tuple[str, ...] = ()


@dataclass
class ProvinceNotThere(Rejected):
    """There is no such province on the day the order takes effect.

    Source: Bueng Kan (TH-38) exists since 23 March 2011, by the Act establishing Changwat Bueng
    Kan, B.E. 2554.
    """

    province: str
    day: date
    rule = "province-not-there"


@dataclass
class OutsideScheme(Rejected):
    """Bangkok has no area holder.

    Source: cabinet of 28 April 2003, all provinces but Bangkok.
    """

    province: str
    through: str | None = None
    rule = "outside-scheme"


@dataclass
class UnitNotThere(Rejected):
    """There is no such ministry or agency on the day the order takes effect."""

    unit: str
    day: date
    rule = "unit-not-there"


@dataclass
class DeputyUnknown(Rejected):
    """Nobody is registered under this id."""

    deputy: str
    day: date
    rule = "deputy-unknown"


@dataclass
class InspectorUnknown(Rejected):
    """No inspector is registered under this id on the day the order takes effect."""

    inspector: str
    day: date
    rule = "inspector-unknown"


@dataclass
class GroupNotThere(Rejected):
    """There is no such cluster or inspection region on the day the order takes effect."""

    group: str
    name: str
    day: date
    rule = "group-not-there"


@dataclass
class GroupNotWhole(Rejected):
    """Not all members of the cluster are registered, so nobody can say what the order gives."""

    name: str
    day: date
    rule = "group-not-whole"


@dataclass
class NotOfGroup(Rejected):
    """The order excepts a province that is no member of the group."""

    province: str
    name: str
    rule = "not-of-group"


@dataclass
class PowerOfOtherDimension(Rejected):
    """The power over an area is given over provinces, the others over units and agendas.

    Source: domain.md 2.
    """

    dimension: str
    target: str
    power: str
    rule = "power-of-other-dimension"


def expanded(given: GroupGiven, registry: Registry, day: date) -> Iterator[Assignment]:
    """The provinces of the group on the day, by code; each says through what it is named.

    Raises:
        GroupNotThere, GroupNotWhole, NotOfGroup, OutsideScheme.
    """
    members = _members(given, registry, day)
    for province in given.except_provinces:
        if province not in members:
            raise NotOfGroup(province, given.name)
    for province in sorted(members - set(given.except_provinces)):
        if province == BANGKOK:
            raise OutsideScheme(province, given.name)
        yield Assignment(
            dimension="area",
            target=province,
            deputy=given.deputy,
            power="area",
            through=given.name,
        )


def check_names(clauses: Iterable[Clause], registry: Registry, day: date) -> None:
    """Everything that the clauses name by itself is there on the day.

    Raises:
        Rejected: one of this module's refusals, by name.
    """
    for clause in clauses:
        for person in people(clause):
            if registry.at(DeputyRegistered, person, day) is None:
                raise DeputyUnknown(person, day)
        match clause:
            case Assignment():
                _check_assignment(clause, registry, day)
            case Reservation(dimension=dimension, target=target):
                if dimension is not None and target is not None:
                    _check_target(dimension, target, registry, day)
            case Entrusted():
                _check_entrusted(clause, registry, day)
            case _:
                # What the others name stands in the chain of orders, or is nothing.
                pass


def named(clauses: Iterable[Clause | GroupGiven], registry: Registry, day: date) -> Iterator[str]:
    """The streams of the registry by which these clauses are judged, by `check_names` and after.

    Of a group those of its provinces too, as the group is registered on the day.
    """
    for clause in clauses:
        match clause:
            case GroupGiven(group=group, name=name, deputy=deputy):
                members = sorted(_provinces(clause, registry, day))
                yield from (stream(group, name), stream("deputy", deputy))
                yield from (stream("province", province) for province in members)
                continue
            case Assignment(dimension=dimension, target=target, except_targets=excepted):
                for unit in (target, *excepted):
                    yield from _streams(dimension, unit)
            case Reservation(dimension=dimension, target=target):
                if dimension is not None and target is not None:
                    yield from _streams(dimension, target)
            case Entrusted(inspector=inspector, provinces=provinces):
                yield stream("inspector", inspector)
                yield from (stream("province", province) for province in provinces)
            case _:
                # The others name nothing of the registry but people.
                pass
        yield from (stream("deputy", person) for person in people(clause))


def people(clause: Clause) -> Iterator[str]:
    """Everybody whom the clause names as deputy or holder."""
    match clause:
        case Substitutes():
            yield from (clause.deputy, *clause.substitutes)
        case Reservation(deputy=deputy):
            if deputy is not None:
                yield deputy
        case Assignment() | Appointment() | Absence() | ActingPrimeMinister():
            yield clause.deputy
        case Entrusted() | FundPower():
            yield clause.deputy
        case TenureEnd() | Release() | PartRevoked() | CabinetEnd():
            return


def _streams(dimension: Dimension, target: str) -> tuple[str, ...]:
    match dimension:
        case "area":
            return (stream("province", target),)
        case "function":
            return stream("ministry", target), stream("department", target)
        case "agenda":
            return ()


def _group(
    given: GroupGiven, registry: Registry, day: date
) -> ClusterRegistered | RegionRegistered | None:
    if given.group == "cluster":
        return registry.at(ClusterRegistered, given.name, day)
    return registry.at(RegionRegistered, given.name, day)


def _provinces(given: GroupGiven, registry: Registry, day: date) -> set[str]:
    group = _group(given, registry, day)
    return set(group.provinces) if group else set()


def _members(given: GroupGiven, registry: Registry, day: date) -> set[str]:
    group = _group(given, registry, day)
    if group is None:
        raise GroupNotThere(given.group, given.name, day)
    if isinstance(group, ClusterRegistered) and not group.complete:
        raise GroupNotWhole(given.name, day)
    return set(group.provinces)


def _check_assignment(given: Assignment, registry: Registry, day: date) -> None:
    if (given.dimension == "area") != (given.power == "area"):
        raise PowerOfOtherDimension(given.dimension, given.target, given.power)
    _check_target(given.dimension, given.target, registry, day, through=given.through)
    for unit in given.except_targets:
        _check_target(given.dimension, unit, registry, day)


def _check_target(
    dimension: Dimension, target: str, registry: Registry, day: date, *, through: str | None = None
) -> None:
    match dimension:
        case "area":
            if target == BANGKOK:
                raise OutsideScheme(target, through)
            if registry.province(target, day) is None:
                raise ProvinceNotThere(target, day)
        case "function":
            if registry.ministry(target, day) is None and registry.department(target, day) is None:
                raise UnitNotThere(target, day)
        case "agenda":
            # An agenda is there because an order names it; nobody registers one.
            pass


def _check_entrusted(given: Entrusted, registry: Registry, day: date) -> None:
    if registry.at(InspectorRegistered, given.inspector, day) is None:
        raise InspectorUnknown(given.inspector, day)
    for province in given.provinces:
        _check_target("area", province, registry, day)
