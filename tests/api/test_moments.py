"""What a text means as a moment, and what was known when."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.envelope import SLOTS
from schemas.slots import slot_of
from services.api.moments import day_of_text, first_of, last_of, moment_of, pair
from services.eventlog.position import Position
from services.operation.problems import Problem
from tests.api.country import DISASTERS, OPENED, PHUKET, PRESS, Country, Json, registered
from tests.api.happenings import opened, said
from tests.projections.network import NOON, event, report

SITUATION = f"/v1/provinces/{PHUKET}/situation"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_time_means_itself_whatever_its_offset() -> None:
    assert moment_of("2004-12-26T10:00:00+07:00", "as_of") == at("2004-12-26T03:00:00+00:00")
    assert moment_of("2004-12-26t03:00:00.5z", "as_of") == at("2004-12-26T03:00:00.500000+00:00")
    assert moment_of("2005-12-31T23:59:60Z", "as_of") == at("2005-12-31T23:59:59+00:00")
    assert moment_of("2004-12-26T10:00-05:00", "as_of") == at("2004-12-26T15:00:00+00:00")


def test_a_plus_that_a_query_string_made_a_space_is_a_plus() -> None:
    assert moment_of("2004-12-26T10:00:00 07:00", "as_of") == at("2004-12-26T03:00:00+00:00")


def test_a_bare_date_is_that_day_in_bangkok() -> None:
    midnight = at("2004-12-27T00:00:00+07:00")
    assert first_of("2004-12-27", "from") == midnight
    assert moment_of("2004-12-26", "known_at") == midnight
    assert last_of("2004-12-26", "as_of") == midnight - timedelta(microseconds=1)
    assert day_of_text("2004-12-26", "from") == date(2004, 12, 26)


async def test_known_at_alone_sets_as_of_too() -> None:
    asked = await pair(known_at="2004-12-26")
    assert asked.known_at == at("2004-12-27T00:00:00+07:00")
    assert asked.as_of == at("2004-12-26T23:59:59.999999+07:00")


async def test_nothing_stated_leaves_both_open() -> None:
    asked = await pair()
    assert (asked.as_of, asked.known_at) == (None, None)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2004-12-26T10:00:00", "offset"),
        ("2547-12-26", "2004"),
        ("2547-12-26T10:00:00+07:00", "2004"),
        ("1200-01-01", "1800"),
        ("2004-13-01", "calendar"),
        ("2004-02-30T10:00:00Z", "RFC 3339"),
        ("2004-12-26T25:00:00Z", "RFC 3339"),
        ("yesterday", "RFC 3339"),
        ("", "RFC 3339"),
        ("2004-W52-7", "RFC 3339"),
    ],
)
def test_what_is_no_moment_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(Problem) as refused:
        moment_of(text, "as_of")
    assert refused.value.kind.status == 400
    assert refused.value.detail is not None
    assert hint in refused.value.detail.en


async def test_an_empty_as_of_is_not_one_left_out() -> None:
    with pytest.raises(Problem):
        await pair(as_of="")


def test_a_day_of_the_buddhist_era_says_the_year_to_send() -> None:
    with pytest.raises(Problem) as refused:
        day_of_text("2547-12-26", "from")
    assert refused.value.extensions["year_ce"] == 2004
    with pytest.raises(Problem):
        day_of_text("2004-12-26T10:00:00Z", "from")


async def dead(country: Country, **query: Json) -> Json:
    """The number of dead shown of Phuket's flood, or None."""
    body = await country.ask(SITUATION, **query)
    return body["totals"].get("dead")


async def test_as_of_asks_what_was_so(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=5), said(dead=3, minutes=9))
    noon = NOON.isoformat()
    assert await dead(country, as_of=noon) is None
    assert await dead(country, as_of=(NOON + timedelta(minutes=5)).isoformat()) == 2
    assert await dead(country) == 3


async def test_a_late_event_changes_the_past_as_known_now_not_as_known_then(
    country: Country,
) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=5))
    first = await country.tick()
    await country.tell(said(dead=7, minutes=4, source=DISASTERS))
    await country.tick()
    then = {"as_of": (NOON + timedelta(minutes=6)).isoformat()}
    assert await dead(country, **then) == 7
    assert await dead(country, **then, known_at=first.time.isoformat()) == 2


async def test_a_correction_is_known_from_the_tick_that_covers_it(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=20, minutes=5, id="typo"))
    first = await country.tick()
    correction = {
        "corrected_type": "situation.reported.v1",
        "corrected_data": report(dead=2),
        "reason": "typing error",
    }
    await country.tell(event("event.corrected.v1", correction, minutes=8, originalid="typo"))
    second = await country.tick()
    as_of = NOON.isoformat().replace("05:00", "05:30")
    assert await dead(country, as_of=as_of, known_at=first.time.isoformat()) == 20
    assert await dead(country, as_of=as_of, known_at=second.time.isoformat()) == 2
    assert await dead(country, as_of=as_of) == 2


async def test_the_answer_for_a_past_pair_never_changes(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=5))
    first = await country.tick()
    asked: dict[str, Json] = {
        "as_of": "2024-09-01T13:00:00+07:00",
        "known_at": first.time.isoformat(),
    }
    before = await country.get(SITUATION, **asked)
    await country.tell(said(dead=9, minutes=5, source=PRESS), said(dead=3, minutes=6))
    await country.tick()
    after = await country.get(SITUATION, **asked)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    assert after.headers["kamkap-known-at"] == before.headers["kamkap-known-at"]


async def test_a_moment_that_is_not_over_is_answered_for_its_last_tick(country: Country) -> None:
    await country.tell(opened("flood", PHUKET))
    tick = await country.tick()
    later = (tick.time + timedelta(hours=1)).isoformat()
    response = await country.get(SITUATION, as_of=country.now.isoformat(), known_at=later)
    assert at(response.headers["kamkap-known-at"]) == tick.time


async def test_before_the_first_tick_nothing_was_known(country: Country) -> None:
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=5))
    await country.tick()
    known_at = (OPENED + timedelta(days=1)).isoformat()
    response = await country.get(SITUATION, as_of=country.now.isoformat(), known_at=known_at)
    assert response.status_code == 404  # not even the province was registered
    assert await country.ask("/v1/incidents", as_of=country.now.isoformat()) != {"items": []}


async def test_what_is_not_applied_yet_is_answered_for_the_last_tick_that_is(
    country: Country,
) -> None:
    country.wait_at_most(seconds=0.05)
    await country.tell(opened("flood", PHUKET), said(dead=2, minutes=5))
    first = await country.tick()
    await country.network.post([said(dead=3, minutes=6)])
    second = await country.tick()
    response = await country.get(
        SITUATION, as_of=country.now.isoformat(), known_at=second.time.isoformat()
    )
    assert at(response.headers["kamkap-known-at"]) == first.time
    assert response.json()["totals"] == {"dead": 2}


async def test_after_waits_for_a_position(country: Country) -> None:
    await country.tell(opened("flood", PHUKET))
    await country.network.post([said(dead=3, minutes=6)])
    (end,) = await country.network.pool.fetch(
        "SELECT next_offset FROM log.heads WHERE topic = 1 AND partition = $1",
        slot_of("/centres/poc/TH-83"),
    )
    token = country.tokens.seal(Position({slot_of("/centres/poc/TH-83"): end["next_offset"]}))
    waiting = asyncio.create_task(country.get(SITUATION, after=token))
    await country.tick()
    assert not waiting.done()
    await country.network.project()
    response = await waiting
    assert response.json()["totals"] == {"dead": 3}


async def test_after_says_how_far_behind_it_is_when_the_wait_is_over(
    country: Country,
) -> None:
    country.wait_at_most(seconds=0.05)
    token = country.tokens.seal(Position({5: 12}))
    response = await country.get(SITUATION, after=token)
    body = response.json()
    assert (response.status_code, body["type"], body["behind"]) == (
        503,
        "urn:kamkap:problem:not-yet",
        12,
    )
    assert response.headers["retry-after"] == "1"


async def test_a_token_that_is_not_ours_is_refused(country: Country) -> None:
    response = await country.get(SITUATION, after="gAAAA")
    assert (response.status_code, response.json()["type"]) == (
        400,
        "urn:kamkap:problem:invalid-position",
    )


def imported(minutes: float, accepted: datetime, revision: int, dead: int, **named: Json) -> Json:
    """A report that an archive took over."""
    return event(
        "situation.reported.v1",
        report(dead=dead),
        minutes=minutes,
        acceptedtime=accepted,
        archiverevision=revision,
        **named,
    )


async def test_before_the_opening_an_archive_says_what_was_known(country: Country) -> None:
    """The tsunami's months lie before the opening: the archive states when each was known."""
    then = datetime(2004, 12, 26, 5, tzinfo=UTC)
    days_before = (then - NOON) / timedelta(minutes=1)
    ours = {"acceptedtime": then - timedelta(days=300), "archiverevision": 1}
    registry = [
        registered("province.registered.v1", province=PHUKET, name_th="ภูเก็ต"),
    ]
    taken_over = [
        (type(envelope)(**{**_fields(envelope), **ours}), data) for envelope, data in registry
    ]
    await country.network.decide("imported", *taken_over)
    await country.tell(
        opened("flood", PHUKET, minutes=days_before, acceptedtime=then, archiverevision=1),
        imported(days_before, then + timedelta(hours=1), 1, 2),
        imported(days_before + 1, then + timedelta(hours=9), 1, 5),
        imported(days_before + 2, then + timedelta(hours=2), 2, 7),
    )
    for revision in (1, 2):
        await country.network.decide("archive", complete(revision))
    await country.network.project()
    known_at = (then + timedelta(hours=3)).isoformat()
    as_of = (then + timedelta(hours=12)).isoformat()

    async def known(**query: Json) -> tuple[str, Json]:
        response = await country.get(SITUATION, as_of=as_of, **query)
        return response.headers["kamkap-archive-revision"], response.json()["totals"]

    assert await known(known_at=known_at) == ("2", {"dead": 7})
    assert await known(known_at=known_at, archive_revision=1) == ("1", {"dead": 2})
    later = (then + timedelta(hours=10)).isoformat()
    assert await known(known_at=later, archive_revision=1) == ("1", {"dead": 5})

    # The registry was the same at every one of these hours, and is read once for all of them.
    with country.counting_statements() as statements:
        for hour in range(20):
            await known(known_at=(then + timedelta(hours=4, minutes=hour)).isoformat())
    assert not [text for text, _ in statements if "FROM oversight.orders o WHERE" in text]


def complete(revision: int) -> Json:
    return registered(
        "archive.imported.v1",
        revision=revision,
        name="test",
        digest="0",
        events=1,
        decisions=1,
        ends=[0] * (SLOTS + 1),
    )


def _fields(envelope: Json) -> dict[str, Json]:
    return {name: getattr(envelope, name) for name in envelope.__struct_fields__}
