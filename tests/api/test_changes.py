"""What changed between two ends: each kind told apart, by whose order, and within the scope."""

from datetime import date, timedelta

import pytest

from tests.api.country import DISASTERS, PHANG_NGA, PHUKET, PRESS, Country, Json, gives, order
from tests.api.happenings import alerted, happen, opened, said, silent
from tests.projections.network import NOON, event, report

OF_PHUKET = f"/v1/provinces/{PHUKET}/changes"
OF_A, OF_B = "/v1/deputies/a/changes", "/v1/deputies/b/changes"
OF_ALL = "/v1/changes"


def after_noon(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def corrected(original: str, *, minutes: float = 50, **stated: Json) -> Json:
    data = {
        "corrected_type": "situation.reported.v1",
        "corrected_data": report(**stated),
        "reason": "counted twice",
    }
    return event("event.corrected.v1", data, minutes=minutes, originalid=original)


def withdrawn(original: str, *, source: str | None = None) -> Json:
    attributes = {"source": source} if source else {}
    return event(
        "event.withdrawn.v1", {"reason": "mistaken"}, minutes=50, originalid=original, **attributes
    )


async def changes(country: Country, path: str, identity: str = "pm", **query: Json) -> list[Json]:
    body = await country.ask(path, identity, **query)
    assert body["next"] is None
    return list(body["items"])


def told(items: list[Json], *names: str) -> list[tuple[Json, ...]]:
    """Kind and these members of each item."""
    return [(item["kind"], *(item.get(name) for name in names)) for item in items]


def figures(items: list[Json]) -> list[tuple[Json, ...]]:
    """Kind, figure and both values of what is about figures."""
    return [
        (
            item["kind"],
            item["figure"],
            item["before"] and item["before"]["value"],
            item["after"] and item["after"]["value"],
        )
        for item in items
        if item["about"] == "figure"
    ]


async def test_nothing_changed_between_a_moment_and_itself(country: Country) -> None:
    await happen(country)
    for path in (OF_PHUKET, OF_A, OF_ALL):
        assert await changes(country, path, from_as_of=country.now.isoformat()) == []


async def test_what_is_new_is_told_from_what_a_later_report_changed(country: Country) -> None:
    await country.tell(
        opened("flood", PHUKET),
        said(dead=2, injured=5, minutes=1),
        opened("fire", PHUKET, minutes=10),
        said(dead=3, injured=5, minutes=11),
        alerted("alert-1", PHUKET, minutes=12),
    )
    items = await changes(country, OF_PHUKET, from_as_of=after_noon(5))
    assert told(items, "about", "incident", "alert") == [
        ("new", "incident", "fire", None),
        ("changed", "figure", "flood", None),
        ("changed", "report", "flood", None),
        ("new", "alert", None, "alert-1"),
    ]
    assert figures(items) == [("changed", "dead", 2, 3)]
    assert items[0]["after"]["state"] == "open"


async def test_a_closing_and_an_update_say_which_field_changed(country: Country) -> None:
    closing = event(
        "incident.closed.v1",
        {"incident": "fire", "reason": "out"},
        source=DISASTERS,
        minutes=12,
    )
    update = event(
        "incident.updated.v1",
        {"incident": "flood", "severity": "extreme"},
        source=DISASTERS,
        minutes=13,
    )
    await country.tell(opened("flood", PHUKET), opened("fire", PHUKET), closing, update)
    items = await changes(country, OF_A, from_as_of=after_noon(5))
    assert told(items, "incident", "field") == [
        ("changed", "fire", "state"),
        ("changed", "flood", "severity"),
    ]
    assert items[0]["after"]["closed_at"] == "2024-09-01T12:12:00+07:00"
    assert [items[1][end]["severity"] for end in ("before", "after")] == ["severe", "extreme"]


async def test_what_was_corrected_or_withdrawn_is_told_from_a_later_report(
    country: Country,
) -> None:
    await country.tell(
        opened("flood", PHUKET),
        said(dead=20, minutes=1, id="typo"),
        said(missing=4, minutes=2, id="mistake", source=PRESS),
        said(injured=1, minutes=3, source=DISASTERS),
    )
    first = await country.tick()
    await country.tell(
        corrected("typo", dead=2, households=7),
        withdrawn("mistake", source=PRESS),
        said(injured=6, minutes=4, source=DISASTERS),
        opened("late", PHUKET, minutes=1),
    )
    second = await country.tick()
    known = {"from_known_at": first.time.isoformat(), "known_at": second.time.isoformat()}
    items = await changes(country, OF_PHUKET, as_of=after_noon(30), **known)
    assert sorted(figures(items)) == [
        ("changed", "injured", 1, 6),
        ("corrected", "dead", 20, 2),
        ("corrected", "households", None, 7),
        ("withdrawn", "missing", 4, None),
    ]
    (dead,) = [item for item in items if item.get("figure") == "dead"]
    assert dead["by"]["source"] == "/centres/poc/TH-83"
    assert {item["kind"] for item in items if item["about"] == "incident"} == {"new"}
    assert all(item["by"] is None for item in items if item["kind"] in ("new", "changed"))


async def test_a_later_report_does_not_hide_that_the_earlier_number_was_wrong(
    country: Country,
) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=20, minutes=1, id="typo"))
    first = await country.tick()
    await country.tell(corrected("typo", dead=2), said(dead=5, minutes=9))
    second = await country.tick()
    items = await changes(
        country,
        OF_PHUKET,
        known_at=second.time.isoformat(),
        from_known_at=first.time.isoformat(),
        as_of=after_noon(30),
    )
    assert figures(items) == [("corrected", "dead", 20, 5)]


async def test_an_incident_opened_by_mistake_is_withdrawn(country: Country) -> None:
    await country.tell(opened("flood", PHUKET, id="mistake"))
    first = await country.tick()
    await country.tell(withdrawn("mistake", source=DISASTERS))
    second = await country.tick()
    items = await changes(
        country,
        OF_A,
        known_at=second.time.isoformat(),
        from_known_at=first.time.isoformat(),
        as_of=after_noon(30),
    )
    assert told(items, "incident", "after") == [("withdrawn", "flood", None)]


async def test_centres_fall_silent_and_are_heard_again(country: Country) -> None:
    await country.network.decide("timers", silent("poc:TH-83", minutes=10))
    heard = event(
        "centre.heard.v1",
        {"centre": "poc:TH-83", "heard_at": after_noon(20)},
        source="/network/timers",
        minutes=20,
    )
    await country.network.decide("timers", heard)
    await country.network.project()

    async def between(first: float, second: float) -> list[tuple[Json, ...]]:
        asked = {"from_as_of": after_noon(first), "as_of": after_noon(second)}
        return told(await changes(country, OF_A, **asked), "centre")

    assert await between(5, 15) == [("silent", "poc:TH-83")]
    assert await between(15, 25) == [("heard", "poc:TH-83")]
    assert await between(5, 25) == []


async def moved_country(country: Country) -> None:
    """On 1 October Phuket goes from deputy a to deputy b by order 2/2567."""
    october = date(2024, 10, 1)
    await country.network.decide(
        "orders/pm", order("2/2567", october, gives("area", PHUKET, "b"), complete=[])
    )
    await country.tell(
        opened("flood", PHUKET, PHANG_NGA),
        opened("landslide", PHANG_NGA),
        said(dead=3, minutes=1),
        said(PHANG_NGA, dead=4, source=DISASTERS, minutes=1),
    )
    country.now = NOON + timedelta(days=60)


async def test_a_province_that_moves_takes_what_happens_in_it_along(country: Country) -> None:
    await moved_country(country)
    came = await changes(country, OF_B, from_as_of="2024-09-30", as_of="2024-10-01")
    assert told(came, "about", "target", "place", "before") == [
        ("moved", "holding", PHUKET, None, None),
        ("moved", "figure", None, PHUKET, None),
        ("moved", "report", None, PHUKET, None),
    ]
    assert {item["order"]["number"] for item in came} == {"2/2567"}
    left = await changes(country, OF_A, from_as_of="2024-09-30", as_of="2024-10-01")
    assert told(left, "about", "after") == [
        ("moved", "holding", None),
        ("moved", "incident", None),
        ("moved", "figure", None),
        ("moved", "report", None),
    ]
    assert {item["order"]["number"] for item in left} == {"2/2567"}


async def test_what_happened_after_a_province_left_is_nobody_s_who_lost_it(
    country: Country,
) -> None:
    await moved_country(country)
    await country.tell(
        said(dead=9999, minutes=40 * 24 * 60), opened("fire", PHUKET, minutes=50_000)
    )
    query: dict[str, Json] = {"from_as_of": "2024-09-30", "as_of": "2024-10-30"}
    for path in (OF_A, OF_PHUKET):
        response = await country.get(path, "deputy:a", **query)
        assert "9999" not in response.text
        assert "fire" not in response.text
        assert {item["kind"] for item in response.json()["items"]} == {"moved"}
    gained = await changes(country, OF_B, "deputy:b", **query)
    assert ("new", "fire") in told(gained, "incident")
    assert figures(gained) == [("new", "dead", None, 9999)]


async def test_who_sees_neither_end_sees_nothing_and_cannot_tell_why(country: Country) -> None:
    await moved_country(country)
    query: dict[str, Json] = {"from_as_of": "2024-09-02", "as_of": "2024-09-03"}
    for reader, hidden, missing in (
        ("poc:TH-82", OF_PHUKET, "/v1/provinces/TH-99/changes"),
        ("deputy:b", OF_A, "/v1/deputies/z/changes"),
    ):
        answers = [await country.get(path, reader, **query) for path in (hidden, missing)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    assert (await country.get(OF_ALL, "deputy:b", **query)).status_code == 403
    assert (await country.get(OF_PHUKET, "screening", **query)).status_code == 403


async def test_pages_are_one_answer_for_the_pairs_of_the_first(country: Country) -> None:
    await happen(country)
    query: dict[str, Json] = {"from_as_of": after_noon(-5), "limit": 2}
    whole = await country.ask(OF_ALL, from_as_of=after_noon(-5))
    first = await country.get(OF_ALL, **query)
    await country.tell(said(dead=500, minutes=20))
    items, body = list(first.json()["items"]), first.json()
    while body["next"]:
        response = await country.get(OF_ALL, **query, cursor=body["next"])
        for name in ("as-of", "known-at", "from-as-of", "from-known-at"):
            assert response.headers[f"kamkap-{name}"] == first.headers[f"kamkap-{name}"]
        body = response.json()
        items += body["items"]
    assert items == whole["items"]


async def test_the_answer_for_past_pairs_never_changes(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=1, id="first"))
    first = await country.tick()
    await country.tell(said(dead=3, minutes=2))
    second = await country.tick()
    query: dict[str, Json] = {
        "from_as_of": after_noon(1),
        "as_of": after_noon(30),
        "from_known_at": first.time.isoformat(),
        "known_at": second.time.isoformat(),
    }
    before = await country.get(OF_PHUKET, **query)
    await country.tell(corrected("first", dead=1), said(dead=9, minutes=2, source=DISASTERS))
    await country.network.decide(
        "orders/pm", order("2/2567", date(2024, 1, 1), gives("area", PHUKET, "b"), complete=[])
    )
    await country.network.project()
    await country.tick()
    after = await country.get(OF_PHUKET, **query)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    assert figures(before.json()["items"]) == [("changed", "dead", 2, 3)]


async def test_since_is_the_moment_as_it_was_known_then(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=1))
    tick = await country.tick()
    await country.tell(said(dead=7, minutes=-5, source=DISASTERS))
    country.now = tick.time + timedelta(minutes=1)
    response = await country.get(OF_PHUKET, since=tick.time.isoformat())
    assert sorted(figures(response.json()["items"])) == [
        ("changed", "dead", 2, 2),
        ("new", "dead", None, 7),
    ]
    shown = [
        item["after"]["shown"] for item in response.json()["items"] if item["about"] == "figure"
    ]
    assert sorted(shown) == [False, True]
    assert response.headers["kamkap-from-known-at"] == response.headers["kamkap-from-as-of"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "since"),
        ({"since": "2024-09-01", "from_as_of": "2024-09-01"}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"from_as_of": "2024-09-03", "as_of": "2024-09-02"}, "from_as_of"),
        ({"from_known_at": "2567-09-03"}, "from_known_at"),
        (
            {"from_known_at": "2024-08-20", "known_at": "2024-08-10", "as_of": "2024-08-10"},
            "from_known_at",
        ),
    ],
)
async def test_an_earlier_end_that_is_none_is_refused_by_name(
    country: Country, query: dict[str, Json], parameter: str
) -> None:
    response = await country.get(OF_ALL, **query)
    assert (response.status_code, response.json()["parameter"]) == (400, parameter)


@pytest.mark.parametrize("identity", ["pm", "deputy:a"])
async def test_the_changes_make_the_second_situation_of_the_first(
    country: Country, identity: str
) -> None:
    """Between any two of several moments, and of two knowings."""
    await country.tell(opened("flood", PHUKET), said(dead=20, injured=3, minutes=1, id="typo"))
    first = await country.tick()
    await country.tell(
        said(dead=21, minutes=12),
        said(dead=9, source=PRESS, minutes=8),
        said(missing=1, source=DISASTERS, minutes=-3, id="mistake"),
        opened("fire", PHUKET, minutes=6),
        said(incident="fire", households=2, minutes=7),
        corrected("typo", dead=2, households=7),
        withdrawn("mistake", source=DISASTERS),
    )
    second = await country.tick()
    ends = [
        {"as_of": after_noon(minutes), "known_at": tick.time.isoformat()}
        for tick in (first, second)
        for minutes in (-5, 3, 10, 20)
    ]
    seen = [await shown_in(country, identity, end) for end in ends]
    for nth, earlier in enumerate(ends):
        for later in range(nth, len(ends)):
            if ends[later]["as_of"] < earlier["as_of"]:
                continue
            asked = {f"from_{name}": value for name, value in earlier.items()}
            items = await changes(country, OF_PHUKET, identity, **ends[later], **asked)
            assert applied_to(seen[nth], items) == seen[later]


type Shown = dict[tuple[str, str, str], tuple[Json, bool]]


async def shown_in(country: Country, identity: str, end: dict[str, Json]) -> Shown:
    """What every source says in the situation of Phuket, and whether it is what is shown."""
    situation = await country.ask(f"/v1/provinces/{PHUKET}/situation", identity, **end)
    return {
        (incident["id"], name, one["source"]): (one["value"], one["source"] == figure["source"])
        for incident in situation["incidents"]
        for name, figure in incident["figures"].items()
        for one in figure["sources"]
    }


def applied_to(shown: Shown, items: list[Json]) -> Shown:
    """The figures with what changed put in their place."""
    made = dict(shown)
    for item in (item for item in items if item["about"] == "figure"):
        key, after = (item["incident"], item["figure"], item["source"]), item["after"]
        if after is None:
            del made[key]
        else:
            made[key] = (after["value"], after["shown"])
    return made
