"""Directives are decided: drafted, issued, answered, ended. Each is a request with a key."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from schemas.envelope import Envelope
from schemas.events import EventModel
from schemas.events.directive import DirectiveDrafted
from services.api.bodies import Body
from services.api.deciding import Decisions, Sent, token_after
from services.api.reading import RegistryRead, Resources, registry_read, registry_until
from services.domain import clocks, directives, issuing, policies
from services.domain.addressees import spoken_for
from services.domain.decider import Decider
from services.domain.directives import (
    DECIDER,
    Actor,
    Directive,
    DirectiveUnknown,
    IllegalStep,
)
from services.domain.issuing import Circumstances
from services.domain.policies import Policy
from services.domain.registry import CLOCKS, day_of
from services.domain.rejected import Rejected
from services.domain.steps import Phase, Standing
from services.eventlog.authority import STREAMS
from services.eventlog.store import Guard, StoredEvent, end_of, guards_on
from services.eventlog.transact import Judge, Judged, state_of

type Take = Callable[[Directive, Actor], list[EventModel]]
"""A step on the directive by somebody who may know of it."""

_CLOCKS = clocks.DECIDER.stream(CLOCKS)


class AddresseeState(Body):
    """How far one addressee is."""

    addressee: str
    state: Standing


class DirectiveState(Body):
    """What a directive has come to by the decision."""

    id: str
    state: Phase
    addressees: list[AddresseeState]
    """All of them for the issuer's side; for an addressee its own."""
    position: str
    """With `after`, an answer that knows the decision."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """One request that decides about one directive, at one moment."""

    resources: Resources
    sent: Sent
    id: str
    read: RegistryRead
    now: datetime

    @classmethod
    async def of(cls, resources: Resources, sent: Sent, id_: str) -> "Deciding":
        """The request with what is registered now."""
        return cls(resources, sent, id_, await registry_read(resources), resources.clock())

    @property
    def decider(self) -> Decider[Directive]:
        """How directives are decided in the realm of the request."""
        return DECIDER.within(self.sent.realm)

    async def draft(self, written: DirectiveDrafted) -> DirectiveState:
        """The draft is written down, or written anew."""

        async def judge(directive: Directive, _: Sequence[StoredEvent]) -> Judged:
            there, guards = await self._circumstances(self._named(written))
            return Judged(self._drafted(directive, written, there), guards)

        return await self._decide(judge)

    async def issue(self) -> DirectiveState:
        """The draft rules from now on."""

        async def judge(directive: Directive, _: Sequence[StoredEvent]) -> Judged:
            named = self._named(directive.draft) | {_CLOCKS}
            there, guards = await self._circumstances(named, directive)
            ground, more = await self._ground(directive)
            return Judged(self._issued(directive, there, ground), [*guards, *more])

        return await self._decide(judge)

    async def take(self, step: Take, *, addressee: str | None) -> DirectiveState:
        """A step of one addressee's life, or (None) of the whole."""

        async def judge(directive: Directive, _: Sequence[StoredEvent]) -> Judged:
            there, guards = await self._circumstances(self._named(directive.draft), directive)
            return Judged(step(directive, self._actor(directive, addressee, there)), guards)

        return await self._decide(judge)

    async def require_issued(self, other: str) -> None:
        """The other directive was issued: only then can it stand in this one's place.

        Raises:
            DirectiveUnknown: it was not.
        """
        stored = await self.resources.store.load(self.decider.stream(other))
        if not state_of(self.decider, stored).standing:
            raise DirectiveUnknown()

    def _drafted(
        self, directive: Directive, written: DirectiveDrafted, there: Circumstances
    ) -> list[EventModel]:
        issuing.check_draft(self.sent.identity, written, there)
        return directives.draft(directive, written)

    def _issued(
        self, directive: Directive, there: Circumstances, ground: Policy
    ) -> list[EventModel]:
        actor, written = self._actor(directive, None, there), directive.draft
        if written is None or directive.phase != "draft":
            raise IllegalStep("issue", directive.phase)
        mandate = issuing.mandate_of(self.sent.identity, written, there)
        if written.stops is not None:
            policies.check_ground(ground, written.stops.policy, at=self.now)
        policy = there.registry.clocks(day_of(self.now)) or clocks.DEFAULT
        return directives.issue(directive, actor, mandate, now=self.now, policy=policy)

    def _actor(self, directive: Directive, addressee: str | None, there: Circumstances) -> Actor:
        """As what the sender acts.

        Raises:
            DirectiveUnknown: the sender may not know of it.
            Rejected: the power over it cannot be exercised at the moment.
        """
        actor = issuing.actor_of(self.sent.identity, directive, addressee, there)
        if not issuing.is_seen(directive, actor):
            raise DirectiveUnknown()
        return actor

    def _named(self, written: DirectiveDrafted | None) -> frozenset[str]:
        return issuing.judged_by(written, centre=self.sent.identity.centre)

    async def _circumstances(
        self, named: Collection[str], directive: Directive | None = None
    ) -> tuple[Circumstances, list[Guard]]:
        """What is ordered and registered, and guards on it; one look at the store has both.

        What the store has of these streams of the registry and the read models lack is waited for.
        """
        seen, streams = self.read, sorted(named)
        while True:
            heads = await self.resources.store.heads([*STREAMS, *streams])
            orders = (await self.resources.orders.read_at(heads))[self.sent.realm]
            there = Circumstances(orders.matrix(self.now), seen.registry)
            if (end := end_of(streams, heads)) <= seen.applied:
                return there, [*orders.guards, *guards_on(streams, heads)]
            if directive is not None:
                self._require_seen(directive, there)
            seen = await registry_until(self.resources, end)

    def _require_seen(self, directive: Directive, there: Circumstances) -> None:
        """Asked before anything is waited for: that would tell who may not know of it that it is.

        Raises:
            DirectiveUnknown: the sender may not know of it.
        """
        try:
            self._actor(directive, None, there)
        except DirectiveUnknown:
            raise
        except Rejected:
            return

    async def _ground(self, directive: Directive) -> tuple[Policy, list[Guard]]:
        """The policy that the draft names as its ground, and the version it was read at."""
        written = directive.draft
        if written is None or written.stops is None:
            return policies.DECIDER.initial, []
        stream = policies.DECIDER.stream(written.stops.policy)
        stored = await self.resources.store.load(stream)
        return state_of(policies.DECIDER, stored), [Guard(stream, len(stored))]

    async def _decide(self, judge: Judge[Directive]) -> DirectiveState:
        decisions = Decisions(self.resources.store, self.decider, self.id)
        decided = await decisions.once(self.sent, judge, envelope=self._envelope)
        return self._answer(decided.state, decided.stream[-1])

    def _envelope(self, event: EventModel, _version: int) -> Envelope:
        """The first event has the request's own id, one that follows from it an id made of it."""
        envelope = self.sent.envelope(event, subject=f"directives/{self.id}", now=self.now)
        if event.type == "directive.closed.v1":
            own = str(uuid5(UUID(self.sent.id), event.type))
            return msgspec.structs.replace(envelope, id=own)
        return envelope

    def _answer(self, directive: Directive, last: StoredEvent) -> DirectiveState:
        who = self.sent.identity
        own = spoken_for(who, self.read.registry, day_of(self.now))
        return DirectiveState(
            id=self.id,
            state=directive.phase,
            addressees=[
                AddresseeState(addressee=addressee, state=standing)
                for addressee, standing in directive.standing.items()
                if who.kind in ("pm", "deputy") or addressee in own
            ],
            position=token_after(last, self.resources.tokens),
        )
