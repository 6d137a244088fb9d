"""How directives stand in overviews, how long they take, and what the Prime Minister did to one."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import (
    PHANG_NGA,
    PHUKET,
    Country,
    Json,
    gives,
    open_country,
    order,
)
from tests.api.directing import department_registered
from tests.database import fresh_database
from tests.projections.network import NOON, event

A, B, PM, SECRETARIAT, POC = "deputy:a", "deputy:b", "pm", "secretariat:a", "poc:TH-83"
NOTHING = {"open": 0, "overdue": 0, "unacknowledged": 0, "objected": 0}
_keys = count(1)

# What is told of each: to whom, what follows after how many minutes, and how it is kept.
TOLD: dict[str, tuple[dict[str, list[tuple[str, float]]], Json]] = {
    "quiet": ({PHUKET: []}, {"acknowledge_by": NOON + timedelta(minutes=30)}),
    "noted": ({PHUKET: [("acknowledged", 10)], "moi": [("objected", 4)]}, {}),
    "done": ({PHUKET: [("acknowledged", 20), ("reported", 30), ("complied", 50)]}, {}),
    "half": ({PHUKET: [("acknowledged", 30), ("reported", 40), ("complied", 41)],
              PHANG_NGA: [("acknowledged", 60)]}, {"deputy": "pm"}),
    "unit": ({"moi.ddpm": [("acknowledged", 2)]}, {"kind": "advice"}),
    "stop": ({PHANG_NGA: [("stopped", 15)]}, {"kind": "suspension", "deputy": "b",
             "stops": {"act_th": "x", "policy": "p"}}),
    "secret": ({PHUKET: [("acknowledged", 500)]}, {"deputy": "pm",
               "classification": "confidential"}),
    "ended": ({PHUKET: []}, {}),
}  # fmt: skip
SAYS = {"objected": {"reason": "x"}, "reported": {"report": "x"}}
POWER = {PHUKET: ("a", "area", "area"), PHANG_NGA: ("b", "area", "area"),
         "moi": ("a", "function", "oversee")}  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def told(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country in which all this was directed at noon; it is ten hours later."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await department_registered(opened)
        for id_, (lives, said) in TOLD.items():
            await opened.network.decide(f"directives/{id_}", *life(id_, lives, said))
        end = {"directive": "ended", "by": A, "reason": "x"}
        withdrawn = event("directive.withdrawn.v1", end, minutes=60)
        await opened.network.decide("directives/ended", withdrawn)
        await opened.network.project()
        opened.now = NOON + timedelta(hours=10)
        yield opened


def life(id_: str, lives: dict[str, list[tuple[str, float]]], said: Json) -> list[Json]:
    """A draft, its issue by the power over each addressee, and the steps that follow."""
    stated = {name: str(value) if name.endswith("_by") else value for name, value in said.items()}
    written = {"directive": id_, "deputy": "a", "drafted_by": SECRETARIAT, "kind": "report",
               "title_th": "x", "text_th": "x", "addressees": list(lives), **stated}  # fmt: skip
    given = [authority(one, said.get("deputy", "a")) for one in lives]
    issue = {"directive": id_, "issued_by": A, "capacity": "holder", "authority": given}
    events = [
        event("directive.drafted.v1", written, minutes=-5),
        event("directive.issued.v1", issue),
    ]
    steps = [(minutes, one, step) for one, taken in lives.items() for step, minutes in taken]
    for minutes, one, step in sorted(steps):
        data = {"directive": id_, "addressee": one, "by": "x", **SAYS.get(step, {})}
        events.append(event(f"directive.{step}.v1", data, minutes=minutes))
    if id_ in ("done", "unit"):
        events.append(event("directive.closed.v1", {"directive": id_}, minutes=51))
    return events


def authority(addressee: str, deputy: str) -> Json:
    """By the power over the addressee; the Prime Minister cites none."""
    if deputy == "pm":
        return {"addressee": addressee}
    unit = addressee.partition(".")[0]
    _, dimension, power = POWER[unit]
    return {"addressee": addressee, "order": "1/2567", "clause": 1, "dimension": dimension,
            "target": unit, "power": power}  # fmt: skip


def counts(open_: int, overdue: int = 0, unacknowledged: int = 0, objected: int = 0) -> Json:
    return {
        "open": open_,
        "overdue": overdue,
        "unacknowledged": unacknowledged,
        "objected": objected,
    }


# Counts.


async def test_the_nation_counts_what_every_addressee_owes(told: Country) -> None:
    nation = await told.ask("/v1/overview")
    by_province = {one["provinces"][0]: one["totals"]["directives"] for one in nation["provinces"]}
    assert by_province == {
        PHUKET: counts(3, overdue=1, unacknowledged=1),
        PHANG_NGA: counts(2),
        "TH-10": NOTHING,
    }
    assert nation["elsewhere"]["directives"] == counts(1, objected=1)
    assert nation["totals"]["directives"] == counts(6, overdue=1, unacknowledged=1, objected=1)


async def test_an_overview_counts_what_was_owed_at_its_moment(told: Country) -> None:
    for minutes, expected in (
        (-1, NOTHING),
        (5, counts(5, unacknowledged=5)),
        (45, counts(4, overdue=1, unacknowledged=2)),
        (61, counts(2, overdue=1, unacknowledged=1)),
    ):
        as_of = (NOON + timedelta(minutes=minutes)).isoformat()
        overview = await told.ask("/v1/deputies/a/overview", A, as_of=as_of)
        assert overview["totals"]["directives"] == expected, minutes


async def test_only_what_the_reader_may_see_counts(told: Country) -> None:
    """What the Prime Minister told Phuket in confidence is not deputy A's to know."""
    own = await told.ask("/v1/deputies/a/overview", A)
    of_pm = await told.ask("/v1/deputies/a/overview", PM)
    assert own["totals"]["directives"] == own["provinces"][0]["directives"]
    assert own["totals"]["directives"] == counts(2, overdue=1, unacknowledged=1)
    assert of_pm["totals"]["directives"] == counts(3, overdue=1, unacknowledged=1)
    assert own["directives_to_agencies"] == counts(1, objected=1)
    for analyst in ("analyst", "cabinet"):
        assert (await told.ask("/v1/overview", analyst))["totals"]["directives"] is None


@pytest.mark.parametrize("reader", [PM, "pmoc"])
async def test_what_overseers_and_clusters_have_adds_up_to_the_nation(
    told: Country, reader: str
) -> None:
    for minutes in (-1, 5, 45, 120, 600):
        as_of = (NOON + timedelta(minutes=minutes)).isoformat()
        nation = await told.ask("/v1/overview", reader, as_of=as_of)
        whole = nation["totals"]["directives"]
        beside = [nation[name] for name in ("uncovered", "not_known", "outside_scheme")]
        for division in (
            nation["provinces"],
            [*nation["overseers"], *beside],
            *([*one["clusters"], one["outside"]] for one in nation["schemes"]),
        ):
            parts = [one["totals"]["directives"] for one in division]
            parts.append(nation["elsewhere"]["directives"])
            assert {name: sum(part[name] for part in parts) for name in whole} == whole


async def test_what_ended_after_it_was_known_counts_as_it_was_known(country: Country) -> None:
    await country.network.decide("directives/d", *life("d", {PHUKET: []}, {}))
    await country.network.project()
    known = (await country.tick()).time
    end = {"directive": "d", "by": A, "reason": "x"}
    await country.network.decide("directives/d", event("directive.withdrawn.v1", end, minutes=1))
    await country.network.project()
    await country.tick()
    pair = {"as_of": country.now.isoformat(), "known_at": known.isoformat()}
    before = await country.ask("/v1/deputies/a/overview", **pair)
    after = await country.ask("/v1/deputies/a/overview")
    assert before["totals"]["directives"] == counts(1, unacknowledged=1)
    assert after["totals"]["directives"] == NOTHING


async def test_what_is_owed_moves_with_its_province_at_the_second_the_order_says(
    country: Country,
) -> None:
    await country.network.decide("directives/d", *life("d", {PHUKET: []}, {}))
    moment = NOON + timedelta(minutes=10)
    moves = order("2/2567", moment, gives("area", PHUKET, "b"), complete=[])
    await country.network.decide("orders/pm", moves)
    await country.network.project()
    for at, holder, other in ((moment - timedelta(seconds=1), "a", "b"), (moment, "b", "a")):
        for reader in (PM, holder):
            identity = reader if reader == PM else f"deputy:{reader}"
            path, pair = f"/v1/deputies/{holder}/overview", {"as_of": at.isoformat()}
            seen = await country.ask(path, identity, **pair)
            assert seen["totals"]["directives"] == counts(1, unacknowledged=1)
        seen = await country.ask(f"/v1/deputies/{other}/overview", PM, as_of=at.isoformat())
        assert seen["totals"]["directives"] == NOTHING


# Times.


async def test_times_to_acknowledge_and_to_comply_are_told_by_province(told: Country) -> None:
    answer = await told.ask("/v1/directives/times", by="province")
    took = {one["id"]: one for one in answer["items"]}
    assert list(took) == [PHANG_NGA, PHUKET]
    assert took[PHUKET]["addressed"] == 6
    # 10, 20, 30 and 500 minutes: the median lies between the second and the third.
    assert took[PHUKET]["acknowledged"] == {
        "count": 4, "median_seconds": 25 * 60, "p90_seconds": 359 * 60,
    }  # fmt: skip
    assert took[PHUKET]["complied"] == {
        "count": 2, "median_seconds": 45 * 60 + 30, "p90_seconds": 49 * 60 + 6,
    }  # fmt: skip
    assert took[PHANG_NGA]["complied"]["median_seconds"] == 15 * 60


async def test_a_unit_counts_in_its_ministry(told: Country) -> None:
    answer = await told.ask("/v1/directives/times", by="ministry")
    (moi,) = answer["items"]
    assert (moi["id"], moi["addressed"]) == ("moi", 2)
    assert moi["acknowledged"] == {"count": 1, "median_seconds": 120, "p90_seconds": 120}
    assert moi["complied"] == {"count": 0, "median_seconds": None, "p90_seconds": None}


async def test_times_are_of_what_the_reader_may_see(told: Country) -> None:
    def acknowledged(answer: Json) -> Json:
        return {one["id"]: one["acknowledged"]["count"] for one in answer["items"]}

    query: Json = {"by": "province"}
    assert acknowledged(await told.ask("/v1/directives/times", A, **query)) == {
        PHUKET: 3,
        PHANG_NGA: 1,
    }
    assert acknowledged(await told.ask("/v1/directives/times", POC, **query)) == {PHUKET: 4}
    assert (await told.get("/v1/directives/times", "analyst", **query)).status_code == 403
    assert (await told.get("/v1/directives/times", PM)).status_code == 400


async def test_times_are_of_a_period_and_of_a_moment(told: Country) -> None:
    query = {"by": "province"}
    early = (NOON + timedelta(minutes=15)).isoformat()
    at_a_quarter = await told.ask("/v1/directives/times", **query, as_of=early)
    (phuket,) = [one for one in at_a_quarter["items"] if one["id"] == PHUKET]
    assert phuket["acknowledged"]["count"] == 1
    for first, last, groups in (
        ("2024-09-02", "2024-12-31", 0),
        ("2024-01-01", "2024-08-31", 0),
        ("2024-09-01", "2024-09-01", 2),
    ):
        period: Json = {**query, "from": first, "to": last}
        assert len((await told.ask("/v1/directives/times", **period))["items"]) == groups


# What the Prime Minister did.


async def send(country: Country, path: str, by: str, **body: Json) -> Json:
    """The answer; every request has a key of its own, and the read models know it after."""
    headers = {"Idempotency-Key": f"k{next(_keys)}"}
    response = await country.send("POST", path, by, headers, json.dumps(body).encode())
    while await country.network.relay.publish():
        pass
    await country.network.project()
    return response.json() | {"status": response.status_code}


async def issued(country: Country, id_: str, **said: Json) -> str:
    written = {"directive": id_, "deputy": "a", "kind": "order", "title_th": "x", "text_th": "x",
               "addressees": [PHUKET], **said}  # fmt: skip
    assert (await send(country, "/v1/directives", SECRETARIAT, **written))["status"] == 201
    assert (await send(country, f"/v1/directives/{id_}/issue", A))["state"] == "open"
    return id_


async def history(country: Country, id_: str, reader: str) -> list[tuple[str, str, str | None]]:
    answer = await country.ask(f"/v1/directives/{id_}/history", reader)
    return [(one["event"], one["by"], one["order"]) for one in answer["items"]]


async def reserve(country: Country, number: str, **matter: Json) -> None:
    begins = (country.now - timedelta(minutes=1)).isoformat()
    order = {"number": number, "effective_from": begins, "clauses": [{"act": "reserve", **matter}]}
    assert (await send(country, "/v1/orders", PM, **order))["status"] == 201


async def test_a_reserved_directive_rests_and_its_history_says_by_which_order(
    country: Country,
) -> None:
    id_ = await issued(country, "mine")
    await send(country, f"/v1/directives/{id_}/acknowledge", POC)
    await reserve(country, "9/2567", subject=f"directives/{id_}")
    refused = await send(country, f"/v1/directives/{id_}/withdraw", A, reason="x")
    assert (refused["status"], refused["rule"], refused["order"]) == (
        403, "matter-reserved", "9/2567",
    )  # fmt: skip
    reserved = ("reserved", PM, "9/2567")
    for reader in (PM, A, SECRETARIAT, "pmoc"):
        assert (await history(country, id_, reader))[-1] == reserved
    for reader in (POC, "governor:TH-83"):
        assert reserved not in await history(country, id_, reader)
    moment = (country.now - timedelta(minutes=2)).isoformat()
    before = await country.get(f"/v1/directives/{id_}/history", A, as_of=moment)
    assert before.status_code == 404
    release = {"number": "10/2567", "effective_from": country.now.isoformat(),
               "clauses": [{"act": "release", "order": "9/2567"}]}  # fmt: skip
    assert (await send(country, "/v1/orders", PM, **release))["status"] == 201
    done = await send(country, f"/v1/directives/{id_}/withdraw", A, reason="x")
    assert done["state"] == "withdrawn"


async def test_a_reservation_of_the_incident_or_from_one_deputy_is_told_to_whom_it_concerns(
    country: Country,
) -> None:
    id_ = await issued(country, "in-flood", incident="flood")
    await reserve(country, "9/2567", subject="incidents/flood", deputy="a")
    await reserve(country, "10/2567", subject="incidents/flood", deputy="b")
    assert [one[2] for one in (await history(country, id_, A))[2:]] == ["9/2567"]
    assert [one[2] for one in (await history(country, id_, PM))[2:]] == ["9/2567", "10/2567"]


async def test_a_reversal_and_a_takeover_are_in_the_deputys_history(country: Country) -> None:
    id_ = await issued(country, "over")
    taken = await send(country, f"/v1/directives/{id_}/take-over", PM, reason="เร่งด่วน")
    assert taken["state"] == "taken_over"
    reversed_ = await send(country, f"/v1/directives/{id_}/reverse", PM, reason="ไม่จำเป็น")
    assert reversed_["state"] == "reversed"
    for reader in (A, SECRETARIAT, POC, PM):
        said = (await country.ask(f"/v1/directives/{id_}/history", reader))["items"][-2:]
        assert [(one["event"], one["by"], one["text"]) for one in said] == [
            ("assumed", PM, "เร่งด่วน"),
            ("reversed", PM, "ไม่จำเป็น"),
        ]
    assert (await country.get(f"/v1/directives/{id_}", B)).status_code == 404
