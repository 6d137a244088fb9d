"""A network with a clock of its own: ticks are made by hand, so no test waits for time to pass."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from schemas.envelope import STATUS_TOPIC
from schemas.ids import Realm
from services.eventlog.store import DecisionStore
from services.eventlog.ticks import Tick, following
from services.timers.silence import Scan, SilenceTimer
from tests.database import Database
from tests.projections.network import PHUKET, Network, event, open_network

BEGIN = datetime(2026, 10, 15, 5, tzinfo=UTC)
INTERVAL = 100
_INSERT = "INSERT INTO eventlog.ticks VALUES ($1, $2, $3, $4, $5)"


@dataclass
class Watch:
    """A network with a clock of its own, and timers that watch it in their own role."""

    network: Network
    pool: asyncpg.Pool
    """Connections as `kamkap_timers`."""
    store: DecisionStore
    timer: SilenceTimer
    last: Tick | None = None

    async def tick(self, seconds: float = 10, *, listening: bool = True) -> Tick:
        """Time passes, and a tick says how far the log reaches."""
        ends = await self.network.log.ends(STATUS_TOPIC)
        ends.append(await self.network.store.next_position())
        time = self.last.time + timedelta(seconds=seconds) if self.last else BEGIN
        self.last = following(self.last, time=time, ends=ends, listening=listening)
        tick = self.last
        await self.network.pool.execute(
            _INSERT, tick.number, tick.time, tick.ends, tick.listening, tick.listened
        )
        return tick

    async def pass_time(self, seconds: float, *, listening: bool = True) -> None:
        """A tick every ten seconds, as an idle network has them."""
        for _ in range(round(seconds / 10)):
            await self.tick(10, listening=listening)

    async def hear(self, source: str = PHUKET, *, realm: Realm = "actual") -> None:
        """A sign of life arrives; the next tick covers it."""
        await self.network.post([event("heartbeat.sent.v1", {}, source=source, realm=realm)])

    async def take_over(self) -> None:
        """An import brings an event of the centre."""
        accepted = BEGIN - timedelta(days=900)
        imported = event("heartbeat.sent.v1", {}, acceptedtime=accepted, archiverevision=1)
        await self.network.post([imported])

    async def register(self, centre: str = "poc:TH-83", **stated: object) -> None:
        """A centre is registered."""
        data = {
            "centre": centre, "level": "POC", "name_th": "ศูนย์", "source": "test",
            "reporting_interval_seconds": INTERVAL, **stated,
        }  # fmt: skip
        data = {name: value for name, value in data.items() if value is not None}
        decision = event("centre.registered.v1", data, source="/centres/pmoc")
        await self.network.decide(f"registry/centres/{centre}", decision)

    async def open(self) -> None:
        """The network takes events in by itself from now on."""
        opened = event("network.opened.v1", {"opened_at": BEGIN.isoformat()}, id="opening")
        await self.network.decide("network/opening", opened)

    async def scan(self, timer: SilenceTimer | None = None) -> Scan | None:
        """Read models are brought up to date; then the timer looks at the last tick."""
        await self.publish()
        return await (timer or self.timer).scan()

    async def publish(self) -> None:
        while await self.network.relay.publish():
            pass
        await self.network.project()

    async def stated(self, centre: str = "poc:TH-83") -> list[tuple[str, datetime]]:
        """What was stated of the centre, as a reader of the silences sees it."""
        await self.publish()
        rows = await self.network.pool.fetch(
            "SELECT state, since FROM centres.silences WHERE centre = $1 ORDER BY position", centre
        )
        return [(row["state"], row["since"]) for row in rows]


@asynccontextmanager
async def open_watch(database: Database) -> AsyncIterator[Watch]:
    async with open_network(database) as network, database.pool("kamkap_timers") as pool:
        store = DecisionStore(pool)
        try:
            yield Watch(network, pool, store, SilenceTimer(pool, store))
        finally:
            await store.close()


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)
