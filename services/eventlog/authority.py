"""Decisions under the orders of the PM: judged by a version of them, appended only under it.

A reservation or a re-assignment that is committed between the look at the orders and the append of
a decision wins: the append fails, and the decision is judged again by what was committed.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import get_args

from schemas.ids import Realm
from services.domain.chain import DECIDER, PRIME_MINISTER, Chain
from services.domain.matrix import Matrix
from services.domain.registry import day_of
from services.domain.validity import Validity
from services.eventlog.store import DecisionStore, Guard, Head, guards_on
from services.eventlog.transact import state_of

STREAM = DECIDER.stream(PRIME_MINISTER)
_STREAM_IN: Mapping[Realm, str] = {
    realm: DECIDER.within(realm).stream(PRIME_MINISTER) for realm in get_args(Realm)
}
STREAMS = tuple(_STREAM_IN.values())
"""What the orders of every realm are judged by."""


@dataclass(frozen=True)
class Orders:
    """The chain of orders of a realm as it stands at these versions, and what follows from it."""

    chain: Chain
    guards: Sequence[Guard]
    """They hold as long as no order and no tenure is added."""

    def matrix(self, at: datetime) -> Matrix:
        """Who holds what at the moment; the same object until, or from another day on, anything
        begins or ends by the orders."""
        step = day_of(at), bisect_right(self._validity.boundaries, at)
        if step not in self._matrices:
            self._matrices.clear()
            self._matrices[step] = Matrix(self._validity, at)
        return self._matrices[step]

    @cached_property
    def _matrices(self) -> dict[tuple[date, int], Matrix]:
        return {}

    @cached_property
    def _validity(self) -> Validity:
        return Validity(self.chain)


class OrdersReader:
    """Reads the orders of one store; what did not change is not read again."""

    def __init__(self, store: DecisionStore) -> None:
        self._store = store
        self._guards: list[Guard] = []
        self._read: Mapping[Realm, Orders] = {}

    async def read(self) -> Mapping[Realm, Orders]:
        """The orders of every realm as they stand now.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self.read_at(await self._store.heads(STREAMS))

    async def read_at(self, heads: Mapping[str, Head]) -> Mapping[Realm, Orders]:
        """The same for who has just asked how far `STREAMS` have got.

        Raises:
            StoreUnavailable: the store is away.
        """
        if guards_on(STREAMS, heads) != self._guards:
            chains, versions = dict[Realm, Chain](), dict[str, int]()
            for realm, stream in _STREAM_IN.items():
                stored = await self._store.load(stream)
                chains[realm], versions[stream] = state_of(DECIDER, stored), len(stored)
            self._read = {realm: _in(realm, chains, versions) for realm in _STREAM_IN}
            self._guards = [Guard(stream, versions[stream]) for stream in STREAMS]
        return self._read


def _in(realm: Realm, chains: Mapping[Realm, Chain], versions: Mapping[str, int]) -> Orders:
    """The orders that the realm goes by: the actual ones, and on top of them its own."""
    actual = Guard(STREAM, versions[STREAM])
    if realm == "actual":
        return Orders(chains[realm], (actual,))
    own = Guard(_STREAM_IN[realm], versions[_STREAM_IN[realm]])
    return Orders(chains["actual"].then(chains[realm]), (actual, own))
