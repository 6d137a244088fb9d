"""From a centre's event to its deputy's screen, on every home of the log."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

from tests.e2e.country import DEPUTY, PHUKET, event, opened, report
from tests.e2e.system import System

NDJSON = "application/x-ndjson"


def fresh_incident() -> str:
    """The id of an incident that no other test speaks of."""
    return f"flood-{uuid4().hex[:12]}"


async def dead_in(system: System, incident: str, **query: str) -> int | None:
    """How many dead the province's situation shows its own centre for the incident."""
    answer = await system.ask("/v1/provinces/TH-83/situation", "poc:TH-83", **query)
    for one in answer["incidents"]:
        if one["id"] == incident and "dead" in one["figures"]:
            value: int = one["figures"]["dead"]["value"]
            return value
    return None


async def test_a_centres_report_is_in_its_deputys_overview(system: System) -> None:
    incident = fresh_incident()
    before = await system.ask(f"/v1/deputies/{DEPUTY}/overview", f"deputy:{DEPUTY}")
    await system.tell(opened(incident, "TH-83"))
    stated = report(incident, dead=3, injured=27)
    position = (await system.tell(stated))["position"]

    after = await system.ask(f"/v1/deputies/{DEPUTY}/overview", f"deputy:{DEPUTY}", after=position)
    assert [one["code"] for one in after["provinces"]] == ["TH-82", "TH-83"]
    assert after["totals"]["incidents"]["open"] == before["totals"]["incidents"]["open"] + 1
    assert after["totals"]["figures"]["dead"] == before["totals"]["figures"].get("dead", 0) + 3
    latest = after["provinces"][1]["latest_report"]
    assert (latest["incident"], latest["id"]) == (incident, stated["id"])

    [listed] = [
        one
        for one in (await system.ask("/v1/incidents", f"deputy:{DEPUTY}"))["items"]
        if one["id"] == incident
    ]
    assert {"dimension": "area", "target": "TH-83", "deputy": DEPUTY} in listed["overseers"]
    assert await dead_in(system, incident) == 3


async def test_events_arrive_in_every_form_a_centre_may_send(system: System) -> None:
    incident = fresh_incident()
    lines = [opened(incident, "TH-83"), report(incident, dead=1), report(incident, dead=2)]
    many = await system.post("\n".join(map(json.dumps, lines)), NDJSON)
    assert many.json()["accepted"] == 3
    assert await dead_in(system, incident, after=many.json()["position"]) == 2

    binary = await system.post(
        json.dumps({"incident": incident, "place": "TH-83", "dead": 5}),
        "application/json",
        headers={
            "ce-specversion": "1.0",
            "ce-id": f"{incident}-binary",
            "ce-source": PHUKET,
            "ce-type": "situation.reported.v1",
            "ce-time": datetime.now(UTC).isoformat(),
        },
    )
    assert await dead_in(system, incident, after=binary.json()["position"]) == 5


async def test_what_was_taken_in_is_given_back_byte_for_byte(system: System) -> None:
    data = (
        '{"incident": "flood-1", "place":"TH-83",  "dead": 1, "depth": 1.50e0, "note": "น้ำ\\u0e04"}'
    )
    stated = json.dumps(event("situation.reported.v1", None)).replace("null", data)
    answer = await system.post(stated)
    assert answer.status_code == 202, answer.text
    found = await system.get(
        "/v1/events", source=PHUKET, id=answer.json()["id"], after=answer.json()["position"]
    )
    assert data.encode() in found.content


async def test_the_same_event_again_is_a_duplicate_and_counts_once(system: System) -> None:
    incident = fresh_incident()
    await system.tell(opened(incident, "TH-83"))
    stated = report(incident, dead=4)
    assert not (await system.tell(stated))["duplicate"]
    again = await system.tell(stated)
    assert again["duplicate"]
    assert await dead_in(system, incident, after=again["position"]) == 4

    other = {**stated, "data": {**stated["data"], "dead": 40}}
    refused = await system.post(json.dumps(other))
    assert refused.status_code == 409
    assert refused.json()["type"].endswith(":conflict")


async def test_a_correction_changes_what_was_so_and_not_what_was_known(system: System) -> None:
    incident = fresh_incident()
    await system.tell(opened(incident, "TH-83"))
    stated = report(incident, dead=30)
    position = (await system.tell(stated))["position"]
    known_at = await covered(system, stated["id"], position)

    correction = event(
        "event.corrected.v1",
        {
            "corrected_type": "situation.reported.v1",
            "corrected_data": {**stated["data"], "dead": 3},
            "reason": "counted twice",
        },
        originalid=stated["id"],
        subject=stated["subject"],
    )
    position = (await system.tell(correction))["position"]
    assert await dead_in(system, incident, as_of=stated["time"], after=position) == 3
    assert await dead_in(system, incident, as_of=stated["time"], known_at=known_at) == 30
    [version] = (await system.ask("/v1/events", source=PHUKET, id=stated["id"]))["versions"]
    assert version["id"] == correction["id"]


async def covered(system: System, id_: str, position: str) -> str:
    """The moment since when the event is known: the first tick that covers it."""
    async with asyncio.timeout(30):
        while True:
            found = await system.ask("/v1/events", source=PHUKET, id=id_, after=position)
            if found["accepted_at"] is not None:
                moment: str = found["accepted_at"]
                return moment
            await asyncio.sleep(0.05)


async def test_an_operator_has_what_was_set_aside_tried_again(system: System) -> None:
    bearer = {"Authorization": f"Bearer {system.token('operator')}"}
    answer = await system.client.post("/v1/quarantine/retry", headers=bearer)
    assert answer.status_code == 200, answer.text
    refused = answer.json()["outcome"]["refused"]
    listed = (await system.ask("/v1/quarantine", "operator"))["items"]
    # What a door refused from an inbox is listed too, and is its centre's to send again.
    own = [one["kind"] for one in listed if not one["of"].startswith("inbox.")]
    assert refused == {kind: own.count(kind) for kind in ("unreadable", "parked")}
