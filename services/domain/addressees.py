"""Whom a directive can be addressed to, and who speaks for each: by the registry.

Source: the POC speaks for its province, the MOC and DOC for their body, and the governor heads the
province (domain.md 1 and 2).
"""

from datetime import date

from schemas.events.registry import CentreRegistered, DepartmentRegistered, MinistryRegistered
from schemas.ids import BANGKOK
from services.domain.authority import Actor
from services.domain.grounds import Agency
from services.domain.naming import ProvinceNotThere, UnitNotThere, streams
from services.domain.registry import Registry

_PROVINCE = "TH-"


def is_province(addressee: str) -> bool:
    """Whether the id is a province's; any other is a ministry's or a unit's."""
    return addressee.startswith(_PROVINCE)


def agency_of(addressee: str, registry: Registry, day: date) -> Agency:
    """The ministry or unit, and whose it is on that day.

    Raises:
        UnitNotThere: there is none of this id.
    """
    if registry.at(MinistryRegistered, addressee, day) is not None:
        return Agency(addressee)
    department = registry.at(DepartmentRegistered, addressee, day)
    if department is None:
        raise UnitNotThere(addressee, day)
    return Agency(addressee, department.ministry)


def check_there(addressee: str, registry: Registry, day: date) -> None:
    """It is a province, a ministry or a unit on that day.

    Raises:
        ProvinceNotThere, UnitNotThere.
    """
    if not is_province(addressee):
        agency_of(addressee, registry, day)
    elif registry.province(addressee, day) is None:
        raise ProvinceNotThere(addressee, day)


def streams_of(addressee: str) -> tuple[str, ...]:
    """The streams of the registry that say whether it is there, and whose it is."""
    return streams("area" if is_province(addressee) else "function", addressee)


def spoken_for(who: Actor, registry: Registry, day: date) -> frozenset[str]:
    """The addressees that an identity speaks for on that day; at most one."""
    if who.kind == "governor" and who.name is not None:
        return frozenset({who.name})
    centre = registry.centre(f"{who.kind}:{who.name}", day)
    return frozenset() if centre is None else _body_of(centre)


def ever_spoken_for(who: Actor, registry: Registry) -> frozenset[str]:
    """The addressees that an identity spoke for at any time: what was theirs they keep reading."""
    if who.kind == "governor" and who.name is not None:
        return frozenset({who.name})
    versions = registry.versions.get(("centre", f"{who.kind}:{who.name}"), ())
    centres = (one.model for one in versions if isinstance(one.model, CentreRegistered))
    return frozenset(addressee for centre in centres for addressee in _body_of(centre))


def _body_of(centre: CentreRegistered) -> frozenset[str]:
    """What the centre is the centre of. Bangkok has none of the scheme and speaks by its own."""
    unit = centre.centre.partition(":")[2]
    match centre.level:
        case "POC":
            body = centre.province
        case "MOC":
            body = centre.ministry or unit
        case "DOC":
            body = centre.department or unit
        case "other" if centre.province == BANGKOK:
            body = BANGKOK
        case _:
            body = None
    return frozenset() if body is None else frozenset({body})
