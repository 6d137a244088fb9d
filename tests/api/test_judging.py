"""Directives are judged by the registry as it is when they are decided, whatever comes between."""

from dataclasses import replace
from functools import partial

import pytest

from tests.api.country import (
    PHUKET,
    Country,
    Interrupted,
    Json,
    centre,
    province,
    register,
    registered,
)
from tests.api.directing import (
    DOC,
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

DEPARTMENT = {"department": "moi.ddpm", "name_th": "กรม ปภ."}
CLOCKS = {"acknowledge_seconds": 600, "report_seconds": 3600, "reminder_percent": 50,
          "level_seconds": 600, "levels": ["pm"], "valid_from": "2024-09-01"}  # fmt: skip
TODAY = "2024-09-01"

NO_PHUKET = registered(
    "province.registered.v1", province=PHUKET, name_th="ภูเก็ต", name_en="Phuket", valid_to=TODAY
)
NO_INTERIOR = registered(
    "ministry.registered.v1", ministry="moi", name_th="มหาดไทย", valid_to=TODAY
)
OF_HEALTH = registered("department.registered.v1", ministry="moph", **DEPARTMENT)
SHORT_CLOCKS = registered("clocks.set.v1", **CLOCKS)
NO_POC = centre(POC, "POC", province=PHUKET, valid_to=TODAY)


@pytest.mark.parametrize(
    ("stream", "registration", "addressee", "by", "came"),
    [
        ("registry/provinces/TH-83", NO_PHUKET, PHUKET, A, "409 province-not-there"),
        ("registry/provinces/TH-83", NO_PHUKET, PHUKET, PM, "409 province-not-there"),
        ("registry/ministries/moi", NO_INTERIOR, "moi", A, "409 unit-not-there"),
        ("registry/departments/moi.ddpm", OF_HEALTH, "moi.ddpm", A, "403 outside-matrix"),
    ],
    ids=["province", "by the PM", "ministry", "whose department"],
)
async def test_what_is_registered_between_the_look_and_the_issue_wins(
    country: Country,
    interrupted: Interrupted,
    stream: str,
    registration: Json,
    addressee: str,
    by: str,
    came: str,
) -> None:
    await department_registered(country)
    await published(country)
    id_ = await drafted(country, "between", addressee, kind="report")
    interrupted.before_append = partial(register, country, stream, registration)
    assert await step(country, id_, "issue", by) == came


async def test_a_place_where_it_is_to_be_done_is_there_too(
    country: Country, interrupted: Interrupted
) -> None:
    id_ = await drafted(country, "place", "moi", provinces=[PHUKET], kind="report")
    interrupted.before_append = partial(register, country, "registry/provinces/TH-83", NO_PHUKET)
    assert await step(country, id_, "issue", A) == "409 province-not-there"


async def test_what_is_registered_between_the_look_and_the_draft_wins(
    country: Country, interrupted: Interrupted
) -> None:
    interrupted.before_append = partial(register, country, "registry/provinces/TH-83", NO_PHUKET)
    draft = {**TEXT, "directive": "drafted", "addressees": [PHUKET]}
    refused = await post(country, "", SECRETARIAT, draft)
    assert (refused.status_code, refused.json()["rule"]) == (409, "province-not-there")


async def test_a_policy_revoked_between_the_look_and_the_issue_is_no_ground(
    country: Country, interrupted: Interrupted
) -> None:
    stated = {"policy": "coast", "kind": "cabinet_resolution", "outcome": "agreed",
              "title_th": "มติ", "text_th": "มติ", "decided_on": "2024-01-09",
              "valid_from": "2024-01-09"}  # fmt: skip
    stream = "registry/policies/coast"
    await register(country, stream, registered("policy.registered.v1", **stated))
    stops = {"act_th": "การประมูล", "policy": "coast"}
    id_ = await drafted(country, "stops", PHUKET, kind="suspension", stops=stops)
    over = registered("policy.revoked.v1", policy="coast", valid_from=TODAY)
    interrupted.before_append = partial(register, country, stream, over)
    assert await step(country, id_, "issue", A) == "409 policy-not-in-force"


async def test_clocks_set_between_the_look_and_the_issue_are_the_directives(
    country: Country, interrupted: Interrupted
) -> None:
    id_ = await drafted(country, "clocks", PHUKET)
    interrupted.before_append = partial(
        register, country, "registry/clocks/directives", SHORT_CLOCKS
    )
    assert await step(country, id_, "issue", A) == "open"
    await published(country)
    addressee = (await country.ask(f"/v1/directives/{id_}"))["addressees"][0]
    assert addressee["due_at"] == "2024-09-01T13:10:00+07:00"


async def test_a_centre_that_ended_between_the_look_and_the_step_takes_none(
    country: Country, interrupted: Interrupted
) -> None:
    id_ = await issued(country, "ended", PHUKET)
    interrupted.before_append = partial(register, country, f"registry/centres/{POC}", NO_POC)
    assert await step(country, id_, "acknowledge", POC) == "403 not-addressee"


async def test_a_department_that_passed_to_another_ministry_meanwhile_is_its_holders(
    country: Country, interrupted: Interrupted
) -> None:
    await department_registered(country)
    await published(country)
    id_ = await issued(country, "passed", "moi.ddpm", kind="report")
    assert await step(country, id_, "acknowledge", DOC) == "open"
    assert await step(country, id_, "report", DOC, report="x") == "open"
    interrupted.before_append = partial(
        register, country, "registry/departments/moi.ddpm", OF_HEALTH
    )
    assert await step(country, id_, "accept", A) == "403 not-issuer"


async def test_what_it_does_not_name_is_registered_beside_it(
    country: Country, interrupted: Interrupted
) -> None:
    # Not in the read models: a directive that looked at it would have to wait, and be refused.
    country.wait_at_most(seconds=0)
    country.app.state.resources = replace(country.app.state.resources, store=interrupted)
    id_ = await drafted(country, "beside", PHUKET)
    for name, by in (("issue", A), ("acknowledge", POC), ("report", POC), ("accept", A)):
        elsewhere = province("TH-81", "กระบี่", "Krabi")
        interrupted.before_append = partial(
            country.network.decide, "registry/provinces/TH-81", elsewhere
        )
        said = {"report": "x"} if name == "report" else {}
        assert await step(country, id_, name, by, **said) in ("open", "closed"), name


async def test_who_may_know_of_it_waits_for_the_registry_and_nobody_else_can_tell(
    country: Country,
) -> None:
    id_ = await drafted(country, "behind", "moi", kind="report")
    await country.network.decide("registry/ministries/moi", NO_INTERIOR)
    country.wait_at_most(seconds=0)
    assert await step(country, id_, "issue", A) == "503 urn:kamkap:problem:not-yet"
    for outsider in (B, POC, MOC, "analyst"):
        for named in (id_, "nowhere"):
            assert await step(country, named, "issue", outsider) == "404 directive-unknown"
    await country.network.project()
    assert await step(country, id_, "issue", A) == "409 unit-not-there"
