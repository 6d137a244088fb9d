"""Archive files as events: the shape is known by the header, the converter by the shape."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from services.agent import covid, highway_floods, tsunami
from services.agent.centres import centres
from services.agent.directives import of_directives
from services.agent.orders import deputies, orders
from services.agent.policies import policies
from services.agent.record import Event, Row, in_order
from services.agent.registry import (
    RegistryTables,
    departments,
    ministries,
    places,
    precedence,
    registration,
)
from services.agent.tenures import tenures

type Converter = Callable[[Iterable[Row]], Iterator[Event]]

SHAPES: dict[str, tuple[frozenset[str], Converter]] = {
    "tsunami timeline": (
        frozenset({"time", "centre", "becomes", "incident", "provinces", "grade", "time_basis"}),
        tsunami.of_timeline,
    ),
    "tsunami official counts": (
        frozenset({"as_of", "place", "centre", "dead_total", "missing_total", "corrects"}),
        tsunami.of_counts,
    ),
    "directives": (
        frozenset({"time", "directive", "step", "deputy", "addressees", "acknowledge_by"}),
        of_directives,
    ),
    "tsunami affected areas": (
        frozenset({"as_of", "place", "centre", "villages", "persons", "households"}),
        tsunami.of_affected_areas,
    ),
    "highway flood reports": (
        frozenset({"department", "published", "as_of", "routes", "closed", "lines_closed", "url"}),
        highway_floods.of_reports,
    ),
    "highway flood lines": (
        frozenset({"department", "published", "as_of", "province", "state", "stated_closed"}),
        highway_floods.of_lines,
    ),
    "covid-19 case events": (
        frozenset({"published_at", "source_commit", "window_days", "case_date", "cases"}),
        covid.of_case_events,
    ),
}
"""Each known shape by name: the columns that tell it, and what makes events of its rows."""


class UnknownShape(Exception):
    """A file is neither NDJSON nor a CSV whose header is known."""


class BrokenLine(Exception):
    """A line of a file is not what its shape says: the message names file and line."""


def events_of(path: Path) -> Iterator[Event]:
    """The events that a file, or the registry's folder, states.

    NDJSON passes through line by line. A CSV file is read by the converter of its shape, a folder
    as the registry.

    Raises:
        UnknownShape: the header is none of `SHAPES`, or the registry's folder lacks a table.
        BrokenLine: a line of NDJSON is no JSON object, or a cell is not of its column's kind.
    """
    if path.is_dir():
        yield from registry_events(registry_tables(path))
    elif path.suffix == ".csv":
        yield from _from_csv(path)
    else:
        yield from _from_ndjson(path)


def registry_tables(folder: Path) -> RegistryTables:
    """The registry's tables, read from one CSV file each.

    Raises:
        UnknownShape: a table is not there.
    """
    missing = [t.name for t in fields(RegistryTables) if not (folder / f"{t.name}.csv").is_file()]
    if missing:
        raise UnknownShape(f"{folder} is no registry: it lacks {', '.join(missing)}")
    return RegistryTables(
        **{t.name: _table(folder / f"{t.name}.csv") for t in fields(RegistryTables)}
    )


def registry_events(tables: RegistryTables) -> list[Event]:
    """Every decision of the registry by its time; at one time what others build on comes first."""
    return in_order(
        (
            *ministries(tables.ministries),
            *(registration(f"departments/{d.department}", d) for d in departments(tables)),
            *places(tables),
            *centres(tables),
            *precedence(tables.precedence),
            *deputies(tables.deputies),
            *tenures(tables),
            *orders(tables),
            *policies(tables.policies),
        )
    )


def _table(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _from_csv(path: Path) -> Iterator[Event]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, restval="")
        converter = _converter(path, rows.fieldnames or ())
        try:
            yield from converter(rows)
        except (ValueError, ArithmeticError, highway_floods.UnknownDepartment) as error:
            raise BrokenLine(f"{path}, line {rows.line_num} or before: {error}") from error


def _converter(path: Path, header: Iterable[str]) -> Converter:
    columns = frozenset(header)
    for needed, converter in SHAPES.values():
        if needed <= columns:
            return converter
    raise UnknownShape(
        f"{path}: the header ({', '.join(sorted(columns))}) is of no known shape; "
        f"known are {', '.join(SHAPES)}, and NDJSON of CloudEvents"
    )


def _from_ndjson(path: Path) -> Iterator[Event]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                event = json.loads(line)
            except ValueError as error:
                raise BrokenLine(f"{path}, line {number}: {error}") from error
            if not isinstance(event, dict):
                raise BrokenLine(f"{path}, line {number}: no JSON object")
            yield event
