"""Webhooks: notices are queued, sent, and tried again; any number of dispatchers share the work.

Time, chance and the network are arguments. The authority of a subscriber is judged at every
dispatch: where it has changed since the message was composed, the notice is looked up anew, and
what is no longer the subscriber's to see is withheld.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import asyncpg
import structlog
from cryptography.exceptions import InvalidTag

from services.dispatcher.attempts import Due, Lane, Outcome, lease, settle, withhold
from services.dispatcher.audiences import AudienceReader, Audiences, stamp
from services.dispatcher.calling import Caller
from services.dispatcher.queueing import queue
from services.dispatcher.stating import state_outcomes
from services.domain.retrying import Answer, judge
from services.eventlog.connection import LOST, heed_cancellation
from services.eventlog.groupcommit import GroupCommit, WriterClosed
from services.eventlog.store import DecisionStore, StoreUnavailable
from services.eventlog.transact import Contended
from services.identity.signing import SecretSeal, signed_headers
from services.operation.logs import describe
from services.operation.process import Work, persist
from services.readmodels.notices import Wanted, notices

POLL_SECONDS = 0.2
SLOTS: dict[Lane, int] = {"healthy": 400, "failing": 100}
"""Attempts under way at once. A dead endpoint takes a slot for as long as an attempt may last."""

_BUSY_SECONDS = 0.05
_STATE_SECONDS = 0.5
_GRACE_SECONDS = 5.0
_AWAY = (*LOST, StoreUnavailable, Contended, asyncpg.DeadlockDetectedError)
_NOT_THERE_YET = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
_RANDOM = secrets.SystemRandom()

type Written = GroupCommit[Outcome, None]
"""What came of attempts that end together is written down together."""

logger = structlog.get_logger()


@dataclass(frozen=True)
class Webhooks:
    """Queues and sends, beside any number of others."""

    pool: asyncpg.Pool
    """Connections as `kamkap_dispatcher`."""
    store: DecisionStore
    caller: Caller
    seal: SecretSeal
    audiences: AudienceReader
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = _RANDOM.random

    @property
    def works(self) -> dict[str, Work]:
        """What a process does for webhooks."""
        return {
            "webhooks_queue": self._persisting(self._keep_queueing),
            "webhooks_healthy": self._persisting(partial(self._keep_sending, "healthy")),
            "webhooks_failing": self._persisting(partial(self._keep_sending, "failing")),
            "webhooks_stating": self._persisting(self._keep_stating),
        }

    async def queue(self) -> None:
        """Everything that is decided and in the read models is queued."""
        audiences = await self.audiences.read()
        while await queue(self.pool, audiences, now=self.clock()):
            pass

    async def send(self, lane: Lane, *, limit: int) -> int:
        """Send what is due in this lane, and wait for all of it; how many attempts that were."""
        due = await lease(self.pool, lane, limit=limit, now=self.clock())
        audiences = await self.audiences.read()
        made = await asyncio.gather(*(self.attempt(one, audiences) for one in due))
        if outcomes := [one for one in made if one is not None]:
            await settle(self.pool, outcomes)
        return len(due)

    async def attempt(self, due: Due, audiences: Audiences) -> Outcome | None:
        """One delivery is attempted; None is one that is withheld instead."""
        if not await self._may_see(due, audiences):
            await withhold(self.pool, due)
            return None
        answer = await self._answer(due)
        ended_at = self.clock()
        verdict = judge(answer, due.tried(ended_at), jitter=self.jitter())
        if verdict.disables:
            logger.warning(
                "webhook_disabled", subscription=str(due.subscription), because=verdict.disables
            )
        return Outcome(due, answer, verdict, ended_at)

    async def state(self) -> None:
        """Directives know of what their addressees' own systems took in, and of what they did not.

        Raises: as `transact`; what is not stated yet is stated next time.
        """
        await state_outcomes(self.pool, self.store, now=self.clock())

    async def _answer(self, due: Due) -> Answer:
        try:
            headers = self._headers(due)
        except InvalidTag:
            # Sealed under another `KAMKAP_SECRET`: its owner makes another, or the operator puts
            # the right one back, while it is tried again.
            return Answer(None, "its secret cannot be opened")
        return await self.caller.post(due.url, headers, due.body)

    def _headers(self, due: Due) -> dict[str, str]:
        opened = (
            self.seal.open(sealed, signing=due.signing, subscription=due.subscription)
            for sealed in due.secrets
        )
        signed = signed_headers(opened, id_=due.event, at=self.clock(), body=due.body)
        return {**signed, "content-type": "application/cloudevents+json; charset=utf-8"}

    async def _may_see(self, due: Due, audiences: Audiences) -> bool:
        """A test is its owner's own; of a directive the authority of now decides."""
        if due.reads is None:
            return True
        audience = audiences.of(due.owner, due.realm)
        if stamp(audience.reads) == due.reads:
            return True
        if audience.reads.is_empty:
            return False
        at = due.position
        told, _ = await notices(
            self.pool, audience, Wanted(realm=due.realm), after=at, upto=at + 1, limit=1
        )
        return bool(told)

    async def _keep_queueing(self) -> None:
        while True:
            with suppress(*_NOT_THERE_YET):
                await self.queue()
            await asyncio.sleep(POLL_SECONDS)

    async def _keep_stating(self) -> None:
        while True:
            await self.state()
            await asyncio.sleep(_STATE_SECONDS)

    async def _keep_sending(self, lane: Lane) -> None:
        """Send for ever: an attempt that takes its time keeps nobody waiting but its own slot."""
        under_way: set[asyncio.Task[None]] = set()
        written: Written = GroupCommit(self._settle, max_size=SLOTS[lane])
        try:
            while True:
                free = SLOTS[lane] - len(under_way)
                due = await lease(self.pool, lane, limit=free, now=self.clock()) if free else []
                if due:
                    audiences = await self.audiences.read()
                    under_way.update(
                        asyncio.create_task(self._attempt_or_leave(one, audiences, written))
                        for one in due
                    )
                under_way = await _still_under_way(under_way)
        finally:
            # What was sent is written down too; what takes longer is sent again by another.
            if under_way:
                await asyncio.wait(under_way, timeout=_GRACE_SECONDS)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            await written.close()

    async def _settle(self, outcomes: Sequence[Outcome]) -> Sequence[None]:
        await settle(self.pool, outcomes)
        return [None] * len(outcomes)

    async def _attempt_or_leave(self, due: Due, audiences: Audiences, written: Written) -> None:
        try:
            if outcome := await self.attempt(due, audiences):
                await written.write(outcome)
        except (*LOST, WriterClosed, asyncpg.DeadlockDetectedError) as away:
            heed_cancellation()
            # Its lease runs out, and it is sent again under the same id.
            logger.warning("attempt_not_recorded", error=describe(away))

    def _persisting(self, work: Callable[[], Awaitable[None]]) -> Work:
        return partial(persist, work, name="webhooks", through=_AWAY)


async def _still_under_way(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """After a short wait, shorter where something is under way: what has not ended."""
    if not tasks:
        await asyncio.sleep(POLL_SECONDS)
        return tasks
    done, pending = await asyncio.wait(tasks, timeout=_BUSY_SECONDS)
    for task in done:
        task.result()
    return pending
