"""Directives over HTTP: drafted, issued by the orders of the moment, answered, ended, and read."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

import pytest
import pytest_asyncio

from schemas.events import EventModel, decode
from schemas.events.directive import Authority, DirectiveDrafted, DirectiveStep
from services.domain import deadlines, directives
from services.domain.directives import DECIDER, Actor, Directive, Mandate
from services.domain.rejected import Rejected
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.authority import STREAM
from tests.api.country import (
    PHANG_NGA,
    PHUKET,
    Country,
    Json,
    gives,
    open_country,
    order,
    registered,
)
from tests.api.directing import (
    DOC,
    GOVERNOR,
    MOC,
    PM,
    POC,
    SECRETARIAT,
    TEXT,
    A,
    B,
    department_registered,
    drafted,
    issued,
    post,
    published,
    step,
)
from tests.database import fresh_database
from tests.projections.network import NOON, event


async def ordered(country: Country, number: str, *clauses: Json, **fields: Json) -> None:
    """A further order of the PM, in force since an hour ago."""
    begins = NOON - timedelta(hours=1)
    stated = order(number, begins, *clauses, **{"complete": [], **fields})
    await country.network.decide(STREAM, stated)
    await country.network.project()


async def folded(country: Country, id_: str) -> Directive:
    stored = await country.network.store.load(DECIDER.stream(id_))
    return DECIDER.fold(decode(event.envelope.type, event.data) for event in stored)


async def seen(country: Country, identity: str, **query: Json) -> set[str]:
    answer = await country.ask("/v1/directives", identity, **query)
    return {item["id"] for item in answer["items"]}


@pytest_asyncio.fixture(scope="module")
async def shared(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all tests that name directives of their own and change no order."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await department_registered(opened)
        for policy, said in POLICIES.items():
            await opened.network.decide(f"registry/policies/{policy}", *said)
        await published(opened)
        yield opened


def policy(id_: str, **said: Json) -> Json:
    stated = {"kind": "cabinet_resolution", "outcome": "agreed", "title_th": "มติ", "text_th": "มติ",
              "decided_on": "2024-01-09", "valid_from": "2024-01-09", **said}  # fmt: skip
    return registered("policy.registered.v1", policy=id_, **stated)


POLICIES = {
    "agreed": [policy("agreed")],
    "noted": [policy("noted", outcome="noted")],
    "ministry": [policy("ministry", kind="ministry_policy")],
    "over": [policy("over", valid_to="2024-09-01")],
    "revoked": [
        policy("revoked"),
        registered("policy.revoked.v1", policy="revoked", valid_from="2024-08-31"),
    ],
}


# From the draft to the last answer.


async def test_an_order_is_drafted_issued_answered_and_closed(shared: Country) -> None:
    id_ = await issued(shared, "whole", PHUKET)
    assert await step(shared, id_, "acknowledge", POC) == "open"
    assert await step(shared, id_, "begin", POC, note="เริ่ม") == "open"
    assert await step(shared, id_, "report", GOVERNOR, report="แล้ว") == "open"
    assert await step(shared, id_, "return", A, reason="กี่คน") == "open"
    assert await step(shared, id_, "report", POC, report="4,200 คน") == "open"
    assert await step(shared, id_, "accept", A) == "closed"
    await published(shared)
    history = await shared.ask(f"/v1/directives/{id_}/history")
    assert [(one["event"], one["by"], one["order"]) for one in history["items"]] == [
        ("drafted", SECRETARIAT, None),
        ("issued", A, "1/2567"),
        ("acknowledged", POC, None),
        ("begun", POC, None),
        ("reported", GOVERNOR, None),
        ("returned", A, "1/2567"),
        ("reported", POC, None),
        ("complied", A, "1/2567"),
        ("closed", None, None),
    ]


async def test_each_addressees_ground_is_kept(shared: Country) -> None:
    id_ = await issued(shared, "grounds", PHUKET, "moi", kind="report")
    await published(shared)
    detail = await shared.ask(f"/v1/directives/{id_}")
    cited = {one["addressee"]: one["authority"] for one in detail["addressees"]}
    assert cited == {
        PHUKET: [{"order": "1/2567", "clause": 1, "dimension": "area", "target": PHUKET,
                  "power": "area"}],
        "moi": [{"order": "1/2567", "clause": 3, "dimension": "function", "target": "moi",
                 "power": "oversee"}],
    }  # fmt: skip


async def test_what_the_prime_minister_issues_cites_no_order(shared: Country) -> None:
    body = {**TEXT, "directive": "own", "deputy": "pm", "addressees": [PHANG_NGA, "moph"]}
    assert (await post(shared, "", PM, body)).status_code == 201
    assert await step(shared, "own", "issue", PM) == "open"
    await published(shared)
    detail = await shared.ask("/v1/directives/own")
    assert (detail["capacity"], detail["addressees"][0]["authority"][0]["order"]) == (
        "prime_minister",
        None,
    )
    assert await step(shared, "own", "withdraw", A, reason="x") == "403 not-issuer"


async def test_a_suspension_is_confirmed_and_lifted(shared: Country) -> None:
    stops = {"act_th": "การประมูล", "policy": "agreed"}
    id_ = await issued(shared, "stop", PHUKET, kind="suspension", stops=stops)
    assert await step(shared, id_, "confirm-stop", POC) == "open"
    assert await step(shared, id_, "lift", A, reason="แก้แล้ว") == "closed"


async def test_a_directive_supersedes_another_once_it_is_issued(shared: Country) -> None:
    old, new = await issued(shared, "old", PHUKET), await drafted(shared, "new", PHUKET)
    assert await step(shared, old, "supersede", A, superseded_by=new) == "404 directive-unknown"
    await step(shared, new, "issue", A)
    response = await post(shared, f"/{old}/supersede", A, {"superseded_by": new}, key="again")
    assert response.json()["state"] == "superseded"


# Who may.


@pytest.mark.parametrize(
    ("by", "came"),
    [("secretariat:a", "201"), ("deputy:a", "201"), ("pm", "201"), ("secretariat:b", "not-drafter"),
     ("deputy:b", "not-drafter"), ("poc:TH-83", "not-drafter"), ("operator", "not-drafter")],
)  # fmt: skip
async def test_only_the_deputys_side_and_the_pm_draft(shared: Country, by: str, came: str) -> None:
    body = {**TEXT, "directive": f"by-{by}", "addressees": [PHUKET]}
    response = await post(shared, "", by, body)
    assert came in (str(response.status_code), response.json().get("rule"))


@pytest.mark.parametrize(
    ("to", "said", "by", "refused"),
    [
        ([PHANG_NGA], {}, A, "403 outside-matrix"),
        ([PHUKET, PHANG_NGA], {}, A, "403 beyond-powers"),
        (["moi"], {}, A, "403 wrong-kind-of-power"),
        ([PHUKET], {"report_by": "2024-08-01T00:00:00Z"}, A, "409 due-in-the-past"),
        ([PHUKET], {}, SECRETARIAT, "403 not-a-decider"),
        ([PHUKET], {}, B, "404 directive-unknown"),
        ([PHUKET], {}, POC, "404 directive-unknown"),
    ],
    ids=str,
)
async def test_what_is_outside_the_powers_of_the_moment_is_refused(
    shared: Country, to: list[str], said: Json, by: str, refused: str
) -> None:
    id_ = await drafted(shared, f"refused-{by}-{'-'.join(to)}-{len(said)}", *to, **said)
    assert await step(shared, id_, "issue", by) == refused


async def test_who_wrote_the_draft_does_not_issue_it(shared: Country) -> None:
    id_ = await drafted(shared, "own-draft", PHUKET, by=A)
    assert await step(shared, id_, "issue", A) == "403 own-draft"
    assert await step(shared, id_, "issue", PM) == "open"


@pytest.mark.parametrize(
    ("ground", "refused"),
    [("noted", "policy-not-approved"), ("ministry", "policy-not-of-cabinet"),
     ("over", "policy-not-in-force"), ("revoked", "policy-not-in-force"),
     ("nowhere", "policy-unknown")],
)  # fmt: skip
async def test_a_suspension_rests_on_a_cabinets_policy_in_force(
    shared: Country, ground: str, refused: str
) -> None:
    stops = {"act_th": "การประมูล", "policy": ground}
    id_ = await drafted(shared, f"on-{ground}", PHUKET, kind="suspension", stops=stops)
    assert await step(shared, id_, "issue", A) == f"409 {refused}"


async def test_steps_are_the_right_sides(shared: Country) -> None:
    id_ = await issued(shared, "sides", PHUKET, "moi", "moi.ddpm", kind="report")
    assert await step(shared, id_, "acknowledge", "poc:TH-82") == "409 addressee-not-named"
    assert (
        await step(shared, id_, "acknowledge", "poc:TH-82", addressee=PHUKET) == "403 not-addressee"
    )
    for centre in (POC, MOC, DOC):
        assert await step(shared, id_, "acknowledge", centre) == "open"
    assert await step(shared, id_, "accept", POC, addressee=PHUKET) == "403 not-issuer"
    assert await step(shared, id_, "accept", A, addressee=PHUKET) == "409 illegal-step"
    assert await step(shared, id_, "reverse", A, reason="x") == "403 not-prime-minister"
    assert await step(shared, id_, "take-over", PM, reason="x") == "taken_over"
    assert await step(shared, id_, "withdraw", A, reason="x") == "403 not-issuer"
    assert await step(shared, id_, "reverse", PM, reason="x") == "reversed"


async def test_nobody_and_nothing(shared: Country) -> None:
    assert (await post(shared, "", None, {})).status_code == 401
    assert await step(shared, "nowhere", "acknowledge", POC) == "404 directive-unknown"
    response = await post(shared, "", SECRETARIAT, {**TEXT, "addressees": ["TH-99"]})
    assert (response.status_code, response.json()["rule"]) == (409, "province-not-there")
    response = await post(shared, "", SECRETARIAT, {**TEXT, "addressees": [], "x": 1})
    assert response.status_code == 422


# The same again.


async def test_a_step_sent_again_is_answered_alike_and_taken_once(shared: Country) -> None:
    id_ = await issued(shared, "again", PHUKET)
    answers = [
        (await post(shared, f"/{id_}/report", POC, {"report": "x"}, key="r")).status_code,
        (await post(shared, f"/{id_}/acknowledge", POC, {}, key="r")).status_code,
        (await post(shared, f"/{id_}/acknowledge", POC, {}, key="r")).status_code,
        (await post(shared, f"/{id_}/begin", POC, {}, key="r")).status_code,
        (await post(shared, f"/{id_}/report", POC, {"report": "x"}, key="s")).status_code,
        (await post(shared, f"/{id_}/acknowledge", POC, {}, key="r")).status_code,
    ]
    assert answers == [409, 200, 200, 422, 200, 200]
    assert (await folded(shared, id_)).standing == {PHUKET: "reported"}


async def test_a_key_that_was_used_for_another_directive_is_refused(shared: Country) -> None:
    one, other = await issued(shared, "k-one", PHUKET), await issued(shared, "k-other", PHUKET)
    assert (await post(shared, f"/{one}/acknowledge", POC, {}, key="k")).status_code == 200
    response = await post(shared, f"/{other}/acknowledge", POC, {}, key="k")
    assert response.json()["type"] == "urn:kamkap:problem:idempotency-key-used"


async def test_a_key_that_was_used_for_a_directive_is_refused_for_an_order(shared: Country) -> None:
    draft = {**TEXT, "directive": "k-pm", "addressees": [PHUKET], "deputy": "pm"}
    assert (await post(shared, "", PM, draft, key="pm-k")).status_code == 201
    order = json.dumps({"number": "77/2567", "effective_from": "2024-09-15"}).encode()
    headers = {"Idempotency-Key": "pm-k"}
    response = await shared.send("POST", "/v1/orders", PM, headers, order)
    assert (response.status_code, response.json()["type"]) == (
        422,
        "urn:kamkap:problem:idempotency-key-used",
    )


# By the orders of the moment.


async def test_a_province_takes_its_open_directives_to_its_next_holder(country: Country) -> None:
    id_ = await issued(country, "moves", PHUKET)
    await step(country, id_, "acknowledge", POC)
    await step(country, id_, "report", POC, report="x")
    await published(country)
    before = country.now
    country.now += timedelta(hours=1)
    stated = order("2/2567", before + timedelta(minutes=30), gives("area", PHUKET, "b"),
                   amends=["1/2567"], complete=[])  # fmt: skip
    await country.network.decide(STREAM, stated)
    assert await step(country, id_, "accept", A) == "403 not-issuer"
    assert await step(country, id_, "accept", B) == "closed"
    await published(country)
    assert id_ in await seen(country, A)
    assert id_ in await seen(country, B)
    assert id_ not in await seen(country, B, as_of=before.isoformat())
    history = await country.ask(f"/v1/directives/{id_}/history", A)
    assert history["items"][-2]["by"] == B


async def test_a_reservation_between_look_and_issue_wins(country: Country) -> None:
    id_ = await drafted(country, "reserved", PHUKET, incident="flood")
    await country.network.decide(
        STREAM, order("2/2567", NOON, {"act": "reserve", "subject": "incidents/flood"}, complete=[])
    )
    assert await step(country, id_, "issue", A) == "403 matter-reserved"
    assert await step(country, id_, "issue", PM) == "open"


async def test_a_substitute_issues_while_the_deputy_is_away_and_not_before(
    country: Country,
) -> None:
    id_ = await drafted(country, "instead", PHUKET)
    assert await step(country, id_, "issue", B) == "404 directive-unknown"
    stands_in = {"act": "substitute", "deputy": "a", "substitutes": ["b"]}
    await ordered(country, "2/2567", stands_in)
    await ordered(country, "3/2567", {"act": "absent", "deputy": "a"})
    assert await step(country, id_, "issue", A) == "403 deputy-away"
    assert await step(country, id_, "issue", B) == "open"
    await published(country)
    detail = await country.ask(f"/v1/directives/{id_}")
    assert (detail["capacity"], detail["acting_for"], detail["issued_by"]) == ("substitute", "a", B)


async def test_for_an_empty_post_the_substitute_goes_on_with_what_was_begun(
    country: Country,
) -> None:
    running = await issued(country, "running", PHUKET)
    id_ = await drafted(country, "vacant", PHUKET)
    await ordered(country, "2/2567", {"act": "substitute", "deputy": "a", "substitutes": ["b"]})
    await ordered(country, "3/2567", {"act": "end_tenure", "tenure": "a.1"})
    assert await step(country, id_, "issue", A) == "403 not-in-office"
    assert await step(country, id_, "issue", B) == "open"
    assert await step(country, running, "withdraw", A, reason="x") == "403 not-issuer"
    assert await step(country, running, "withdraw", B, reason="x") == "withdrawn"
    await published(country)
    detail = await country.ask(f"/v1/directives/{id_}")
    assert (detail["capacity"], detail["acting_for"], detail["issued_by"]) == ("substitute", "a", B)
    assert {running, id_} <= set(await seen(country, B))
    matrix = await country.ask("/v1/oversight", dimension="area")
    assert [
        (one["cover"], one["deputy"]["id"], one["acting_for"])
        for one in matrix["items"]
        if one["target"] == PHUKET and one["deputy"]
    ] == [("uncovered", "b", "a")]


# Reading.


async def test_a_draft_is_its_deputys_its_secretariats_and_the_pms(shared: Country) -> None:
    id_ = await drafted(shared, "seen-draft", PHUKET)
    await published(shared)
    for reader, sees in ((PM, True), (A, True), (SECRETARIAT, True), (B, False), ("pmoc", False),
                         (POC, False), ("secretariat:b", False)):  # fmt: skip
        assert (id_ in await seen(shared, reader)) is sees, reader
        status = (await shared.get(f"/v1/directives/{id_}", reader)).status_code
        assert status == (200 if sees else 404), reader
    for reader in ("analyst", "operator", "press:cnn"):
        assert (await shared.get("/v1/directives", reader)).status_code == 403


@pytest.mark.parametrize("classification", ["open", "confidential"])
async def test_what_is_issued_is_both_sides_and_the_overseers_unless_confidential(
    shared: Country, classification: str
) -> None:
    id_ = await issued(
        shared, f"seen-{classification}", PHUKET, "moi", kind="report",
        provinces=[PHANG_NGA] if classification == "open" else [], classification=classification,
    )  # fmt: skip
    await published(shared)
    is_open = classification == "open"
    for reader, sees in ((PM, True), (A, True), (SECRETARIAT, True), (POC, True), (GOVERNOR, True),
                         (MOC, True), (B, is_open), ("pmoc", is_open), ("poc:TH-82", False),
                         (DOC, False)):  # fmt: skip
        assert (id_ in await seen(shared, reader)) is sees, reader


async def test_a_directives_events_are_read_as_events_by_the_pm_alone(shared: Country) -> None:
    id_ = await drafted(shared, "as-event", PHUKET)
    await published(shared)
    (stored,) = await shared.network.store.load(DECIDER.stream(id_))
    named: dict[str, Json] = {"source": stored.envelope.source, "id": stored.envelope.id}
    assert (await shared.get("/v1/events", PM, **named)).status_code == 200
    assert (await shared.get("/v1/events", "analyst", **named)).status_code == 404


async def test_an_addressee_sees_itself_alone_and_no_draft(shared: Country) -> None:
    id_ = await issued(shared, "alone", PHUKET, "moi", kind="report")
    await step(shared, id_, "acknowledge", MOC)
    await published(shared)
    detail = await shared.ask(f"/v1/directives/{id_}", POC)
    assert [one["addressee"] for one in detail["addressees"]] == detail["named"] == [PHUKET]
    history = await shared.ask(f"/v1/directives/{id_}/history", POC)
    assert [one["event"] for one in history["items"]] == ["issued"]


async def test_what_is_due_and_not_there_is_overdue(shared: Country) -> None:
    due = shared.now + timedelta(minutes=30)
    said = {"acknowledge_by": due.isoformat(), "report_by": (due + timedelta(hours=1)).isoformat()}
    id_ = await issued(shared, "overdue", PHUKET, **said)
    await step(shared, id_, "acknowledge", POC)
    await published(shared)
    for minutes, is_overdue in ((0, False), (31, False), (91, True)):
        moment = (shared.now + timedelta(minutes=minutes)).isoformat()
        found = await seen(shared, PM, as_of=moment, overdue="true", addressee=PHUKET)
        assert (id_ in found) is is_overdue


async def test_lists_are_filtered_and_paged(shared: Country) -> None:
    for nth in range(3):
        await issued(shared, f"page-{nth}", PHUKET, kind="advice")
    await published(shared)
    query = {"kind": "advice", "province": PHUKET, "issuer": "a", "state": "open", "limit": "2"}
    first = await shared.ask("/v1/directives", **query)
    rest = await shared.ask("/v1/directives", cursor=first["next"], **query)
    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert (ids, rest["next"]) == (["page-2", "page-1", "page-0"], None)


async def test_a_past_moment_shows_what_stood_then(country: Country) -> None:
    id_ = await issued(country, "past", PHUKET)
    await published(country)
    then, known = country.now, (await country.tick()).time
    country.now += timedelta(hours=1)
    await step(country, id_, "withdraw", A, reason="ปลอดภัยแล้ว")
    await published(country)
    await country.tick()
    path = f"/v1/directives/{id_}"
    assert (await country.ask(path))["state"] == "withdrawn"
    assert (await country.ask(path, as_of=then.isoformat()))["state"] == "open"
    pair = {"as_of": country.now.isoformat(), "known_at": known.isoformat()}
    assert (await country.ask(path, **pair))["state"] == "open"


async def test_what_states_no_time_is_due_by_the_policy_of_the_day(shared: Country) -> None:
    id_ = await issued(shared, "unstated", PHUKET)
    await published(shared)
    detail = await shared.ask(f"/v1/directives/{id_}")
    day = timedelta(days=1)
    assert moment(detail["acknowledge_by"]) == shared.now + day
    assert moment(detail["report_by"]) == shared.now + 3 * day
    assert moment(detail["addressees"][0]["due_at"]) == shared.now + day
    for hours, is_overdue in ((24, False), (25, True)):
        then = (shared.now + timedelta(hours=hours)).isoformat()
        found = await seen(shared, PM, as_of=then, overdue="true", addressee=PHUKET)
        assert (id_ in found) is is_overdue


async def test_a_policy_rules_what_is_issued_from_its_day_on(country: Country) -> None:
    before = await issued(country, "before", PHUKET)
    policy = {"acknowledge_seconds": 600, "report_seconds": 3600, "reminder_percent": 50,
              "level_seconds": 600, "levels": ["pm"], "valid_from": "2024-09-02"}  # fmt: skip
    await country.network.decide("registry", registered("clocks.set.v1", **policy))
    await published(country)
    same_day = await issued(country, "same-day", PHUKET)
    country.now += timedelta(days=1)
    after = await issued(country, "after", PHUKET)
    await published(country)
    allowed = {
        one["id"]: moment(one["acknowledge_by"]) - moment(one["issued_at"])
        for one in (await country.ask("/v1/directives"))["items"]
    }
    day = timedelta(days=1)
    assert allowed == {before: day, same_day: day, after: timedelta(minutes=10)}


async def test_a_report_that_is_returned_is_due_anew(country: Country) -> None:
    id_ = await issued(country, "anew", PHUKET)
    await step(country, id_, "acknowledge", POC)
    await step(country, id_, "report", POC, report="x")
    country.now += timedelta(days=5)
    await step(country, id_, "return", A, reason="x")
    await published(country)
    (to,) = (await country.ask(f"/v1/directives/{id_}"))["addressees"]
    assert (moment(to["due_at"]), to["overdue"]) == (country.now + timedelta(days=3), False)


async def test_what_is_overdue_shows_with_whom_it_lies_and_its_history_who_was_told(
    country: Country,
) -> None:
    id_ = await issued(country, "up", PHUKET, "moi", kind="report")
    await step(country, id_, "acknowledge", POC)
    country.now += timedelta(days=4, hours=1)
    for one, fell_at in deadlines.fallen(await folded(country, id_), now=country.now).items():
        minutes = (fell_at - NOON) / timedelta(minutes=1)
        notice = event(one.type, one.model_dump(mode="json"), minutes=minutes)
        await country.network.decide(DECIDER.stream(id_), notice)
    await published(country)
    lies = {
        one["addressee"]: (one["overdue"], one["escalated_to"])
        for one in (await country.ask(f"/v1/directives/{id_}"))["addressees"]
    }
    assert lies == {PHUKET: (True, "secretariat"), "moi": (True, "pmoc")}
    history = await country.ask(f"/v1/directives/{id_}/history", POC)
    assert [(one["event"], one["owes"], one["escalated_to"]) for one in history["items"][-2:]] == [
        ("overdue", "report", None),
        ("escalated", "report", "secretariat"),
    ]
    assert {one["addressee"] for one in history["items"]} == {None, PHUKET}
    await step(country, id_, "report", POC, report="x")
    await published(country)
    (to,) = (await country.ask(f"/v1/directives/{id_}", POC))["addressees"]
    assert (to["overdue"], to["escalated_to"], to["due_at"]) == (False, None, None)


def moment(stated: str) -> datetime:
    return datetime.fromisoformat(stated)


# The read model against the decider.

STEPS = {
    "acknowledged": {}, "objected": {"reason": "x"}, "begun": {}, "reported": {"report": "x"},
    "complied": {}, "returned": {"reason": "x"}, "stopped": {}, "lifted": {"reason": "x"},
    "upheld": {"reason": "x"}, "delivered": {"channel": "pull"},
}  # fmt: skip
ALL = Actor("x", frozenset({"issuer", "addressee", "pm", "network"}), frozenset({PHUKET, "moi"}))


def walked(id_: str, chance: Random) -> list[EventModel]:
    """A random life of one directive, as the decider lets it go on."""
    kind = chance.choice(["order", "report", "inquiry", "suspension", "advice"])
    said: Json = {**TEXT, "directive": id_, "drafted_by": SECRETARIAT, "kind": kind}
    said["addressees"] = [PHUKET, "moi"]
    if kind == "suspension":
        said["stops"] = {"act_th": "x", "policy": "agreed"}
    life: list[EventModel] = [DirectiveDrafted.model_validate(said)]
    if chance.random() < 0.1:
        return life
    mandate = Mandate("prime_minister", [Authority(addressee=one) for one in (PHUKET, "moi")])
    now = NOON - timedelta(days=10)
    life += directives.issue(DECIDER.fold(life), ALL, mandate, now=now)
    for _ in range(chance.randrange(40)):
        now += timedelta(hours=chance.randrange(30))
        if chance.random() < 0.5:
            life += deadlines.fallen(DECIDER.fold(life), now=now)
        name, to = chance.choice(sorted(STEPS)), chance.choice([PHUKET, "moi"])
        made = {"directive": id_, "addressee": to, "by": "x", **STEPS[name]}
        taken = decode(f"directive.{name}.v1", json.dumps(made).encode())
        assert isinstance(taken, DirectiveStep)
        endings = [directives.withdraw, directives.reverse, directives.take_over]
        with suppress(Rejected):
            if chance.random() < 0.02:
                life += chance.choice(endings)(DECIDER.fold(life), ALL, reason="x")
            else:
                fold = DECIDER.fold(life)
                timed = deadlines.timed(fold, taken, now=now)
                life += directives.step(fold, timed, ALL)
    return life


def clocks_told(items: Json) -> Json:
    """By when each addressee owes what it owes first, and with whom that lies."""
    return {
        (one["id"], to["addressee"]): (to["due_at"] and moment(to["due_at"]), to["escalated_to"])
        for one in items
        for to in one["addressees"]
        if one["state"] != "taken_over"
    }


def due_at(directive: Directive, addressee: str) -> datetime | None:
    return min((clock.ends for clock in deadlines.owed(directive, addressee)), default=None)


async def test_the_read_model_says_what_the_decider_folds(country: Country) -> None:
    lives = {f"walk-{nth}": walked(f"walk-{nth}", Random(nth)) for nth in range(80)}
    for id_, life in lives.items():
        events = [event(one.type, one.model_dump(mode="json")) for one in life]
        await country.network.decide(DECIDER.stream(id_), *events)
    await country.network.project()
    answer = await country.ask("/v1/directives", limit="100")
    told = {
        one["id"]: (one["state"], {to["addressee"]: to["state"] for to in one["addressees"]})
        for one in answer["items"]
    }
    folds = {id_: DECIDER.fold(life) for id_, life in lives.items()}
    assert told == {id_: (fold.phase, dict(fold.standing)) for id_, fold in folds.items()}
    assert clocks_told(answer["items"]) == {
        (id_, to): (due_at(fold, to), deadlines.escalated_to(fold, to))
        for id_, fold in folds.items()
        for to in fold.standing
        if fold.phase != "taken_over"
    }
    assert {"draft", "open", "closed", "taken_over"} <= {fold.phase for fold in folds.values()}
