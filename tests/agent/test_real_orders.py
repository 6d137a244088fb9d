"""The real orders of 2014 to 2025, day by day, against a reading of the tables that is our own.

The reading goes through the tables line by line as a clerk would, and shares no code with the
matrix: it knows only that orders begin, lapse and follow each other, and that people leave office.
"""

import csv
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

from schemas.events import decode
from services.agent import demo
from services.agent.archive import events_of
from services.agent.record import Event
from services.domain import chain
from services.domain.matrix import Matrix
from services.domain.registry import start_of
from services.domain.validity import Validity

type Row = Mapping[str, str]

FIRST, LAST = date(2014, 1, 1), date(2025, 12, 31)
A_DAY = timedelta(days=1)
BANGKOK = "TH-10"


@cache
def table(name: str) -> list[Row]:
    with (demo.registry() / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def events() -> list[Event]:
    return list(events_of(demo.registry()))


@dataclass
class Clerk:
    """Who holds each province today: a name, or what is said where nobody is named."""

    nobody: str = "uncovered"
    """What a province is of which no order in force says anything."""
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By province, the order and the person."""

    def turn_to(self, day: date) -> None:
        for row in table("orders"):
            if row["effective_to"] and date.fromisoformat(row["effective_to"]) + A_DAY == day:
                self._strike({row["order_no"]})
        for row in sorted(table("orders"), key=printed):
            if row["effective_from"] == day.isoformat():
                self._read(row)

    def _strike(self, numbers: set[str]) -> None:
        self.held = {place: by for place, by in self.held.items() if by[0] not in numbers}

    def _read(self, row: Row) -> None:
        self._strike(set(row["revokes"].split(";")))
        if "area" in (row["complete"], row["missing"]):
            self.held = {}
            self.nobody = "not_known" if row["missing"] else "uncovered"
        people = {one["name_th"]: one["deputy"] for one in table("deputies")}
        for one in table("area_assignments"):
            if one["order_no"] == row["order_no"]:
                self.held[one["province"]] = (row["order_no"], people[one["holder_th"]])

    def says_of(self, place: str, day: date) -> str:
        if place == BANGKOK:
            return "outside_scheme"
        if place not in self.held:
            return self.nobody
        number, person = self.held[place]
        return f"{number} {person}" if day.isoformat() < leaves(person, number) else "uncovered"


def printed(row: Row) -> tuple[int, int]:
    serial, _, year = row["order_no"].partition("/")
    return (int(year), int(serial)) if serial.isdigit() else (0, 0)


@cache
def leaves(person: str, number: str) -> str:
    """The day from which on the person is no more in the office they were in at the order."""
    (begin,) = (row["effective_from"] for row in table("orders") if row["order_no"] == number)
    tenures = (one["data"] for one in events() if one["type"] == "tenure.registered.v1")
    return max(
        (
            one.get("valid_to", "9999-12-31")
            for one in tenures
            if one["deputy"] == person and one["valid_from"] <= begin
        ),
        default="",
    )


@cache
def validity() -> Validity:
    decisions = (decode(one["type"], json.dumps(one["data"]).encode()) for one in events())
    return Validity(chain.DECIDER.fold(decisions))


def areas() -> Iterator[tuple[date, Mapping[str, str]]]:
    """What the matrix says of each province at the start of each day; it is asked once for all the
    days between two boundaries."""
    places = [row["province"] for row in table("provinces")]
    moments = validity().boundaries
    known: dict[int, Mapping[str, str]] = {}
    for nth in range((LAST - FIRST).days + 1):
        begins = start_of(FIRST + nth * A_DAY)
        interval = bisect_right(moments, begins)
        if interval not in known:
            matrix = Matrix(validity(), begins)
            known[interval] = {place: said(matrix, place) for place in places}
        yield FIRST + nth * A_DAY, known[interval]


def said(matrix: Matrix, place: str) -> str:
    cell = matrix.cell("area", place)
    if not cell.holdings:
        return cell.cover
    (holding,) = cell.holdings
    return f"{holding.order.number} {holding.given.deputy}"


def test_each_province_has_each_day_the_holder_or_why_nobody_is_named() -> None:
    clerk = Clerk()
    places = [row["province"] for row in table("provinces")]
    before = date(2001, 1, 1)
    for nth in range((FIRST - before).days):
        clerk.turn_to(before + nth * A_DAY)
    covers: Counter[str] = Counter()
    for day, area in areas():
        clerk.turn_to(day)
        expected = {place: clerk.says_of(place, day) for place in places}
        assert area == expected, day
        covers.update("overseer" if " " in one else one for one in expected.values())
    assert covers.keys() == {"overseer", "uncovered", "not_known", "outside_scheme"}
    assert covers.total() == 77 * ((LAST - FIRST).days + 1)
    assert covers["outside_scheme"] == (LAST - FIRST).days + 1


def test_the_amending_orders_win_where_they_name_a_province_and_nowhere_else() -> None:
    named = {
        number: {r["province"] for r in table("area_assignments") if r["order_no"] == number}
        for number in ("315/2567", "378/2567", "407/2567")
    }
    matrix = Matrix(validity(), start_of(date(2024, 12, 1)))
    by_order = {place: said(matrix, place).split(" ")[0] for place in named["315/2567"]}
    for place, number in by_order.items():
        later = [one for one in ("407/2567", "378/2567", "315/2567") if place in named[one]]
        assert number == later[0], place
    assert set(by_order.values()) == set(named)


def test_every_real_order_of_the_archive_is_in_the_chain() -> None:
    numbers = {order.number for order in validity().chain.orders}
    assert numbers == {row["order_no"] for row in table("orders")}
    assert len(numbers) == 33
