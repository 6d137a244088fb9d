"""The archive of directives: what was ordered or asked for, and what each addressee answered."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from schemas.events import MODELS, EventModel
from schemas.events.directive import Authority, DirectiveDrafted, DirectiveIssued
from services.agent.orders import id_of
from services.agent.record import Event, Record, Row, event_of, known_from
from services.agent.registry import REGISTRAR
from services.domain.chain import PRIME_MINISTER

_TEXT = ("kind", "title_th", "title_en", "text_th", "incident", "acknowledge_by", "report_by")
_SIDES: Mapping[str, str] = {PRIME_MINISTER: "pmoc"}
"""Who drafts in whose name; for a deputy the deputy's own secretariat."""


def of_directives(rows: Iterable[Row]) -> Iterator[Event]:
    """Each row is an issue, with its draft before it, or one addressee's step."""
    for row in rows:
        if row["step"] == "issued":
            yield _event(row, _drafted(row))
            yield _event(row, _issued(row))
        else:
            yield _event(row, _step(row))


def _drafted(row: Row) -> DirectiveDrafted:
    deputy = row["deputy"]
    stated: dict[str, Any] = {name: row[name] or None for name in _TEXT}
    return DirectiveDrafted.model_validate(
        {
            **stated,
            "directive": row["directive"],
            "deputy": deputy,
            "addressees": _listed(row["addressees"]),
            "provinces": _listed(row["provinces"]),
            "drafted_by": _SIDES.get(deputy, f"secretariat:{deputy}"),
            "illustrative": row["sourced"] == "no",
        }
    )


def _issued(row: Row) -> DirectiveIssued:
    """The Prime Minister's own, or a deputy's under the area order that the row names."""
    deputy, order = row["deputy"], row["order_no"]
    by_order = {"order": order, "dimension": "area", "power": "area"}
    return DirectiveIssued(
        directive=row["directive"],
        issued_by=deputy if deputy == PRIME_MINISTER else f"deputy:{deputy}",
        capacity="holder" if order else "prime_minister",
        authority=[
            Authority.model_validate(
                {"addressee": one, **({**by_order, "target": one} if order else {})}
            )
            for one in _listed(row["addressees"])
        ],
    )


def _step(row: Row) -> EventModel:
    body = {
        "directive": row["directive"],
        "addressee": row["addressees"],
        "by": row["by"],
        "report": row["text_th"] or None,
    }
    model = MODELS[f"directive.{row['step']}.v1"]
    return model.model_validate({name: said for name, said in body.items() if said is not None})


def _event(row: Row, body: EventModel) -> Event:
    """Known when it happened, unless it was published later."""
    time, subject = datetime.fromisoformat(row["time"]), f"directives/{row['directive']}"
    marks = {"sourced": row["sourced"], "timebasis": row["time_basis"]}
    if row["sourced"] == "no":
        marks["illustrative"] = "true"
    return event_of(
        Record(
            id=id_of(f"{subject}/{body.type}/{row['addressees']}/{row['time']}"),
            centre=REGISTRAR,
            subject=subject,
            time=time,
            accepted=max(time, known_from(row["published"])) if row["published"] else time,
            body=body,
            marks=marks,
            beside={"source": row["source"]},
        )
    )


def _listed(cell: str) -> list[str]:
    return cell.split(";") if cell else []
