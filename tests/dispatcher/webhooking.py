"""A dispatcher of webhooks whose clock is the test's: days pass without waiting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dispatcher.attempts import Lane
from services.dispatcher.audiences import AudienceReader
from services.dispatcher.calling import Caller
from services.dispatcher.webhooks import Webhooks
from services.eventlog.store import DecisionStore
from services.identity.signing import SecretSeal
from tests.api.country import SECRET, Country, Json
from tests.api.directing import published
from tests.api.subscribing import subscribed
from tests.database import Database
from tests.dispatcher.receiving import Receiver

LANES: tuple[Lane, ...] = ("healthy", "failing")


@dataclass
class Hooks:
    """A country with a dispatcher of webhooks, both on the country's clock."""

    country: Country
    webhooks: Webhooks

    async def catch_up(self) -> int:
        """Everything that is due by now was sent; how many attempts that took."""
        await published(self.country)
        await self.webhooks.queue()
        attempts = 0
        while made := sum([await self.webhooks.send(lane, limit=100) for lane in LANES]):
            attempts += made
            await self.webhooks.queue()
        await self.webhooks.state()
        await published(self.country)
        return attempts

    async def at(self, moment: datetime) -> int:
        """The clock says so, and everything due by then was sent."""
        self.country.now = moment
        return await self.catch_up()

    async def pass_by(self, time: timedelta) -> int:
        """So much time goes by, from one due attempt to the next."""
        until, attempts = self.country.now + time, 0
        while (due := await self._next_due()) is not None and due <= until:
            attempts += await self.at(max(due, self.country.now))
        return attempts + await self.at(until)

    async def timeline(self, made: Json, by: str) -> Json:
        """The deliveries of a subscription, the first queued first."""
        path = f"/v1/subscriptions/{made['id']}/deliveries"
        return (await self.country.ask(path, by))["items"][::-1]

    async def subscribe(self, by: str, receiver: Receiver, **said: Json) -> Json:
        """A subscription whose secret the receiver knows."""
        made = await subscribed(self.country, by, receiver.url, **said)
        if made["signing"] == "hmac":
            receiver.secrets.append(made["secret"])
        return made

    async def _next_due(self) -> datetime | None:
        found: datetime | None = await self.country.network.pool.fetchval(
            "SELECT min(d.next_at) FROM outward.deliveries d JOIN outward.subscriptions s "
            "ON s.id = d.subscription WHERE d.state = 'waiting' AND s.disabled_at IS NULL "
            "AND d.next_at > $1",
            self.country.now,
        )
        return found


@asynccontextmanager
async def dispatcher(database: Database, country: Country) -> AsyncIterator[Webhooks]:
    """A dispatcher of its own on the country's clock, without jitter."""
    async with database.pool("kamkap_dispatcher", size=12) as pool:
        store = DecisionStore(pool)
        audiences = AudienceReader(pool, store, lambda: country.now)
        yield Webhooks(
            pool,
            store,
            Caller(loopback=True),
            SecretSeal(SECRET),
            audiences,
            clock=lambda: country.now,
            jitter=lambda: 0.0,
        )
        await store.close()
