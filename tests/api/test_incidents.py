"""Lists of incidents: the same incidents in the same order, in however many pages, at any pair."""

from collections.abc import Iterator
from random import Random

from tests.api.country import DISASTERS, PHANG_NGA, PHUKET, Country, Json
from tests.api.happenings import Event, opened
from tests.projections.network import event

PROVINCES = (PHUKET, PHANG_NGA, "TH-81")


def closed(incident: str, **attributes: Json) -> Event:
    data = {"incident": incident, "reason": "over"}
    return event("incident.closed.v1", data, source=DISASTERS, **attributes)


def withdrawn(original: str, **attributes: Json) -> Event:
    return event(
        "event.withdrawn.v1", {"reason": "no"}, source=DISASTERS, originalid=original, **attributes
    )


async def pages(country: Country, **query: Json) -> list[str]:
    """The ids of a list, read one incident a page."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await country.ask("/v1/incidents", limit=1, **query, **cursor)
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return ids
        cursor = {"cursor": page["next"]}


async def test_an_incident_stands_where_the_opening_that_counts_puts_it(country: Country) -> None:
    await country.tell(
        opened("first", PHUKET, minutes=10),
        opened("last", PHUKET, minutes=1, id="too-early"),
        opened("last", PHUKET, minutes=30),
        opened("between", PHUKET, minutes=20),
        withdrawn("too-early", minutes=40),
    )
    assert await pages(country) == ["last", "between", "first"]
    assert [one["id"] for one in (await country.ask("/v1/incidents"))["items"]] == await pages(
        country
    )


async def test_a_closing_that_was_not_known_yet_leaves_an_incident_open(country: Country) -> None:
    before = await country.tick_after(opened("fire", PHUKET, minutes=1))
    await country.tick_after(closed("fire", minutes=5))
    assert await pages(country) == []
    assert await pages(country, known_at=before.time.isoformat()) == ["fire"]


async def test_a_ministry_and_an_agenda_find_what_was_ever_said_to_be_theirs(
    country: Country,
) -> None:
    moved = {"incident": "haze", "ministries": ["moph"], "agendas": []}
    await country.tell(
        opened("haze", PHUKET, minutes=1, ministries=["moi"], agendas=["drugs"]),
        opened("ring", PHUKET, minutes=2, ministries=["moi"], agendas=["drugs"]),
        event("incident.updated.v1", moved, source=DISASTERS, minutes=9),
    )
    assert await pages(country, ministry="moi") == ["ring"]
    assert await pages(country, ministry="moph") == ["haze"]
    assert await pages(country, agenda="drugs") == ["ring"]
    early = "2024-09-01T12:05:00+07:00"
    assert await pages(country, ministry="moi", as_of=early) == ["ring", "haze"]
    assert await pages(country, ministry="moph", as_of=early) == []


async def test_however_an_incident_is_opened_pages_are_the_list_in_parts(country: Country) -> None:
    for seed in range(3):
        await country.tell(*_story(Random(seed), f"s{seed}"))
        tick = await country.tick()
        for state in ("open", "closed", "any"):
            query: dict[str, Json] = {"state": state}
            for asked in (query, {**query, "province": PHUKET}, {**query, "deputy": "a"}):
                whole = (await country.ask("/v1/incidents", limit=500, **asked))["items"]
                assert whole == sorted(
                    whole, key=lambda one: (one["opened_at"], one["id"]), reverse=True
                )
                ids = [one["id"] for one in whole]
                assert await pages(country, **asked) == ids
                assert await pages(country, **asked, known_at=tick.time.isoformat()) == ids


def _story(chance: Random, name: str) -> Iterator[Event]:
    """Incidents that open once or several times, in any order of statement, some withdrawn."""
    for nth in range(8):
        incident = f"{name}-{nth}"
        for again in range(chance.choice((1, 1, 2, 3))):
            id_ = f"{incident}-{again}"
            place, minutes = chance.choice(PROVINCES), chance.randint(1, 9)
            yield opened(incident, place, minutes=minutes, id=id_)
            if chance.random() < 0.3:
                yield withdrawn(id_, minutes=minutes)
        if chance.random() < 0.4:
            yield closed(incident, minutes=chance.randint(1, 12))
