"""Row: signed NDJSON of 500 events a request, against a loop that does nothing but verify; and what
unsigned requests lose beside the door's having keys to look at.
"""

import base64
import itertools
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import country
from bench.measuring import Row, interleaved
from bench.network import Network, Servers, network_of
from bench.sending import Plan, sending
from bench.size import Size
from schemas.envelope import Envelope
from schemas.events.signing import KeyRegistered
from services.domain.signing import key_id_of
from services.eventlog.homes import EMBEDDED
from services.eventlog.relay import Relay
from services.eventlog.store import Decision, DecisionStore, NewEvent
from services.ingest.proving import judged

EVENTS = 500
SEED = bytes(range(32))
KEY_ID = key_id_of(Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw())
CONDITIONS = (
    "8 connections, NDJSON of 500 reports a request, one centre a request, acks=all after fsync, "
    "one ingest process with its verifiers, nothing else of the bench at work"
)


async def rows(servers: Servers, size: Size) -> AsyncIterator[Row]:
    """Signed events a second; then unsigned ones of centres with a key, and of centres without."""
    async with network_of(servers) as network, network_of(servers) as keyless:
        await _register(network)
        yield await _signed(network, size)
        yield await _unsigned(network, keyless, size)


async def _signed(network: Network, size: Size) -> Row:
    process = await network.start("services.ingest")
    numbers = itertools.count(1)
    events = size.ingest_events

    async def ours() -> float:
        plan = _plan(network, process.port, events, f"sg{next(numbers)}", seed=SEED.hex())
        sent = await sending(plan)
        assert set(sent.statuses) == {202}, sent.trouble
        return events / sent.seconds

    await sending(_plan(network, process.port, 2 * EVENTS, "first", seed=SEED.hex()))
    await ours()
    pair = await interleaved(ours, lambda: _bare(events), runs=size.runs)
    return pair.row(
        "signed ingest over HTTP",
        EMBEDDED,
        reach="0.8",
        unit="events/s",
        conditions=f"{CONDITIONS}; floor verifies alone, on one core; {events:,} events a run",
    )


async def _unsigned(network: Network, keyless: Network, size: Size) -> Row:
    numbers = itertools.count(1)
    events = size.ingest_events
    ports = {}
    for one in (network, keyless):
        ports[id(one)] = (await one.start("services.ingest")).port

    async def rate(one: Network) -> float:
        plan = _plan(one, ports[id(one)], events, f"un{next(numbers)}")
        sent = await sending(plan)
        assert set(sent.statuses) == {202}, sent.trouble
        return events / sent.seconds

    for one in (network, keyless):
        await sending(_plan(one, ports[id(one)], 2 * EVENTS, f"first{id(one)}"))
        await rate(one)
    pair = await interleaved(lambda: rate(network), lambda: rate(keyless), runs=size.runs)
    return pair.row(
        "unsigned ingest of centres that have keys",
        EMBEDDED,
        reach="0.9",
        unit="events/s",
        conditions=f"{CONDITIONS}; floor is the same of centres without keys; {events:,} a run",
    )


def _plan(network: Network, port: int, events: int, prefix: str, *, seed: str = "") -> Plan:
    tokens = {centre: network.token(centre) for centre in country.CENTRES}
    return Plan(port, events // EVENTS, EVENTS, prefix, tokens, seed=seed)


async def _bare(events: int) -> float:
    """A loop of nothing but verifications of the same length; it waits for nobody."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    message = b"m" * 180
    claims = [(key.public_key().public_bytes_raw(), key.sign(message), message)] * EVENTS
    began = time.perf_counter()
    for _ in range(events // EVENTS):
        assert all(judged(claims))
    return events / (time.perf_counter() - began)


async def _register(network: Network) -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    new = []
    for nth, centre in enumerate(country.CENTRES):
        key = KeyRegistered(
            centre=centre,
            key_id=KEY_ID,
            public_key=base64.b64encode(public).decode(),
            valid_from=country.BEGIN - timedelta(days=1),
            source="bench",
        )
        envelope = Envelope(id=f"k{nth}", source="/centres/pmoc", type=key.type, time=country.BEGIN)
        new.append(NewEvent(envelope, json.dumps(key.model_dump(mode="json")).encode()))
    store = DecisionStore(network.pool)
    await store.append(Decision("signing/bench", 0, new))
    relay = Relay(network.pool, network.log, store)
    while await relay.publish():
        pass
    await network.project("decisions")
    await store.close()
