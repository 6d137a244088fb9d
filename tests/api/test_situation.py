"""Incidents and figures at a moment."""

from tests.api.country import DISASTERS, PHUKET, PRESS, Country, Json
from tests.projections.network import event, report


def flood(*provinces: str, incident: str = "flood", **attributes: Json) -> Json:
    data = {
        "incident": incident,
        "hazard": "flood",
        "title_th": "น้ำท่วม",
        "severity": "severe",
        "provinces": list(provinces),
        "ministries": attributes.pop("ministries", ["moph"]),
    }
    return event("incident.opened.v1", data, source=DISASTERS, **attributes)


async def test_a_province_s_situation_shows_sources_side_by_side(country: Country) -> None:
    await country.tell(
        flood(PHUKET),
        event("situation.reported.v1", report(dead=2), minutes=1),
        event("situation.reported.v1", report(dead=3, damage_baht="1.50"), minutes=2),
        event("situation.reported.v1", report(dead=9), source=PRESS, minutes=3),
    )
    body = await country.ask(f"/v1/provinces/{PHUKET}/situation")
    (incident,) = body["incidents"]
    dead = incident["figures"]["dead"]
    assert (dead["value"], dead["previous"], dead["change"], dead["contradicted"]) == (
        3,
        2,
        1,
        True,
    )
    assert [(one["source"], one["value"]) for one in dead["sources"]] == [
        ("/centres/poc/TH-83", 3),
        (PRESS, 9),
    ]
    assert body["totals"] == {"dead": 3, "damage_baht": "1.50"}
