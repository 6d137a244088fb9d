"""A whole exercise through the public door, on every home of the log, beside the facts."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from xml.etree.ElementTree import fromstring

from rich.progress import Progress

from services.agent import demo
from services.agent.exercise import Clock, injects_of
from services.cli.exercise import Play
from services.cli.load import Door
from services.domain.cap import NAMESPACE
from tests.e2e.country import DEPUTY, PHUKET
from tests.e2e.system import Json, System

# Five and a half hours within the ten minutes that a centre's clock may be ahead.
SPEED = 36
OF_FACTS = [
    "/v1/incidents?state=any",
    "/v1/alerts",
    "/v1/indicators",
    "/v1/directives",
    "/v1/provinces/TH-83/situation",
    "/v1/provinces/TH-82/situation",
    f"/v1/deputies/{DEPUTY}/overview",
]


async def at_once(_seconds: float) -> None:
    """An exercise whose injects do not wait for their time."""


async def played(system: System) -> Play:
    """The demonstration's exercise, played to its end."""
    door = Door(system.address, None, system.issuer)
    clock = Clock(datetime.now(UTC), SPEED)
    play = Play(door, clock, f"drill-{uuid4().hex[:8]}", wait=at_once)
    await play.all(injects_of(demo.exercise()), Progress(disable=True))
    assert play.report.refused == []
    return play


async def answers(system: System, as_of: str) -> list[bytes]:
    """What is said of facts."""
    found = []
    for url in OF_FACTS:
        path, _, query = url.partition("?")
        named = dict(part.split("=", 1) for part in query.split("&") if part)
        found.append((await system.get(path, as_of=as_of, **named)).content)
    return found


async def test_after_a_whole_exercise_every_answer_about_facts_is_the_same_bytes(
    system: System,
) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    before = await answers(system, later)
    play = await played(system)
    seen: Json = {"realm": "exercise", "as_of": later, "after": play.report.position}
    await system.ask(f"/v1/incidents/{play.run}", **seen)
    assert await answers(system, later) == before


async def test_an_exercise_is_read_like_facts(system: System) -> None:
    play = await played(system)
    later = (play.clock.start + timedelta(minutes=30)).isoformat()
    # Decisions and events are two logs: each has its own position to wait for.
    seen: Json = {"realm": "exercise", "as_of": later, "after": play.report.position}
    incident = await system.ask(f"/v1/incidents/{play.run}", **seen)
    assert incident["state"] == "closed"
    directive = await system.ask(f"/v1/directives/{play.run}", **{**seen, "after": play.decided})
    during = (play.clock.start + timedelta(minutes=5)).isoformat()
    order: Json = {"as_of": during, "after": play.decided}
    ruling = await system.ask(f"/v1/orders/{play.run}", realm="exercise", **order)
    assert ruling["state"] == "in_force"
    assert (await system.get(f"/v1/orders/{play.run}", **order)).status_code == 404
    states = {one["addressee"]: one["state"] for one in directive["addressees"]}
    assert states == {"TH-83": "complied", "TH-82": "issued"}
    alerts = await system.ask("/v1/alerts", **seen)
    assert [one for one in alerts["items"] if one["incident"] == play.run] == []

    position = len(injects_of(demo.exercise())) - 1
    path = f"/v1/alerts/{play.run}-{position}.cap"
    answer = await system.get(path, source=PHUKET, realm="exercise", as_of=later)
    message = fromstring(answer.content)  # noqa: S314 -- the network's own
    assert message.findtext(f"{{{NAMESPACE}}}status") == "Exercise"
    assert message.findtext(f"{{{NAMESPACE}}}msgType") == "Cancel"
    assert len((message.findtext(f"{{{NAMESPACE}}}references") or "").split()) == 2
