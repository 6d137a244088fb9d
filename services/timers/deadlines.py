"""The timer of directives: reminders, what is overdue, and to whom it goes up.

Acts on the last tick whose facts the read models have applied, never on the wall clock. The read
model names the directives of which something may have fallen due; whether it has, and was not
stated, is decided on the directive's own stream, so a late read model states nothing that is done.
A handful of statements a scan, however many directives there are, and one decision for each of
which something fell due.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import asyncpg
import structlog

from schemas.envelope import DECISIONS_SLOT, Envelope
from schemas.events import EventModel
from schemas.events.clocks import DirectiveDue, DirectiveEscalated
from schemas.ids import Realm
from services.domain import deadlines
from services.domain.directives import DECIDER, Directive
from services.domain.steps import OWING, UNANSWERED
from services.eventlog.store import DecisionStore
from services.eventlog.ticks import Tick
from services.eventlog.transact import transact
from services.timers.hearing import applied_tick
from services.timers.stating import AT_ONCE, NOT_THERE_YET, POLL_SECONDS, SOURCE, all_of

LOOK_AGAIN = timedelta(hours=1)
"""How often all that is open is looked at: what was parked comes late into its read model."""

_ALWAYS = datetime(1, 1, 2, tzinfo=UTC)
_NAMES = UUID("3f0a8f3e-7d3b-5c0e-9a56-61c2ad4c7f08")

# It may name too many, never too few.
_DUE = """
WITH touched AS ({touched})
SELECT t.realm, t.directive FROM touched t
WHERE (
    SELECT s.leads_to FROM directives.steps s
    WHERE (s.realm, s.directive) = (t.realm, t.directive) AND s.addressee IS NULL
    ORDER BY s.position DESC LIMIT 1
) = 'open' AND EXISTS (
    SELECT FROM directives.alarms a
    JOIN directives.authority g ON (g.realm, g.directive) = (a.realm, a.directive)
    WHERE (a.realm, a.directive) = (t.realm, t.directive) AND a.falls_at < $1
      AND g.addressee = coalesce(a.addressee, g.addressee)
      AND coalesce((
          SELECT s.leads_to FROM directives.steps s
          WHERE (s.realm, s.directive, s.addressee) = (a.realm, a.directive, g.addressee)
          ORDER BY s.position DESC LIMIT 1
      ), 'issued') = ANY(CASE a.owes WHEN 'acknowledgement' THEN $2::text[] ELSE $3::text[] END)
      AND NOT EXISTS (
          SELECT FROM directives.stated said
          WHERE (said.realm, said.directive, said.addressee) = (a.realm, a.directive, g.addressee)
            AND (said.owes, said.due_at, said.step, said.level)
              = (a.owes, a.due_at, a.step, a.level)
      )
)
"""

_OF_ALL = _DUE.format(
    touched="SELECT w.realm, w.directive FROM directives.wholes w WHERE w.ended_at = 'infinity'"
)

# What fell due since the last look, and where a step was taken since: who objected and then begins
# owes again what was due long ago.
_OF_NEW = _DUE.format(
    touched="""
    SELECT a.realm, a.directive FROM directives.alarms a WHERE a.falls_at >= $4 AND a.falls_at < $1
    UNION
    SELECT s.realm, s.directive FROM directives.steps s
    WHERE s.slot = $5 AND s.position >= $6 AND s.position < $7
"""
)

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan came to: the tick it looked at, how many events of each type it stated."""

    tick: int
    stated: Mapping[str, int]


class DeadlineTimer:
    """States what falls due. Any number may run: each thing is stated once.

    It keeps no checkpoint: a timer that begins looks at all that is open.
    """

    def __init__(self, pool: asyncpg.Pool, store: DecisionStore) -> None:
        self._pool = pool
        self._store = store
        self._judged: Tick | None = None
        """Up to here all that fell due is stated."""
        self._looked_at_all = _ALWAYS

    async def run(self) -> None:
        """Scan for ever.

        Raises:
            StoreUnavailable, Contended, or what asyncpg raises: nothing is lost, run again.
        """
        while True:
            await self.scan()
            await asyncio.sleep(POLL_SECONDS)

    async def scan(self) -> Scan | None:
        """Look at the last applied tick; None when there is none that is new."""
        try:
            tick = await applied_tick(self._pool)
            if tick is None or (self._judged and tick.number == self._judged.number):
                return None
            looks_at_all = tick.time - self._looked_at_all >= LOOK_AGAIN
            named = await self._named(None if looks_at_all else self._judged, tick)
        except NOT_THERE_YET:
            return None
        stated: list[EventModel] = []
        places = asyncio.Semaphore(AT_ONCE)

        async def state(realm: Realm, directive: str) -> None:
            async with places:
                stated.extend(await self._state(realm, directive, tick.time))

        await all_of(state(*one) for one in named)
        # Only now: a scan that was cut off is done again.
        self._judged = tick
        self._looked_at_all = tick.time if looks_at_all else self._looked_at_all
        return Scan(tick.number, Counter(event.type for event in stated))

    async def _named(self, judged: Tick | None, tick: Tick) -> Sequence[tuple[Realm, str]]:
        """The directives of which something may have fallen due by the tick, after `judged`."""
        due = tick.time, sorted(UNANSWERED), sorted(OWING)
        if judged is None:
            rows = await self._pool.fetch(_OF_ALL, *due)
        else:
            begin, end = judged.ends[DECISIONS_SLOT], tick.ends[DECISIONS_SLOT]
            between = judged.time, DECISIONS_SLOT, begin, end
            rows = await self._pool.fetch(_OF_NEW, *due, *between)
        return [(row["realm"], row["directive"]) for row in rows]

    async def _state(self, realm: Realm, directive: str, now: datetime) -> Sequence[EventModel]:
        """State all that has fallen due of one directive, and is not done or stated meanwhile."""
        made: list[EventModel] = []
        while True:
            stated = await self._state_some(realm, directive, now)
            made += stated
            if len(stated) < deadlines.AT_ONCE:
                return made

    async def _state_some(
        self, realm: Realm, directive: str, now: datetime
    ) -> Sequence[EventModel]:
        envelopes: dict[EventModel, Envelope] = {}

        def decide(there: Directive) -> list[EventModel]:
            envelopes.clear()
            for event, fell_at in deadlines.fallen(there, now=now).items():
                envelopes[event] = _envelope(event, realm, fell_at)
            return list(envelopes)

        decider = DECIDER.within(realm)
        decided = await transact(
            self._store, decider, directive, decide, envelope=lambda event, _: envelopes[event]
        )
        for event in decided.events:
            logger.info("deadline", directive=directive, type=event.type)
        return decided.events


def _envelope(event: DirectiveDue, realm: Realm, fell_at: datetime) -> Envelope:
    """The id is made of what fell due, not of when it is stated."""
    level = event.level if isinstance(event, DirectiveEscalated) else 0
    due_at = event.due_at.astimezone(UTC).isoformat()
    name = f"{event.directive}/{event.addressee}/{event.owes}/{due_at}/{event.type}/{level}"
    name = name if realm == "actual" else f"{realm}:{name}"
    return Envelope(
        id=str(uuid5(_NAMES, name)),
        source=SOURCE,
        type=event.type,
        time=fell_at,
        subject=f"directives/{event.directive}",
        realm=realm,
    )
