"""The archive of the tsunami of December 2004: its timeline, official counts, affected areas.

A later figure of a source is a newer report. Only what the source itself put right is a correction.
Moments about directives and money, and what is no statement of a centre, make no event.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from schemas.events import EventModel
from schemas.events.alert import AlertIssued
from schemas.events.incident import IncidentOpened
from schemas.events.record import EventCorrected
from schemas.events.situation import SituationReported
from services.agent.record import Event, Record, Row, count_of, data_of, event_of, known_from

INCIDENT = "tsunami-2004"

ALERT_HOURS = 12
"""Ours: the archive states no expiry, and CAP wants one."""

_BREAKDOWN = tuple(
    f"{figure}_{group}"
    for figure in ("dead", "injured", "missing")
    for group in ("thai", "foreign", "unknown")
)


def of_timeline(rows: Iterable[Row]) -> Iterator[Event]:
    """The moments that are incidents, alerts, notes or needs; the column `becomes` says which."""
    for row in rows:
        match row["becomes"]:
            case "incident":
                yield _moment(row, _incident(row))
            case "alert":
                yield _moment(row, _alert(row))
            case "note":
                yield _moment(row, _situation(row, note=row["text_th"]))
            case "needs":
                yield _moment(row, _situation(row, needs=[row["text_th"]]))


def of_counts(rows: Iterable[Row]) -> Iterator[Event]:
    """Official counts and what the press put beside them, and the corrections of the former."""
    for row in rows:
        yield _correction(row) if row["corrects"] else _count(row)


def of_affected_areas(rows: Iterable[Row]) -> Iterator[Event]:
    """How many households each province counted; persons and villages stand beside."""
    for row in rows:
        body = SituationReported(
            incident=INCIDENT, place=row["place"], households=count_of(row["households"])
        )
        beside = {key: int(row[key]) for key in ("districts", "tambons", "villages", "persons")}
        yield event_of(
            Record(
                id=f"affected-{row['as_of'][:16]}-{row['place']}",
                centre=row["centre"],
                subject=_subject(row["place"]),
                time=datetime.fromisoformat(row["as_of"]),
                accepted=known_from(row["published"]),
                body=body,
                marks={"sourced": "yes"},
                beside={"beside": beside},
            )
        )


def _moment(row: Row, body: EventModel) -> Event:
    """The moment as its centre's event, known when it happened unless it was published later."""
    time = datetime.fromisoformat(row["time"])
    marks = {"sourced": row["sourced"], "timebasis": row["time_basis"]}
    if row["sourced"] == "no":
        marks["illustrative"] = "true"
    about = f"incidents/{row['incident']}"
    return event_of(
        Record(
            id=f"timeline-{row['time'][:19]}-{row['kind']}",
            centre=row["centre"],
            subject=about if row["becomes"] == "incident" else _subject(_place(row)),
            time=time,
            accepted=max(time, known_from(row["published"])) if row["published"] else time,
            body=body,
            marks=marks,
            beside={"text_en": row["text_en"], **_numbers(row), "source": row["source"]},
        )
    )


def _place(row: Row) -> str:
    """The one province a moment is about, or the nation."""
    provinces = _provinces(row)
    return provinces[0] if len(provinces) == 1 else "TH"


def _provinces(row: Row) -> list[str]:
    return row["provinces"].split(";") if row["provinces"] else []


def _subject(place: str) -> str:
    return f"provinces/{place}" if "-" in place else "nation"


def _numbers(row: Row) -> dict[str, Any]:
    numbers = json.loads(row["numbers"])
    return {"numbers": numbers} if numbers else {}


def _incident(row: Row) -> IncidentOpened:
    hazard, severity = row["grade"].split("/")
    numbers = json.loads(row["numbers"])
    return IncidentOpened.model_validate(
        {
            "incident": row["incident"],
            "hazard": hazard,
            "title_th": row["text_th"],
            "title_en": row["text_en"],
            "severity": severity,
            "provinces": _provinces(row),
            "lat": numbers.get("lat"),
            "lon": numbers.get("lon"),
        }
    )


def _alert(row: Row) -> AlertIssued:
    urgency, severity, certainty = row["grade"].split("/")
    time = datetime.fromisoformat(row["time"])
    return AlertIssued.model_validate(
        {
            "alert": f"tsunami-2004/{row['time'][:19]}",
            "incident": row["incident"],
            "event_th": "คลื่นสึนามิ",
            "headline_th": row["text_th"],
            "headline_en": row["text_en"],
            "urgency": urgency,
            "severity": severity,
            "certainty": certainty,
            "effective": time,
            "expires": time + timedelta(hours=ALERT_HOURS),
            "provinces": _provinces(row),
        }
    )


def _situation(
    row: Row, *, note: str | None = None, needs: list[str] | None = None
) -> SituationReported:
    return SituationReported(
        incident=row["incident"], place=_place(row), note=note, needs=needs or []
    )


def _count(row: Row) -> Event:
    return event_of(
        Record(
            id=count_id(row["as_of"], row["place"]),
            centre=row["centre"],
            subject=_subject(row["place"]),
            time=datetime.fromisoformat(row["as_of"]),
            accepted=known_from(row["published"]),
            body=_counted(row),
            marks=_count_marks(row),
            beside=_beside(row),
        )
    )


def _correction(row: Row) -> Event:
    """What the source put right: the whole report as it should have read, under its original."""
    body = EventCorrected(
        corrected_type=SituationReported.type,
        corrected_data={**data_of(_counted(row)), **_beside(row)},
        reason=row["note"],
    )
    original = {"originalid": count_id(row["corrects"], row["place"])}
    return event_of(
        Record(
            id=f"correction-{row['as_of'][:16]}-{row['place']}",
            centre=row["centre"],
            subject=_subject(row["place"]),
            time=datetime.fromisoformat(row["as_of"]),
            accepted=known_from(row["published"]),
            body=body,
            marks={**original, **_count_marks(row)},
        )
    )


def count_id(as_of: str, place: str) -> str:
    """The id of the count for a place at a minute; one source states no two of them."""
    return f"count-{as_of[:16]}-{place}"


def _counted(row: Row) -> SituationReported:
    damage = row["damage_mbaht"]
    return SituationReported(
        incident=INCIDENT,
        place=row["place"],
        dead=count_of(row["dead_total"]),
        injured=count_of(row["injured_total"]),
        missing=count_of(row["missing_total"]),
        households=count_of(row["households"]),
        damage_baht=Decimal(damage) * 1_000_000 if damage else None,
        note=row["note"] or None,
        stated_by=row["stated_by"] or None,
    )


def _count_marks(row: Row) -> dict[str, str]:
    return {"sourced": "yes", "timebasis": row["time_basis"]}


def _beside(row: Row) -> dict[str, Any]:
    """Thai, foreign and unknown dead, injured and missing, and where the row stands."""
    breakdown = {name: int(row[name]) for name in _BREAKDOWN if row.get(name)}
    return {**({"breakdown": breakdown} if breakdown else {}), "source": row["source"]}
