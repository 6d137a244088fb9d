"""What happens in the small country: something for every endpoint to show."""

from schemas.envelope import Envelope
from tests.api.country import (
    BANGKOK,
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    PRESS,
    Country,
    Json,
    registered,
)
from tests.projections.network import NOON, event, report

type Event = tuple[Envelope, bytes]


def opened(incident: str, *provinces: str, **attributes: Json) -> Event:
    """An incident's opening, by the disaster department unless another source is named."""
    data = {
        "incident": incident,
        "hazard": "flood",
        "title_th": "น้ำท่วม",
        "title_en": "Flood",
        "severity": attributes.pop("severity", "severe"),
        "provinces": list(provinces),
        "ministries": attributes.pop("ministries", []),
        "agendas": attributes.pop("agendas", []),
    }
    attributes.setdefault("source", DISASTERS)
    return event("incident.opened.v1", data, **attributes)


def said(place: str = PHUKET, incident: str = "flood", **stated: Json) -> Event:
    """A situation report; `source`, `minutes` and `id` are the envelope's."""
    attributes = {name: stated.pop(name) for name in ("source", "minutes", "id") if name in stated}
    return event(
        "situation.reported.v1", report(incident=incident, place=place, **stated), **attributes
    )


def measured(place: str, day: str, value: Json, **attributes: Json) -> Event:
    """A day's value of one indicator."""
    data = {"indicator": "rain", "place": place, "date": day, "value": value, "unit": "mm"}
    if (why := attributes.pop("implausible", None)) is not None:
        data["implausible"] = why
    return event("indicator.measured.v1", data, **attributes)


def alerted(alert: str, *provinces: str, **attributes: Json) -> Event:
    """A public alert that expires at three o'clock."""
    data = {
        "alert": alert,
        "message": attributes.pop("message", "alert"),
        "references": attributes.pop("references", []),
        "event_th": "น้ำท่วม",
        "headline_th": "ระวังน้ำท่วมฉับพลัน",
        "urgency": "immediate",
        "severity": "severe",
        "certainty": "observed",
        "expires": "2024-09-01T15:00:00+07:00",
        "provinces": list(provinces),
    }
    return event("alert.issued.v1", data, **attributes)


def heard(centre: str, **attributes: Json) -> Event:
    """What the timers state of a centre that is back."""
    data = {"centre": centre, "heard_at": NOON.isoformat()}
    return event("centre.heard.v1", data, source="/network/timers", **attributes)


def silent(centre: str, **attributes: Json) -> Event:
    """A centre's silence, as the network's timers state it."""
    data = {"centre": centre, "silent_since": NOON.isoformat()}
    return event("centre.silent.v1", data, source="/network/timers", **attributes)


HAPPENINGS = (
    opened("flood", PHUKET, PHANG_NGA, ministries=["moph"], id="open-flood"),
    opened("drugs-ring", BANGKOK, agendas=["drugs"], severity="minor", minutes=1),
    opened("landslide", PHANG_NGA, severity="minor", minutes=2),
    event(
        "incident.closed.v1",
        {"incident": "landslide", "reason": "cleared"},
        source=DISASTERS,
        minutes=9,
    ),
    said(dead=2, injured=5, minutes=3, id="first"),
    said(dead=3, damage_baht="1250000.50", needs=["เรือ"], minutes=5, id="second"),
    said(dead=9, source=PRESS, minutes=6, stated_by="a witness", id="press"),
    said(PHANG_NGA, dead=4, source=DISASTERS, minutes=6, id="phang-nga"),
    said("TH", dead=6, source=DISASTERS, minutes=7, id="nation"),
    measured(PHUKET, "2024-09-01", "12.50", minutes=1, id="rain-1"),
    measured(PHUKET, "2024-09-01", "13.25", minutes=2, id="rain-2"),
    measured(PHANG_NGA, "2024-09-01", "900", minutes=2, implausible="more than ever fell"),
    alerted("alert-1", PHUKET, minutes=2, id="alert-1"),
    alerted("alert-2", PHANG_NGA, minutes=2, id="alert-2"),
    event(
        "event.corrected.v1",
        {
            "corrected_type": "situation.reported.v1",
            "corrected_data": report(dead=1, injured=5),
            "reason": "counted twice",
        },
        minutes=8,
        id="correction",
        originalid="first",
    ),
    event("heartbeat.sent.v1", {}, source="/centres/poc/TH-82", minutes=1, sequence="0001"),
    event("heartbeat.sent.v1", {}, source="/centres/poc/TH-82", minutes=2, sequence="0004"),
)  # fmt: skip


async def happen(country: Country) -> None:
    """All of it is in the log and in the read models, covered by a tick."""
    await country.tell(*HAPPENINGS)
    # The same id with other content, and an event that cannot be read.
    await country.tell(
        said(dead=100, minutes=3, id="first"),
        event("situation.reported.v1", {"incident": "flood"}, minutes=3, id="unreadable"),
    )
    await country.network.decide("timers", silent("poc:TH-83", minutes=10))
    await country.network.decide(
        "archive",
        registered(
            "archive.imported.v1",
            revision=1,
            name="tsunami-2004",
            digest="0f1e2d",
            events=63,
            decisions=200,
            ends=[0] * 65,
        ),
    )
    await country.network.project()
    await country.network.pool.execute(
        "INSERT INTO projections.parked (model, key, slot, position, reason) "
        "VALUES ('incidents', 'incidents/x', 3, 7, 'DataError: out of range')"
    )
    await country.tick()


async def direct(country: Country) -> None:
    """What `directed` says, and a policy beside it."""
    policy = {"policy": "coast", "kind": "cabinet_resolution", "outcome": "agreed",
              "title_th": "มติ", "text_th": "มติ", "decided_on": "2024-08-20",
              "valid_from": "2024-08-20"}  # fmt: skip
    await country.network.decide(
        "registry/policies/coast", registered("policy.registered.v1", **policy)
    )
    await directed(country, "coast")
    await country.network.project()


async def directed(country: Country, id_: str, to: str = PHUKET) -> None:
    """A secretariat drafts a call for a report, deputy A issues it, the addressee takes note."""
    said = {"directive": id_, "deputy": "a", "drafted_by": "secretariat:a", "kind": "report",
            "title_th": "รายงาน", "text_th": "ให้รายงาน", "addressees": [to]}  # fmt: skip
    given = {"addressee": to, "order": "1/2567", "clause": 1, "dimension": "area",
             "target": to, "power": "area"}  # fmt: skip
    issue = {"directive": id_, "issued_by": "deputy:a", "capacity": "holder",
             "authority": [given]}  # fmt: skip
    taken = {"directive": id_, "addressee": to, "by": f"poc:{to}"}
    await country.network.decide(
        f"directives/{id_}",
        event("directive.drafted.v1", said, source="/offices/secretariat/a"),
        event("directive.issued.v1", issue, source="/offices/deputy/a", minutes=1),
        event("directive.acknowledged.v1", taken, source=f"/offices/poc/{to}", minutes=2),
    )
