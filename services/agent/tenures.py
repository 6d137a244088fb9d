"""Tenures read off the orders: who held which office from when to when, as far as orders tell.

A person holds an office from the first order that names them in it. A complete order names all who
hold, so the first one that does not name them any more ends the tenure at the latest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from schemas.events.order import TenureRegistered
from services.agent.orders import id_of
from services.agent.record import Event, Record, Row, day_after, end_of, event_of
from services.agent.registry import REGISTRAR, RegistryTables
from services.domain.registry import start_of

type Office = Literal["deputy_pm", "minister_pm_office"]

OFFICES: dict[str, Office] = {
    "รองนายกรัฐมนตรี": "deputy_pm",
    "รัฐมนตรีประจำสำนักนายกรัฐมนตรี": "minister_pm_office",
}
"""The offices that oversee, in the orders' own words; other ministers hold no tenure here."""

ILLUSTRATIVE = "illustrative: no source states it"


@dataclass(frozen=True)
class Naming:
    """Whom one order names in one office."""

    number: str
    begins: date
    lapses: date | None
    office: Office
    names_th: frozenset[str]
    all_who_hold: bool
    """The order names everybody in that office, so that whom it leaves out holds no more."""
    illustrative: bool


@dataclass(frozen=True)
class Tenure:
    """One person's time in one office, with the orders that show it."""

    name_th: str
    first: Naming
    last: Naming
    ended_by: Naming | None

    @property
    def ends(self) -> date | None:
        """The first day after it: the lapse of the last order that names them, or the next's."""
        known = (self.last.lapses, self.ended_by.begins if self.ended_by else None)
        return min((day for day in known if day), default=None)


def tenures(tables: RegistryTables) -> Iterator[Event]:
    """Every tenure that the orders show."""
    deputies = {row["name_th"]: row["deputy"] for row in tables.deputies}
    namings = list(_namings(tables))
    for office in OFFICES.values():
        of_office = [naming for naming in namings if naming.office == office]
        for name_th in sorted({name for naming in of_office for name in naming.names_th}):
            for tenure in _tenures_of(name_th, of_office):
                yield _registered(tenure, deputies[name_th])


def _namings(tables: RegistryTables) -> Iterator[Naming]:
    """By date. Ministers' provinces name all ministers of the PM's Office, but no deputy."""
    rows = (*tables.area_assignments, *tables.function_assignments, *tables.minister_assignments)
    for order in sorted(tables.orders, key=lambda order: order["effective_from"]):
        named = [row for row in rows if row["order_no"] == order["order_no"]]
        for role_th, office in OFFICES.items():
            names = frozenset(r["holder_th"] for r in named if r["holder_role_th"] == role_th)
            if names:
                yield _naming(order, office, names)


def _naming(order: Row, office: Office, names: frozenset[str]) -> Naming:
    return Naming(
        number=order["order_no"],
        begins=date.fromisoformat(order["effective_from"]),
        lapses=day_after(order["effective_to"]),
        office=office,
        names_th=names,
        all_who_hold=bool(order["complete"]),
        illustrative=order["illustrative"] == "yes",
    )


def _tenures_of(name_th: str, namings: Iterable[Naming]) -> Iterator[Tenure]:
    named: Sequence[Naming] = ()
    for naming in namings:
        if name_th in naming.names_th:
            named = (*named, naming)
        elif named and naming.all_who_hold:
            yield Tenure(name_th, named[0], named[-1], naming)
            named = ()
    if named:
        yield Tenure(name_th, named[0], named[-1], None)


def _registered(tenure: Tenure, deputy: str) -> Event:
    first = tenure.first
    body = TenureRegistered(
        tenure=f"{deputy}.{first.office}.{first.begins}",
        deputy=deputy,
        office=first.office,
        valid_from=first.begins,
        valid_to=tenure.ends,
        source=ILLUSTRATIVE if first.illustrative else _dates_read_off(tenure),
    )
    subject = f"tenures/{body.tenure}"
    return event_of(
        Record(
            id=id_of(subject),
            centre=REGISTRAR,
            subject=subject,
            time=start_of(first.begins),
            accepted=end_of(first.begins),
            body=body,
            marks={"illustrative": "true"} if first.illustrative else {},
        )
    )


def _dates_read_off(tenure: Tenure) -> str:
    text = f"Dates read off the orders: first named in {tenure.first.number}"
    if tenure.last.lapses and tenure.ends == tenure.last.lapses:
        return f"{text}; ends when {tenure.last.number} lapses."
    if tenure.ended_by:
        return (
            f"{text}; ends at the latest with {tenure.ended_by.number}, which names them no more."
        )
    return f"{text}; no later order shows an end."
