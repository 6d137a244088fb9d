"""One question: who asks, for which pair, what they may see, and the transaction that answers it.

Progress and rows come from one snapshot: a read-only transaction at REPEATABLE READ, closed before
the answer is sent.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Annotated

import msgspec
from fastapi import Depends, Query, Request

from schemas.envelope import DECISIONS_SLOT, SLOTS
from services.api.cursors import Answered, Bound, Cursors, Key, Pinned
from services.api.database import STATEMENT_SECONDS, Connection, Found, Pool, Row, snapshot_of
from services.api.knowing import Knowing, Lacking, knowing, settled
from services.api.moments import Pair, pair
from services.api.problems import BAD_TOKEN, forbidden, not_yet
from services.api.progress import Progress
from services.api.reference import (
    Reference,
    ReferenceCache,
    Registered,
    Snapshot,
    There,
    snapshot,
)
from services.api.streams import Streams
from services.domain.matrix import Matrix
from services.domain.registry import Registry, day_of
from services.domain.scope import Resource, Scope, scope_of
from services.eventlog.authority import OrdersReader
from services.eventlog.log import Log
from services.eventlog.position import BadToken, PositionTokens
from services.eventlog.store import DecisionStore, Guard, end_of, guards_on
from services.identity.caller import caller
from services.identity.identity import Identity
from services.identity.signing import SecretSeal
from services.operation.problems import Problem, Text
from services.readmodels.moment import Cut, Live, Moment
from services.readmodels.statements import Select, fetch, together


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request waits for the read models to get there."""

    after_seconds: float = 5.0
    """For a position it names; then it is told how far behind they are."""
    catch_up_seconds: float = 2.0
    """For what was known at a past moment; then the last tick applied answers."""


@dataclass(frozen=True)
class Resources:
    """What the gateway answers with; opened and closed by who wires the process."""

    pool: Pool
    log: Log
    store: DecisionStore
    progress: Progress
    tokens: PositionTokens
    cursors: Cursors
    seal: SecretSeal
    clock: Callable[[], datetime]
    reference: ReferenceCache
    streams: Streams
    patience: Patience = Patience()
    webhooks_loopback: bool = False
    """Development: webhooks may lead to this machine."""

    @cached_property
    def orders(self) -> OrdersReader:
        """The orders as they stand now in the store, read again when they have changed."""
        return OrdersReader(self.store)


@dataclass(frozen=True, slots=True)
class RegistryRead:
    """What is registered, as far as the read models have got."""

    registry: Registry
    applied: int
    """The first position of a decision that it does not know."""


async def registry_read(resources: Resources) -> RegistryRead:
    """What is registered now."""
    async with resources.pool.acquire(timeout=STATEMENT_SECONDS) as connection:
        seen = await snapshot(connection, "")
    # One statement is a snapshot of its own, and most often nothing has changed.
    if (held := resources.reference.held(seen)) is not None:
        return RegistryRead(held.registry, seen.progress[DECISIONS_SLOT])
    async with snapshot_of(resources.pool) as connection:
        seen = await snapshot(connection, "")
        reference = await resources.reference.at(connection, seen, Live())
        return RegistryRead(reference.registry, seen.progress[DECISIONS_SLOT])


async def registry_until(resources: Resources, end: int) -> RegistryRead:
    """What is registered, once the read models have every decision before this position.

    Raises:
        Problem: 503, they did not get there.
    """
    wanted = [0] * SLOTS + [end]
    timeout = resources.patience.after_seconds
    if missing := await resources.progress.reach(wanted, timeout=timeout):
        raise not_yet(missing)
    return await registry_read(resources)


async def registry_now(resources: Resources) -> Registry:
    """What is registered now, as far as the read models have got."""
    return (await registry_read(resources)).registry


async def registry_held(
    resources: Resources, judged_by: Callable[[Registry], Collection[str]]
) -> tuple[Registry, list[Guard]]:
    """What is registered now, and guards that hold as long as it is so on these streams.

    What the store has of them and the read models do not have yet is waited for.

    Raises:
        Problem: 503, the read models did not get there.
        StoreUnavailable: the store is away.
    """
    seen = await registry_read(resources)
    while True:
        streams = sorted(judged_by(seen.registry))
        heads = await resources.store.heads(streams)
        if (end := end_of(streams, heads)) <= seen.applied:
            return seen.registry, guards_on(streams, heads)
        seen = await registry_until(resources, end)


@dataclass(frozen=True)
class Question:
    """One request to read."""

    resources: Resources
    connection: Connection
    identity: Identity
    moment: Moment
    known_at: datetime
    """What the answer states; `moment.known` is what it means."""
    seen: Snapshot
    live: Registry
    """What is registered now: the opening and the imports are asked of it, whatever the pair."""
    reference: Reference

    @property
    def registry(self) -> Registry:
        """The registry as it was known."""
        return self.reference.registry

    @cached_property
    def day(self) -> date:
        """The Bangkok day the question is about."""
        return day_of(self.moment.as_of)

    @cached_property
    def there(self) -> There:
        """What there was at that moment, as it was known."""
        return self.reference.at(self.moment.as_of)

    @property
    def registered(self) -> Registered:
        """What was registered on that day, as it was known."""
        return self.there.registered

    @property
    def matrix(self) -> Matrix:
        """Who held what at that moment, as it was known."""
        return self.there.matrix

    @cached_property
    def scope(self) -> Scope:
        """What the reader may see."""
        return scope_of(self.identity, self.matrix, self.registry)

    def require(self, resource: Resource) -> Scope:
        """The reader's scope, if this kind of resource is in it.

        Raises:
            Problem: 403.
        """
        scope = self.scope
        if not scope.reads(resource):
            raise forbidden()
        return scope

    async def rows(self, sql: str, **parameters: object) -> list[Row]:
        """The rows of a query; the names of the moment's predicate are there already."""
        return await fetch(self.connection, sql, self.moment.parameters | parameters)

    async def select(self, query: Select) -> list[Row]:
        """The rows of a query that has its values with it."""
        return await self.rows(query.sql, **query.named)

    async def together(self, *queries: Select) -> list[list[Found]]:
        """The rows of each query, by one statement.

        Where the processor is what there is too little of, a round trip costs more than a query
        that finds little.
        """
        (row,) = await self.select(together(queries))
        found: list[list[dict[str, object]]] = [
            msgspec.json.decode(rows) if rows else [] for rows in row.values()
        ]
        return [[Found(one) for one in rows] for rows in found]


@dataclass(frozen=True)
class Listing:
    """A question about a list: which page of it."""

    question: Question
    bound: Bound
    limit: int
    last: Key | None
    """The sort key of the last item of the page before; None on the first."""
    earlier: Answered | None = None
    """The pair that the first page was compared with; None on the first."""
    compared: Question | None = None
    """The same question at an earlier pair, where two are compared."""

    def next(self, last: Key) -> str:
        """The cursor after this item; it pins the pair of the first page."""
        later = _answered(self.question)
        earlier = None if self.compared is None else _answered(self.compared)
        pinned = Pinned(later.moment, later.known_at, last, earlier)
        return self.question.resources.cursors.seal(self.bound, pinned)


def _answered(question: Question) -> Answered:
    """The pair, with what is known now as a cut."""
    moment, known_at = question.moment, question.known_at
    if isinstance(moment.known, Live):
        moment = replace(moment, known=Cut(known_at, question.seen.progress))
    return Answered(moment, known_at)


# Dependencies are asynchronous even where they await nothing: the framework runs a plain function
# in a thread, which costs a request more than a query.
async def resources_of(request: Request) -> Resources:
    """The resources of the request's app."""
    found: Resources = request.app.state.resources
    return found


Opened = Annotated[Resources, Depends(resources_of)]
Asker = Annotated[Identity, Depends(caller)]
AskedPair = Annotated[Pair, Depends(pair)]


async def question(resources: Opened, identity: Asker, asked: AskedPair) -> AsyncIterator[Question]:
    """The question that a request asks, with its transaction."""
    async with ask(resources, identity, asked) as put:
        yield put


async def listing(
    request: Request,
    resources: Opened,
    identity: Asker,
    asked: AskedPair,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many items.")] = 100,
    cursor: Annotated[
        str | None,
        Query(
            max_length=4_000, description="`next` of the page before; it keeps that page's pair."
        ),
    ] = None,
) -> AsyncIterator[Listing]:
    """The question about a list that a request asks."""
    bound = Bound(str(identity), request.url.path, request.query_params.multi_items())
    pinned = None if cursor is None else resources.cursors.open(cursor, bound)
    async with ask(resources, identity, asked, pinned) as put:
        last, earlier = (None, None) if pinned is None else (pinned.last, pinned.earlier)
        yield Listing(put, bound, limit, last, earlier)


# Ended before the answer is sent: a slow reader holds no transaction.
Asked = Annotated[Question, Depends(question, scope="function")]
Listed = Annotated[Listing, Depends(listing, scope="function")]


@asynccontextmanager
async def ask(
    resources: Resources, identity: Identity, asked: Pair, pinned: Pinned | None = None
) -> AsyncIterator[Question]:
    """A question in a transaction of its own, after waiting for what it has to wait for.

    Raises:
        Problem: 400 for a bad token; 503 while `after` has not been reached.
    """
    if asked.after is not None:
        await _wait(resources, asked.after)
    asking = _Asking(resources, identity, asked, resources.clock())
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(snapshot_of(resources.pool))
            put = await asking.put(connection, pinned)
        except Lacking as lacking:
            # The snapshot of this transaction would never get further.
            await stack.aclose()
            timeout = resources.patience.catch_up_seconds
            await resources.progress.reach(lacking.ends, timeout=timeout)
            connection = await stack.enter_async_context(snapshot_of(resources.pool))
            put = await asking.put_settled(connection)
        yield put


@dataclass(frozen=True)
class _Asking:
    """Who asks for which pair, and when."""

    resources: Resources
    identity: Identity
    asked: Pair
    now: datetime

    async def put(self, connection: Connection, pinned: Pinned | None) -> Question:
        """The question for the pair asked for, or for the one a cursor has kept."""
        seen = await snapshot(connection, str(self.identity))
        cache = self.resources.reference
        live = (await cache.at(connection, seen, Live())).registry
        if pinned is None:
            known = await knowing(connection, self.asked, live, seen, now=self.now)
            pinned = self._pinned(known)
        moment = pinned.moment
        reference = await cache.at(connection, seen, moment.known, moment.realm)
        return Question(
            self.resources,
            connection,
            self.identity,
            moment,
            pinned.known_at,
            seen,
            live,
            reference,
        )

    async def put_settled(self, connection: Connection) -> Question:
        """The question for the pair asked for, or for the last tick before it that is applied."""
        try:
            return await self.put(connection, None)
        except Lacking:
            known = await settled(connection, self.asked, now=self.now)
            return await self.put(connection, self._pinned(known))

    def _pinned(self, known: Knowing) -> Pinned:
        moment = Moment(self.asked.as_of or self.now, known.known, self.asked.realm)
        return Pinned(moment, known.known_at, ())


async def _wait(resources: Resources, token: str) -> None:
    try:
        position = resources.tokens.open(token)
    except BadToken as bad:
        raise Problem(BAD_TOKEN, Text("โทเค็นตำแหน่งใช้ไม่ได้", str(bad))) from bad
    wanted = [position.next.get(slot, 0) for slot in range(SLOTS + 1)]
    timeout = resources.patience.after_seconds
    if missing := await resources.progress.reach(wanted, timeout=timeout):
        raise not_yet(missing)
