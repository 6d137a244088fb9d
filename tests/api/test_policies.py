"""Policies and resolutions over HTTP: who keeps them, what stands when, what rests on them."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest
import pytest_asyncio

from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import PHUKET, Country, Json, open_country
from tests.database import fresh_database

CABINET, MOI, MOPH = "cabinet", "moc:moi", "moc:moph"
TEXT = {
    "kind": "cabinet_resolution",
    "outcome": "agreed",
    "title_th": "มติ",
    "text_th": "เห็นชอบ",
    "decided_on": "2024-08-01",
    "valid_from": "2024-08-10",
    "source": "test",
}
END = {"valid_from": "2024-08-20", "source": "test"}


@pytest_asyncio.fixture(scope="module")
async def shared(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all these tests: each names policies of its own."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        yield opened


async def post(
    country: Country, path: str, by: str | None, body: Json, *, key: str | None = None
) -> httpx.Response:
    content = json.dumps(body).encode()
    headers = {"Idempotency-Key": key or sha256(path.encode() + content).hexdigest()}
    response = await country.send("POST", f"/v1/policies{path}", by, headers, content)
    while await country.network.relay.publish():
        pass
    await country.network.project()
    return response


async def registered(country: Country, id_: str, by: str = CABINET, **said: Json) -> str:
    response = await post(country, "", by, {**TEXT, "policy": id_, **said})
    assert response.status_code == 201, response.text
    return id_


def came(response: httpx.Response) -> str:
    answer = response.json()
    return f"{response.status_code} {answer.get('rule', answer.get('type', ''))}".strip()


async def test_what_the_cabinets_secretary_registers_everybody_reads(shared: Country) -> None:
    id_ = await registered(shared, "read", title_en="Resolution")
    for reader in ("pm", "deputy:a", "poc:TH-83", "analyst", "screening", "inspector:x", CABINET):
        detail = await shared.ask(f"/v1/policies/{id_}", reader)
        assert (detail["state"], detail["ministry"]) == ("in_force", None)
        assert [one["text_th"] for one in detail["texts"]] == ["เห็นชอบ"]
        listed = await shared.ask("/v1/policies", reader)
        assert id_ in {one["id"] for one in listed["items"]}


@pytest.mark.parametrize(
    ("by", "kind", "came_to"),
    [
        (CABINET, "cabinet_policy", "201"),
        (CABINET, "cabinet_resolution", "201"),
        (CABINET, "ministry_policy", "403 not-policy-keeper"),
        (MOI, "ministry_policy", "201"),
        (MOI, "cabinet_resolution", "403 not-policy-keeper"),
        ("moc:unheard-of", "ministry_policy", "403 not-policy-keeper"),
        ("pm", "cabinet_policy", "403 urn:kamkap:problem:forbidden"),
        ("doc:moi.ddpm", "ministry_policy", "403 urn:kamkap:problem:forbidden"),
        ("deputy:a", "cabinet_policy", "403 urn:kamkap:problem:forbidden"),
        ("operator", "cabinet_policy", "403 urn:kamkap:problem:forbidden"),
        (None, "cabinet_policy", "401 urn:kamkap:problem:unauthenticated"),
    ],
)
async def test_the_cabinets_are_kept_by_its_secretary_and_a_ministrys_by_its_centre(
    shared: Country, by: str | None, kind: str, came_to: str
) -> None:
    body = {**TEXT, "policy": f"{by}-{kind}".replace("None", "nobody"), "kind": kind}
    assert came(await post(shared, "", by, body)) == came_to


async def test_a_ministrys_policy_is_its_own(shared: Country) -> None:
    id_ = await registered(shared, "of-moi", MOI, kind="ministry_policy")
    assert (await shared.ask(f"/v1/policies/{id_}"))["ministry"] == "moi"
    other = {**TEXT, "policy": id_, "kind": "ministry_policy", "valid_from": "2024-09-01"}
    assert came(await post(shared, "", MOPH, other)) == "409 policy-id-taken"
    assert came(await post(shared, "", CABINET, {**TEXT, "policy": id_})) == "409 policy-id-taken"
    for by in (MOPH, CABINET):
        revoked = await post(shared, f"/{id_}/revocation", by, END, key=by)
        assert came(revoked) == "403 not-policy-keeper"
    assert came(await post(shared, f"/{id_}/revocation", MOI, END)) == "200"


async def test_a_revoked_one_rules_to_the_last_day_and_not_again(shared: Country) -> None:
    id_ = await registered(shared, "ends")
    ended = await post(shared, f"/{id_}/revocation", CABINET, {**END, "revoked_by": "read"})
    assert came(ended) == "200"
    for day, state in (
        ("2024-08-09", "coming"),
        ("2024-08-10", "in_force"),
        ("2024-08-19", "in_force"),
        ("2024-08-20", "over"),
    ):
        detail = await shared.ask(f"/v1/policies/{id_}", as_of=day)
        assert (detail["state"], detail["revoked_from"]) == (state, "2024-08-20"), day
        listed = await shared.ask("/v1/policies", in_force_on=day)
        assert (id_ in {one["id"] for one in listed["items"]}) is (state == "in_force"), day
    assert (await shared.get(f"/v1/policies/{id_}", as_of="2024-07-31")).status_code == 404
    later = {**TEXT, "policy": id_, "valid_from": "2024-09-01"}
    assert came(await post(shared, "", CABINET, later)) == "409 policy-revoked-already"
    other_day = {**END, "valid_from": "2024-08-21"}
    again = await post(shared, f"/{id_}/revocation", CABINET, other_day)
    assert came(again) == "409 policy-revoked-already"


async def test_its_texts_rule_one_after_the_other(shared: Country) -> None:
    id_ = await registered(shared, "twice", valid_to="2024-08-31")
    await registered(
        shared, id_, title_th="มติใหม่", decided_on="2024-08-25", valid_from="2024-08-31"
    )
    for day, title, texts in (("2024-08-24", "มติ", 1), ("2024-08-30", "มติ", 2),
                              ("2024-08-31", "มติใหม่", 2)):  # fmt: skip
        detail = await shared.ask(f"/v1/policies/{id_}", as_of=day)
        assert (detail["title_th"], detail["state"]) == (title, "in_force"), day
        assert len(detail["texts"]) == texts, day


async def test_what_is_known_of_it_changes_with_known_at(country: Country) -> None:
    id_ = await registered(country, "known")
    known = (await country.tick()).time
    await post(country, f"/{id_}/revocation", CABINET, END)
    await country.tick()
    pair = {"as_of": country.now.isoformat(), "known_at": known.isoformat()}
    assert (await country.ask(f"/v1/policies/{id_}", **pair))["state"] == "in_force"
    assert (await country.ask(f"/v1/policies/{id_}"))["state"] == "over"


async def test_policies_are_filtered_by_kind_and_paged_from_the_last_decided(
    country: Country,
) -> None:
    for nth in (1, 2, 3):
        await registered(country, f"page-{nth}", decided_on=f"2024-08-0{nth}")
    await registered(country, "policy", kind="cabinet_policy")
    first = await country.ask("/v1/policies", kind="cabinet_resolution", limit="2")
    query = {"kind": "cabinet_resolution", "limit": "2", "cursor": first["next"]}
    rest = await country.ask("/v1/policies", **query)
    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert ids == ["page-3", "page-2", "page-1"]


async def test_a_request_sent_again_is_decided_once_and_answered_alike(shared: Country) -> None:
    body = {**TEXT, "policy": "again"}
    answers = [await post(shared, "", CABINET, body, key="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json() | {"position": answers[0].json()["position"]}
    other = await post(shared, "", CABINET, {**body, "title_th": "อื่น"}, key="k")
    elsewhere = await post(shared, "", CABINET, {**body, "policy": "again-2"}, key="k")
    same = await post(shared, "", CABINET, body, key="another")
    kind = "urn:kamkap:problem:idempotency-key-used"
    assert [came(one) for one in (other, elsewhere, same)] == [f"422 {kind}", f"422 {kind}", "201"]
    assert len(await shared.network.store.load("registry/policies/again")) == 1
    assert came(await post(shared, "/again/revocation", CABINET, END, key="k")) == f"422 {kind}"


@pytest.mark.parametrize(
    "wrong",
    [{"valid_to": "2024-08-10"}, {"kind": "law"}, {"title_th": ""}, {"extra": 1},
     {"decided_on": "2567-08-01T00:00"}],
    ids=str,
)  # fmt: skip
async def test_a_body_that_is_none_is_refused_with_its_place(shared: Country, wrong: Json) -> None:
    response = await post(shared, "", CABINET, {**TEXT, "policy": "wrong", **wrong})
    assert response.status_code == 422


async def test_what_is_not_registered_is_not_revoked_and_not_found(shared: Country) -> None:
    assert (await post(shared, "/nowhere/revocation", CABINET, END)).status_code == 404
    assert (await shared.get("/v1/policies/nowhere")).status_code == 404


async def test_a_suspension_rests_on_what_was_registered_until_it_is_revoked(
    country: Country,
) -> None:
    ground = await registered(country, "ground")

    async def issued(id_: str) -> str:
        written = {"directive": id_, "deputy": "a", "kind": "suspension", "title_th": "ยับยั้ง",
                   "text_th": "ให้ยับยั้ง", "addressees": [PHUKET],
                   "stops": {"act_th": "การประมูล", "policy": ground}}  # fmt: skip
        for path, by, body in (("", "secretariat:a", written), (f"/{id_}/issue", "deputy:a", {})):
            content, headers = json.dumps(body).encode(), {"Idempotency-Key": f"{id_}{path}"}
            url = f"/v1/directives{path}"
            response = await country.send("POST", url, by, headers, content)
        return came(response)

    assert await issued("before") == "200"
    today = (country.now + timedelta(hours=7)).date().isoformat()
    await post(country, f"/{ground}/revocation", CABINET, {**END, "valid_from": today})
    assert await issued("after") == "409 policy-not-in-force"
