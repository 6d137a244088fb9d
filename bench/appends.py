"""Row 3: durable appends, against the recorder of the package `eventsourcing`."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import msgspec
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from bench import country
from bench.measuring import Row, Run, interleaved
from bench.network import Network, Servers, network_of
from bench.size import Size
from schemas.envelope import STATUS_TOPIC, Envelope, header_texts, to_headers
from services.embedded.postgres import OWNER
from services.eventlog.homes import EMBEDDED
from services.eventlog.log import Message
from services.eventlog.store import Decision, DecisionStore, NewEvent

REACH = "8 × eventsourcing"
BARE_ROWS = 500
_BARE = """
INSERT INTO bare SELECT n, 'stream', n, '/network', id, headers, data
FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[]) AS e (n, id, headers, data)
"""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Shape:
    """So many writers at once, each appending so many events at a time."""

    writers: int
    events: int
    total: int

    @property
    def rounds(self) -> int:
        """Appends of one writer."""
        return max(1, self.total // (self.writers * self.events))

    @property
    def appended(self) -> int:
        """Events of all writers."""
        return self.rounds * self.writers * self.events

    def made[Item](self, item: Callable[[], Item]) -> Sequence[Sequence[Item]]:
        """What one writer appends, made of so many items."""
        return [[item() for _ in range(self.events)] for _ in range(self.rounds)]


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Events a second for the log and for the decision store."""
    async with network_of(servers) as network:
        store = DecisionStore(network.pool)
        with closing(_datastore(network)) as datastore:
            recorder = PostgresApplicationRecorder(datastore, events_table_name="stored_events")
            recorder.create_table()
            for writers, events in ((32, 1), (8, 100)):
                shape = Shape(writers, events, size.append_events * (1 if events == 1 else 8))
                for name, ours in (
                    ("appends to the log", _to_log(network, shape)),
                    ("appends to the decision store", _to_store(store, shape)),
                ):
                    pair = await interleaved(ours, _to_peer(recorder, shape), runs=size.runs)
                    yield pair.row(
                        f"{name}, {writers} × {events}",
                        EMBEDDED,
                        reach=REACH,
                        unit="events/s",
                        conditions=(
                            f"{writers} writers, {events} events an append, ~190 bytes of data, "
                            f"fsync on; {shape.appended:,} events a run; peer: "
                            "PostgresApplicationRecorder, a thread and a connection a writer, "
                            "its table lock and version check on"
                        ),
                    )
            shape = Shape(8, 100, size.append_events * 8)
            bare = await _bare(network, shape)
            pair = await interleaved(bare, _to_peer(recorder, shape), runs=size.runs)
            yield pair.row(
                "no log at all: bare INSERTs, 8 × 100",
                EMBEDDED,
                reach="what 8 × would have to beat",
                unit="events/s",
                conditions=(
                    "the rows of the decision store into a table with its three unique indexes, by "
                    f"INSERT … SELECT unnest of {BARE_ROWS} rows ready in memory, one connection, "
                    "no version check, no position, no notification; fsync on; peer as above"
                ),
            )
        await store.close()


async def _bare(network: Network, shape: Shape) -> Run:
    """What Postgres and the driver take for the same rows when nobody asks anything of them."""
    connection = await network.pool.acquire()
    await connection.execute("CREATE TABLE bare (LIKE decisions.events INCLUDING ALL)")

    async def run() -> float:
        new = [_envelope("/network") for _ in range(shape.appended)]
        columns = (
            [next(_numbers) for _ in new],
            [event.id for event in new],
            [msgspec.json.encode(header_texts(event)).decode() for event in new],
            [_data() for _ in new],
        )
        began = time.perf_counter()
        for first in range(0, shape.appended, BARE_ROWS):
            some = slice(first, first + BARE_ROWS)
            await connection.execute(_BARE, *(column[some] for column in columns))
        return shape.appended / (time.perf_counter() - began)

    return run


def _to_log(network: Network, shape: Shape) -> Run:
    """What is appended is made before the clock starts, here and by the peer."""

    async def writer(nth: int, batches: Sequence[Sequence[Message]]) -> None:
        for batch in batches:
            await network.log.append(STATUS_TOPIC, {nth: batch}, timeout=30)

    async def run() -> float:
        sources = [country.source_of(country.PROVINCES[nth]) for nth in range(shape.writers)]
        made = [shape.made(partial(_message, source)) for source in sources]
        return await _rate(shape, [writer(nth, batches) for nth, batches in enumerate(made)])

    return run


def _to_store(store: DecisionStore, shape: Shape) -> Run:
    async def writer(batches: Sequence[Sequence[NewEvent]]) -> None:
        stream = f"stream-{next(_numbers)}"
        for turn, new in enumerate(batches):
            done = await store.append(Decision(stream, turn * shape.events, new), timeout=30)
            assert done.verdict == "appended"

    async def run() -> float:
        made = [
            shape.made(lambda: NewEvent(_envelope("/network"), _data()))
            for _ in range(shape.writers)
        ]
        return await _rate(shape, [writer(batches) for batches in made])

    return run


async def _rate(shape: Shape, writers: Iterable[Awaitable[None]]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*writers)
    return shape.appended / (time.perf_counter() - began)


def _to_peer(recorder: PostgresApplicationRecorder, shape: Shape) -> Run:
    def writer(batches: Sequence[Sequence[StoredEvent]]) -> None:
        for new in batches:
            recorder.insert_events(new)

    def stored(stream: uuid.UUID, versions: Iterator[int]) -> StoredEvent:
        return StoredEvent(stream, next(versions), "situation.reported.v1", _data())

    async def run() -> float:
        made = [
            shape.made(partial(stored, uuid.uuid4(), itertools.count(1)))
            for _ in range(shape.writers)
        ]
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(shape.writers) as threads:
            running = [loop.run_in_executor(threads, writer, batches) for batches in made]
            return await _rate(shape, running)

    return run


def _datastore(network: Network) -> PostgresDatastore:
    database, _, host = (network.settings.database_url or "").rpartition("?host=")
    return PostgresDatastore(
        database.rpartition("/")[2], host, 5432, OWNER, "", pool_size=32, max_waiting=64
    )


def _message(source: str) -> Message:
    return Message(source.encode(), _data(), to_headers(_envelope(source)))


def _envelope(source: str) -> Envelope:
    return Envelope(
        id=f"a{next(_numbers)}", source=source, type="situation.reported.v1", time=country.BEGIN
    )


def _data() -> bytes:
    return country.data_of("TH-83", 7).encode()
