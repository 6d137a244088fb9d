"""What the journeys need beside the demonstration: a deputy of today, a centre soon missed."""

import itertools
import json
from datetime import UTC, datetime, timedelta

from schemas.envelope import Envelope
from services.domain.registry import BANGKOK_TIME, start_of
from services.eventlog.log import TopicSpec
from tests.e2e.system import Json, System

PHUKET = "/centres/poc/TH-83"
INBOX = "inbox.poc.TH-83"
DEPUTY = "journey"
QUIET = "other:quiet"
QUIET_SECONDS = 2

_numbers = itertools.count(1)


def event(type_: str, data: Json, **attributes: Json) -> Json:
    """A CloudEvent of Phuket's centre in structured mode, stated now."""
    return {
        "specversion": "1.0",
        "id": f"journey-{next(_numbers)}",
        "source": PHUKET,
        "type": type_,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
        **attributes,
    }


def opened(incident: str, *provinces: str) -> Json:
    """An incident begins."""
    data = {
        "incident": incident,
        "hazard": "flood",
        "title_th": "น้ำท่วม",
        "severity": "severe",
        "provinces": list(provinces),
    }
    return event("incident.opened.v1", data, subject=f"incidents/{incident}")


def report(incident: str, *, place: str = "TH-83", **figures: Json) -> Json:
    """A situation report of a place."""
    data = {"incident": incident, "place": place, **figures}
    return event("situation.reported.v1", data, subject=f"incidents/{incident}")


async def register(system: System) -> None:
    """The deputy holds Phang Nga and Phuket from today on; the quiet centre owes signs of life."""
    await system.operator.log.ensure([TopicSpec(INBOX, 1)])
    today = datetime.now(BANGKOK_TIME).date()
    given = [
        {"act": "assign", "dimension": "area", "target": target, "deputy": DEPUTY, "power": "area"}
        for target in ("TH-82", "TH-83")
    ]
    decisions: list[tuple[str, Json]] = [
        ("deputy.registered.v1", {"deputy": DEPUTY, "name_th": "รองนายกรัฐมนตรี"}),
        (
            "tenure.registered.v1",
            {
                "tenure": "journey.1",
                "deputy": DEPUTY,
                "office": "deputy_pm",
                "valid_from": (today - timedelta(days=1)).isoformat(),
            },
        ),
        (
            "order.issued.v1",
            {
                "number": "1/2569",
                "effective_from": start_of(today).isoformat(),
                "clauses": given,
            },
        ),
        (
            "centre.registered.v1",
            {
                "centre": QUIET,
                "level": "other",
                "name_th": "ศูนย์เงียบ",
                "reporting_interval_seconds": QUIET_SECONDS,
            },
        ),
    ]
    await system.decide("journeys", *(_decision(*one) for one in decisions))


def _decision(type_: str, data: Json) -> tuple[Envelope, bytes]:
    envelope = Envelope(
        id=f"journey-{next(_numbers)}", source="/centres/pmoc", type=type_, time=datetime.now(UTC)
    )
    return envelope, json.dumps({"source": "test", **data}).encode()
