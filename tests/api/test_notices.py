"""Notices: what is told of each directive, to whom, in which order, and what filters leave."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.domain.issuing import Circumstances
from services.domain.matrix import matrix_at
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.authority import OrdersReader
from services.identity.identity import Identity
from services.readmodels.notices import (
    Audience,
    Notice,
    Wanted,
    end_of,
    message_of,
    names_in,
    notices,
)
from services.readmodels.registry_reader import RegistryReader
from tests.api.country import (
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    Country,
    Json,
    open_country,
)
from tests.api.directing import (
    MOC,
    PM,
    POC,
    A,
    B,
    department_registered,
    drafted,
    issued,
    published,
    step,
)
from tests.database import fresh_database
from tests.projections.network import NOON, event


async def told(
    country: Country, reader: str, *, after: int = 0, wanted: Wanted | None = None, limit: int = 500
) -> list[Notice]:
    """All that the reader is told from this position on, page by page."""
    found: list[Notice] = []
    audience = await audience_of(country, reader)
    pool, end = country.gateway.resources.pool, await end_of(country.gateway.resources.pool)
    while after < end:
        page, after = await notices(
            pool, audience, wanted or Wanted(), after=after, upto=end, limit=limit
        )
        found += page
    return found


async def audience_of(country: Country, reader: str) -> Audience:
    orders = (await OrdersReader(country.network.store).read())["actual"]
    registry = RegistryReader(country.network.pool)
    await registry.refresh()
    now = Circumstances(matrix_at(orders.chain, country.now), registry.registry)
    return Audience(Identity.parse(reader), now)


def changes(found: list[Notice], id_: str) -> list[tuple[int, str, str | None]]:
    of = (one.event for one in found if one.event.directive == id_)
    return [(one.number, one.change, one.addressee) for one in of]


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """One country for all tests, which name directives of their own and change no order."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await department_registered(opened)
        yield opened


async def test_each_reader_is_told_its_part_in_order(country: Country) -> None:
    id_ = await issued(country, "order", PHUKET, "moi", kind="report")
    await step(country, id_, "acknowledge", MOC)
    await step(country, id_, "acknowledge", POC)
    await step(country, id_, "withdraw", A, reason="ปลอดภัยแล้ว")
    await published(country)
    whole = [(1, "issued", None), (2, "acknowledged", "moi"), (3, "acknowledged", PHUKET),
             (4, "withdrawn", None)]  # fmt: skip
    for reader in (PM, A, "secretariat:a", "pmoc"):
        assert changes(await told(country, reader), id_) == whole
    own = [(1, "issued", None), (2, "acknowledged", PHUKET), (3, "withdrawn", None)]
    assert changes(await told(country, POC), id_) == own
    for reader in (B, "poc:TH-82", "doc:moi.ddpm", "analyst", "operator"):
        assert changes(await told(country, reader), id_) == []


async def test_what_an_archive_tells_is_told_to_nobody(country: Country) -> None:
    said = {"directive": "long-ago", "deputy": "a", "drafted_by": "secretariat:a", "kind": "order",
            "title_th": "x", "text_th": "x", "addressees": [PHUKET]}  # fmt: skip
    issue = {"directive": "long-ago", "issued_by": "pm", "capacity": "prime_minister",
             "authority": [{"addressee": PHUKET}]}  # fmt: skip
    taken = {"directive": "long-ago", "addressee": PHUKET, "by": "poc:TH-83"}
    imported: Json = {"acceptedtime": NOON, "archiverevision": 1, "source": "/centres/pmoc"}
    await country.network.decide(
        "directives/long-ago",
        event("directive.drafted.v1", said, **imported),
        event("directive.issued.v1", issue, **imported),
        event("directive.acknowledged.v1", taken, **imported),
    )
    await published(country)
    for reader in (PM, A, POC):
        assert changes(await told(country, reader), "long-ago") == []


async def test_what_is_confidential_is_told_to_both_sides_alone(country: Country) -> None:
    id_ = await issued(country, "secret", PHUKET, classification="confidential")
    await published(country)
    for reader in (PM, A, "secretariat:a", POC, "governor:TH-83"):
        assert changes(await told(country, reader), id_) == [(1, "issued", None)], reader
    for reader in ("pmoc", B, MOC, "poc:TH-82"):
        assert changes(await told(country, reader), id_) == [], reader


async def test_whom_no_name_concerns_is_told_nothing(country: Country) -> None:
    """Who is passed over by names would have been told nothing; confidential or not."""
    pool = country.gateway.resources.pool
    for classification in ("open", "confidential"):
        begin = await end_of(pool)
        id_ = await issued(country, f"by-name-{classification}", PHUKET,
                           classification=classification)  # fmt: skip
        await published(country)
        names = await names_in(pool, after=begin, upto=await end_of(pool))
        for reader in (PM, A, B, POC, MOC, "pmoc", "poc:TH-82", "governor:TH-83"):
            audience = await audience_of(country, reader)
            found = changes(await told(country, reader, after=begin), id_)
            assert audience.may_see(names) or not found
        assert (await audience_of(country, POC)).may_see(names)
        assert not (await audience_of(country, "poc:TH-82")).may_see(names)


async def test_a_draft_is_told_to_nobody_not_even_withdrawn(country: Country) -> None:
    id_ = await drafted(country, "draft", PHUKET)
    await step(country, id_, "withdraw", A, reason="ไม่ใช้")
    await published(country)
    for reader in (PM, A, "secretariat:a"):
        assert changes(await told(country, reader), id_) == []


async def test_an_issue_is_told_with_its_text_and_an_addressee_learns_of_itself(
    country: Country,
) -> None:
    id_ = await issued(country, "text", PHUKET, "moi", kind="report", grounds=["ระเบียบ 2547"])
    await published(country)
    (to_all,) = [one for one in await told(country, A) if one.event.directive == id_]
    (to_one,) = [one for one in await told(country, POC) if one.event.directive == id_]
    assert to_all.event.text is not None
    assert to_one.event.text is not None
    assert to_all.event.text.addressees == [PHUKET, "moi"]
    assert to_one.event.text.addressees == list(to_one.told) == [PHUKET]
    assert (to_one.event.text.grounds, to_one.event.by) == (["ระเบียบ 2547"], A)
    assert (to_one.id, to_one.position) == (to_all.id, to_all.position)


async def test_a_notice_has_the_states_of_the_moment_it_is_sent(country: Country) -> None:
    id_ = await issued(country, "states", PHUKET)
    await step(country, id_, "acknowledge", POC)
    await step(country, id_, "take-over", PM, reason="ด่วน")
    await published(country)
    found = [one.event for one in await told(country, POC) if one.event.directive == id_]
    assert {(one.state, one.standing) for one in found} == {("taken_over", "acknowledged")}
    assert found[-1].note == "ด่วน"


async def test_a_notice_is_a_cloudevent_with_the_decisions_own_id(country: Country) -> None:
    id_ = await issued(country, "event", PHUKET)
    await published(country)
    (notice,) = [one for one in await told(country, POC) if one.event.directive == id_]
    stored = await country.network.store.load(f"directives/{id_}")
    envelope, data = message_of(notice)
    assert envelope.id == stored[1].envelope.id
    assert (envelope.subject, envelope.source) == (f"directives/{id_}", f"/directives/{id_}")
    assert envelope.position is None
    assert type(notice.event).model_validate_json(data, strict=True) == notice.event


async def test_what_timers_state_is_told_to_the_addressee_and_its_overseers(
    country: Country,
) -> None:
    id_ = await issued(country, "late", PHUKET, "moi", kind="report")
    due = {"directive": id_, "addressee": PHUKET, "owes": "report",
           "since": "2024-09-01T12:00:00+07:00", "due_at": "2024-09-02T12:00:00+07:00"}  # fmt: skip
    await country.network.decide(
        f"directives/{id_}",
        event("directive.overdue.v1", due, source="/network/timers"),
        event("directive.escalated.v1", {**due, "level": 1, "to": "secretariat"},
              source="/network/timers"),
    )  # fmt: skip
    await step(country, id_, "acknowledge", POC)
    await published(country)
    whole = [(1, "issued", None), (2, "overdue", PHUKET), (3, "escalated", PHUKET),
             (4, "acknowledged", PHUKET)]  # fmt: skip
    for reader in (A, POC):
        found = await told(country, reader)
        assert changes(found, id_) == whole
    (escalated,) = [one.event for one in found if one.event.change == "escalated"]
    assert (escalated.owes, escalated.escalated_to) == ("report", "secretariat")
    assert changes(await told(country, MOC), id_) == whole[:1]


async def test_pages_of_any_size_tell_the_same(country: Country) -> None:
    for nth in range(3):
        await issued(country, f"paged-{nth}", PHUKET)
    await published(country)
    for reader in (A, POC, "poc:TH-82"):
        assert await told(country, reader, limit=1) == await told(country, reader)


FILTERED: list[tuple[Wanted, set[str]]] = [
    (Wanted(), {"f-order", "f-report", "f-advice"}),
    (Wanted(provinces=frozenset({PHUKET, PHANG_NGA})), {"f-order", "f-report"}),
    (Wanted(provinces=frozenset({PHANG_NGA})), {"f-report"}),
    (Wanted(ministries=frozenset({"moi"})), {"f-report", "f-advice"}),
    (Wanted(agendas=frozenset({"drugs"})), {"f-advice"}),
    (Wanted(kinds=frozenset({"order", "advice"})), {"f-order", "f-advice"}),
    (Wanted(kinds=frozenset({"order", "advice"}), ministries=frozenset({"moi"})), {"f-advice"}),
    (Wanted(severities=frozenset({"severe", "extreme"})), {"f-order"}),
    (Wanted(severities=frozenset({"minor"})), set()),
    (Wanted(realm="exercise"), set()),
]


async def test_filters_are_any_within_a_dimension_and_all_across(country: Country) -> None:
    await incident(country, "f-flood", PHUKET)
    for id_, to, said in (
        ("f-order", PHUKET, {"incident": "f-flood"}),
        ("f-report", "moi", {"kind": "report", "provinces": [PHANG_NGA]}),
        ("f-advice", "moi.ddpm", {"kind": "advice", "agenda": "drugs"}),
    ):
        await issued(country, id_, to, by=PM, **said)
    await published(country)
    for wanted, left in FILTERED:
        found = {one.event.directive for one in await told(country, PM, wanted=wanted)}
        assert {id_ for id_ in found if id_.startswith("f-")} == left, wanted


async def test_a_filter_tells_nothing_of_what_the_reader_does_not_see(country: Country) -> None:
    await incident(country, "h-flood", PHANG_NGA)
    await issued(country, "hidden", PHUKET, PHANG_NGA, by=PM, incident="h-flood")
    await published(country)
    for wanted in (
        Wanted(provinces=frozenset({PHANG_NGA})),
        Wanted(severities=frozenset({"severe"})),
    ):
        assert "hidden" in {one.event.directive for one in await told(country, PM, wanted=wanted)}
        assert changes(await told(country, POC, wanted=wanted), "hidden") == []


async def test_nobody_passes_a_step_that_is_parked(country: Country) -> None:
    id_ = await issued(country, "parked", PHUKET)
    await published(country)
    (stored,) = [
        one for one in await country.network.store.load(f"directives/{id_}") if one.version == 2
    ]
    pool = country.network.pool
    await pool.execute(
        "INSERT INTO projections.parked VALUES ('directives', $1, 64, $2, 'x')",
        f"directives/{id_}",
        stored.position,
    )
    assert await end_of(pool) == stored.position
    await pool.execute("DELETE FROM projections.parked")
    assert await end_of(pool) > stored.position


async def incident(country: Country, id_: str, province: str) -> None:
    said = {"incident": id_, "hazard": "flood", "title_th": "น้ำท่วม", "severity": "severe",
            "provinces": [province]}  # fmt: skip
    await country.tell(event("incident.opened.v1", said, source=DISASTERS))
