"""Waiting until a storm over directives is at rest, and asking the oracle."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.faults import directive_oracle, oracle
from tests.faults.directive_oracle import Delivery, Directive
from tests.faults.judgement import is_applied
from tests.faults.offices import Offices
from tests.faults.oracle import Json
from tests.faults.processes import until
from tests.faults.subscribers import Subscriber, moods
from tests.faults.system import System

_CATCH_UP_SECONDS = 120
_AGAIN_SECONDS = 3.0
_SOON = timedelta(minutes=1)
"""What is urgent has fallen due by then, and nothing else."""
_PAGE = 500


@dataclass(frozen=True)
class Counted:
    """What happened while the storm went on."""

    directives: int
    decided: int
    """By offices, as they were told."""
    refusals: int
    """How often they had to send again."""
    ends: dict[str, int]
    delivered: int
    overdue: int
    reminded: int
    notices: int
    requests: int
    """What receivers heard in all: some of it twice."""
    moods: dict[str, int]
    """How receivers answered an issue."""


async def judge(offices: Offices, subscribers: Sequence[Subscriber]) -> Counted:
    """Everything came back by itself, and the oracle holds; says what it counted."""
    system = offices.system
    await until(system.is_ready, what="every process is ready again", seconds=_CATCH_UP_SECONDS)
    connection = await asyncpg.connect(system.dsn)
    try:
        await _come_to_rest(offices, subscribers, connection)
        store = await oracle.read_store(connection)
        published = await oracle.read_postgres(connection, "decisions")
        await oracle.decisions_are_whole(connection, published, [], end=len(store))
        commits = await oracle.read_commits(connection)
    finally:
        await connection.close()
    directive_oracle.nothing_decided_is_lost(offices.said, store)
    directives = directive_oracle.fold(store)
    directive_oracle.closes_when_done(directives.values())
    told = {one.addressee: one.receiver.calls for one in subscribers if one.addressee}
    delivered = directive_oracle.delivered_right(directives.values(), told, commits)
    notices = [await _compare_receiver(system, one, directives) for one in subscribers]
    await _compare_answers(system, directives)
    return Counted(
        directives=len(directives),
        decided=len(offices.said),
        refusals=offices.refusals,
        ends=dict(Counter(one.state for one in directives.values())),
        delivered=delivered,
        overdue=sum(one.overdue.total() for one in directives.values()),
        reminded=sum(one.reminded.total() for one in directives.values()),
        notices=sum(notices),
        requests=sum(len(one.receiver.calls) for one in subscribers),
        moods=dict(moods(subscribers)),
    )


async def _come_to_rest(
    offices: Offices, subscribers: Sequence[Subscriber], connection: asyncpg.Connection
) -> None:
    """Nothing is under way any more, and no clock of the storm still runs."""
    waits: list[str] = []

    async def is_at_rest() -> bool:
        waits[:] = await _under_way(offices.system, subscribers, connection)
        return not waits

    calling = asyncio.create_task(_call_again(offices, subscribers))
    try:
        await until(is_at_rest, what="all is told and stated", seconds=_CATCH_UP_SECONDS)
    except AssertionError as late:
        raise AssertionError(f"{late}: {waits}") from None
    finally:
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling


async def _call_again(offices: Offices, subscribers: Sequence[Subscriber]) -> None:
    """Subscribers ask for what failed, so that nobody waits five minutes for its next turn."""
    while True:
        for one in subscribers:
            await one.begin_again(offices)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _under_way(
    system: System, subscribers: Sequence[Subscriber], connection: asyncpg.Connection
) -> list[str]:
    """What is not there yet, the cheapest to ask for first."""
    waiting = await connection.fetch(
        "SELECT s.owner, d.event FROM outward.deliveries d JOIN outward.subscriptions s "
        "ON s.id = d.subscription WHERE d.state = 'waiting'"
    )
    if waiting:
        return [f"{owner} waits for {event}" for owner, event in waiting]
    if not await is_applied(system, connection):
        return ["the read models are behind"]
    store = await oracle.read_store(connection)
    directives = directive_oracle.fold(store).values()
    soon = datetime.now(UTC) + _SOON
    told = {one.addressee: one.receiver.calls for one in subscribers if one.addressee}
    lacking = [
        f"{one.identity} lacks {id_}"
        for one in subscribers
        for id_ in directive_oracle.missing(
            one.receiver.calls, directive_oracle.notices_of(directives, one.addressee)
        )
    ]
    return [
        *lacking,
        *(f"not stated: {due}" for due in directive_oracle.unstated(directives, until=soon)),
        *(f"not delivered: {one}" for one in directive_oracle.undelivered(directives, told)),
    ]


async def _compare_receiver(
    system: System, subscriber: Subscriber, directives: dict[str, Directive]
) -> int:
    """What the receiver wrote down is what it should, and what the API says of it; how much."""
    own = directive_oracle.notices_of(directives.values(), subscriber.addressee)
    directive_oracle.heard_right(subscriber.receiver.calls, own)
    timeline = await _timeline(system, subscriber)
    directive_oracle.timeline_agrees(timeline, subscriber.receiver.calls, own)
    return len(own)


async def _timeline(system: System, subscriber: Subscriber) -> list[tuple[str, Delivery]]:
    """What the API says of every delivery to the subscriber."""
    path = f"subscriptions/{subscriber.id}/deliveries"
    return [
        (one["event"], Delivery(one["state"], [each["status"] for each in one["attempts"]]))
        for one in (await _list(system, subscriber.identity, path))[0]
    ]


async def _compare_answers(system: System, directives: dict[str, Directive]) -> None:
    items, at = await _list(system, "pm", "directives")
    directive_oracle.answer_agrees(items, directives, at)


async def _list(system: System, identity: str, path: str) -> tuple[list[Json], datetime]:
    """Every item of a list, and the moment of which it is."""
    headers = {"Authorization": f"Bearer {system.token(identity)}"}
    items: list[Json] = []
    query: dict[str, str | int] = {"limit": _PAGE}
    while True:
        address = f"{system.gateway}/v1/{path}"
        answer = await system.client.get(address, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if (following := answer.json().get("next")) is None:
            return items, datetime.fromisoformat(answer.headers["Kamkap-As-Of"])
        query["cursor"] = following
