"""Who sees what now: the authority of subscribers, judged anew whenever anything changes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import asyncpg
import msgspec

from schemas.ids import Realm
from services.domain.issuing import Circumstances
from services.domain.matrix import Matrix
from services.domain.readership import Readership
from services.domain.registry import Registry
from services.eventlog.authority import OrdersReader
from services.eventlog.store import DecisionStore
from services.identity.identity import Identity
from services.readmodels.notices import Audience
from services.readmodels.registry_reader import RegistryReader


@dataclass(frozen=True)
class Audiences:
    """Every subscriber's authority at one moment."""

    registry: Registry
    matrices: Mapping[Realm, Matrix]
    _known: dict[tuple[str, Realm], Audience] = field(default_factory=dict)

    def of(self, owner: str, realm: Realm) -> Audience:
        """What this identity sees in the realm."""
        if (found := self._known.get((owner, realm))) is None:
            now = Circumstances(self.matrices[realm], self.registry)
            found = self._known[owner, realm] = Audience(Identity.parse(owner), now)
        return found

    def is_of(self, registry: Registry, matrices: Mapping[Realm, Matrix]) -> bool:
        """Whether it was judged by just these."""
        same = all(self.matrices[realm] is matrix for realm, matrix in matrices.items())
        return same and self.registry is registry


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
        orders, now = await self._orders.read(), self._clock()
        matrices = {realm: there.matrix(now) for realm, there in orders.items()}
        registry, kept = self._registry.registry, self._audiences
        if kept is None or not kept.is_of(registry, matrices):
            kept = self._audiences = Audiences(registry, matrices)
        return kept


def stamp(reads: Readership) -> bytes:
    """Equal for two moments at which a reader sees the same of all directives."""
    parts = (reads.own, reads.powers, reads.places, reads.agendas, reads.addressees)
    text = msgspec.json.encode([reads.everything, reads.issued, *map(sorted, parts)])
    return blake2b(text, digest_size=16).digest()
