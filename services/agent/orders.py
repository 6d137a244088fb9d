"""The chain of the Prime Minister's orders as decisions, and the people whom it names."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from schemas.events.order import Assignment, DeputyRegistered, OrderIssued
from services.agent.record import Event, Record, Row, day_after, end_of, event_of
from services.agent.registry import BEFORE_ALL, REGISTRAR, RegistryTables
from services.domain.registry import start_of

PROVINCIAL_AGENDA = "moving-thailand-together"
"""The agenda under which order 85/2564 gives each minister provinces of the country."""

_NAMES = UUID("0b8d9f0a-65a5-5d0d-8f0c-3f7b1a52c9d4")
_ORDERS_NAME_THEM = "named in the orders of the Prime Minister's Office"


class UnknownName(Exception):
    """An order names a holder or a unit that the registry's tables do not have."""


def deputies(rows: Iterable[Row]) -> Iterator[Event]:
    """The people whom the orders name, before any date: what they hold is dated elsewhere."""
    for row in rows:
        body = DeputyRegistered(
            deputy=row["deputy"],
            name_th=row["name_th"],
            name_en=row["name_en"],
            source="illustrative: no real person" if row["illustrative"] else _ORDERS_NAME_THEM,
        )
        subject = f"deputies/{body.deputy}"
        yield event_of(
            Record(
                id=id_of(subject),
                centre=REGISTRAR,
                subject=subject,
                time=start_of(BEFORE_ALL),
                accepted=start_of(BEFORE_ALL),
                body=body,
                marks=marks_of(row),
            )
        )


def orders(tables: RegistryTables) -> Iterator[Event]:
    """Every order with the assignments the archive has of it, from its first day's start on.

    Raises:
        UnknownName: an order names a holder or a unit without an id.
    """
    given = _assignments(tables)
    for row in tables.orders:
        begin = date.fromisoformat(row["effective_from"])
        subject = f"orders/{row['order_no']}"
        yield event_of(
            Record(
                id=id_of(subject),
                centre=REGISTRAR,
                subject=subject,
                time=start_of(begin),
                accepted=_known(begin, precision=row["precision"]),
                body=_order(row, given.get(row["order_no"], [])),
                marks=marks_of(row),
            )
        )


def id_of(subject: str) -> str:
    """The id of the decision about this person, tenure or order, the same at every import."""
    return str(uuid5(_NAMES, subject))


def marks_of(row: Row) -> dict[str, str]:
    """The extension attribute that tells an invented record from a sourced one."""
    return {"illustrative": "true"} if row["illustrative"] == "yes" else {}


def _order(row: Row, assignments: list[Assignment]) -> OrderIssued:
    end = day_after(row["effective_to"])
    stated: dict[str, Any] = {
        "number": row["order_no"],
        "effective_from": start_of(date.fromisoformat(row["effective_from"])),
        "effective_to": start_of(end) if end else None,
        "complete": _listed(row["complete"]),
        "missing": _listed(row["missing"]),
        "revokes": _listed(row["revokes"]),
        "amends": _listed(row["amends"]),
        "clauses": assignments,
        "illustrative": row["illustrative"] == "yes",
        "note": row["note"] or None,
        "source": row["source"],
    }
    return OrderIssued.model_validate(stated)


def _listed(cell: str) -> list[str]:
    return cell.split(";") if cell else []


def _known(day: date, *, precision: str) -> datetime:
    """When the order counts as known: when the day, month or year that is stated of it ends."""
    match precision:
        case "month":
            return start_of((day.replace(day=1) + timedelta(days=31)).replace(day=1))
        case "year":
            return start_of(date(day.year + 1, 1, 1))
        case _:
            return end_of(day)


def _assignments(tables: RegistryTables) -> Mapping[str, list[Assignment]]:
    """The assignments of each order in the order's own sequence."""
    holders = {row["name_th"]: row["deputy"] for row in tables.deputies}
    units = {row["unit_th"]: row["slug"] for row in tables.agencies}
    units |= {row["name_th"]: row["slug"] for row in tables.departments}
    given: dict[str, list[Assignment]] = {}
    for row in tables.area_assignments:
        given.setdefault(row["order_no"], []).append(_area(row, holders))
    for row in tables.function_assignments:
        given.setdefault(row["order_no"], []).append(_function(row, holders, units))
    for row in tables.minister_assignments:
        given.setdefault(row["order_no"], []).append(_provincial_agenda(row, holders))
    return given


def _area(row: Row, holders: Mapping[str, str]) -> Assignment:
    return Assignment(
        dimension="area",
        target=row["province"],
        deputy=_named(row["holder_th"], holders),
        power="area",
        through=f"regions/{row['region']}" if row["region"] else None,
    )


def _function(row: Row, holders: Mapping[str, str], units: Mapping[str, str]) -> Assignment:
    carved_out = row["except_th"] or _carved_out(row["unit_th"])
    return Assignment.model_validate(
        {
            "dimension": "function",
            "target": row["unit_slug"] or _named(row["unit_th"], units),
            "deputy": _named(row["holder_th"], holders),
            "power": row["power"],
            # Some orders carve out a duty and no unit: their words alone say what it is.
            "except_targets": [units[carved_out]] if carved_out and carved_out in units else [],
            "except_th": carved_out,
        }
    )


def _provincial_agenda(row: Row, holders: Mapping[str, str]) -> Assignment:
    """A minister's province under one agenda: not the area of a deputy."""
    return Assignment(
        dimension="agenda",
        target=f"{PROVINCIAL_AGENDA}:{row['province']}",
        deputy=_named(row["holder_th"], holders),
        power="oversee",
    )


def _carved_out(unit_th: str) -> str | None:
    """What follows 'except' (ยกเว้น) in the brackets behind a unit's name."""
    _, bracket, exception = unit_th.partition("(ยกเว้น")
    return exception.rstrip(")").strip() if bracket else None


def _named(name_th: str, ids: Mapping[str, str]) -> str:
    try:
        return ids[name_th]
    except KeyError as missing:
        raise UnknownName(name_th) from missing
