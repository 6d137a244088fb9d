"""Decisions under the orders of the PM: judged by a version of them, appended only under it.

A reservation or a re-assignment that is committed between the look at the orders and the append of
a decision wins: the append fails, and the decision is judged again by what was committed.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from services.domain.chain import DECIDER, PRIME_MINISTER, Chain
from services.domain.matrix import Matrix
from services.domain.registry import day_of
from services.domain.validity import Validity
from services.eventlog.store import DecisionStore, Guard
from services.eventlog.transact import state_of

STREAM = DECIDER.stream(PRIME_MINISTER)


@dataclass(frozen=True)
class Orders:
    """The chain of orders as it stands at one version of its stream, and what follows from it."""

    chain: Chain
    version: int

    @property
    def guard(self) -> Guard:
        """Holds as long as no order and no tenure is added."""
        return Guard(STREAM, self.version)

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
        self._read = Orders(Chain(), 0)

    async def read(self) -> Orders:
        """The orders as they stand now.

        Raises:
            StoreUnavailable: the store is away.
        """
        if await self._store.version(STREAM) != self._read.version:
            stored = await self._store.load(STREAM)
            self._read = Orders(state_of(DECIDER, stored), len(stored))
        return self._read
