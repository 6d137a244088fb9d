"""Who sees what now: the authority of subscribers, judged anew whenever anything changes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import asyncpg
import msgspec

from services.domain.issuing import Circumstances
from services.domain.readership import Readership
from services.eventlog.authority import OrdersReader
from services.eventlog.store import DecisionStore
from services.identity.identity import Identity
from services.readmodels.notices import Audience
from services.readmodels.registry_reader import RegistryReader


@dataclass(frozen=True)
class Audiences:
    """Every subscriber's authority at one moment."""

    now: Circumstances
    _known: dict[str, Audience] = field(default_factory=dict)

    def of(self, owner: str) -> Audience:
        """What this identity sees."""
        if (found := self._known.get(owner)) is None:
            found = self._known[owner] = Audience(Identity.parse(owner), self.now)
        return found


class AudienceReader:
    """Keeps what is derived from orders and registry until one of them, or the moment, changes it.

    Between two boundaries of orders and tenures, and within one day, nobody's authority changes.
    """

    def __init__(
        self, pool: asyncpg.Pool, store: DecisionStore, clock: Callable[[], datetime]
    ) -> None:
        self._registry = RegistryReader(pool)
        self._orders = OrdersReader(store)
        self._clock = clock
        self._audiences: Audiences | None = None

    async def read(self) -> Audiences:
        """The authority of the moment.

        Raises:
            StoreUnavailable, or what asyncpg raises: the database is away.
        """
        await self._registry.refresh()
        matrix = (await self._orders.read()).matrix(self._clock())
        registry, kept = self._registry.registry, self._audiences
        if kept is None or kept.now.matrix is not matrix or kept.now.registry is not registry:
            kept = self._audiences = Audiences(Circumstances(matrix, registry))
        return kept


def stamp(reads: Readership) -> bytes:
    """Equal for two moments at which a reader sees the same of all directives."""
    parts = (reads.own, reads.powers, reads.places, reads.agendas, reads.addressees)
    text = msgspec.json.encode([reads.everything, reads.issued, *map(sorted, parts)])
    return blake2b(text, digest_size=16).digest()
