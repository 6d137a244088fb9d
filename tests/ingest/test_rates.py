"""A centre's rate counts its events, however it sends them, and nobody else's."""

import json
from collections.abc import Callable
from dataclasses import replace

import httpx

from services.identity.rates import Meter, Rate
from services.ingest.content import BATCH, STRUCTURED
from tests.ingest.doorway import Doorway, event

FOUR = Rate("events", quota=4)


def metered(doorway: Doorway, seconds: Callable[[], float]) -> Doorway:
    """The same doorway behind a rate of four events a minute."""
    endpoint = replace(doorway.ingest.endpoint, meter=Meter(FOUR), seconds=seconds)
    transport = httpx.ASGITransport(endpoint)
    client = httpx.AsyncClient(transport=transport, base_url="http://door")
    return replace(doorway, client=client)


async def test_events_are_counted_and_what_is_beyond_the_rate_waits(doorway: Doorway) -> None:
    now = 0.0
    door = metered(doorway, lambda: now)
    one = await door.post_event(event())
    assert one.status_code == 202
    assert one.headers["ratelimit-policy"] == '"events";q=4;w=60'
    assert one.headers["ratelimit"] == '"events";r=3;t=15'
    # A batch is taken whole where one more event may come; it is paid for afterwards.
    many = await door.post(json.dumps([event() for _ in range(5)]), BATCH)
    assert (many.json()["accepted"], many.headers["ratelimit"]) == (5, '"events";r=0;t=90')
    refused = await door.post_event(event())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "45")
    assert refused.json()["violated-policies"] == ["events"]
    now = 45.0
    assert (await door.post_event(event())).status_code == 202
    assert len(await doorway.stored()) == 7
    counted = doorway.counted("kamkap_requests_turned_away_total", reason="rate-exceeded")
    assert counted == doorway.counted("kamkap_events_refused_total", reason="rate-exceeded") == 1


async def test_a_centre_is_not_refused_for_anothers_events(doorway: Doorway) -> None:
    door = metered(doorway, lambda: 0.0)
    await door.post(json.dumps([event() for _ in range(9)]), BATCH)
    assert (await door.post_event(event())).status_code == 429
    assert (await door.post_event(event(), speaker="poc:TH-82")).status_code == 403


async def test_without_a_token_nobody_uses_up_a_rate(doorway: Doorway) -> None:
    door = metered(doorway, lambda: 0.0)
    headers = {"Content-Type": STRUCTURED}
    for _ in range(9):
        answer = await door.client.post("/v1/events", content=b"{}", headers=headers)
        assert answer.status_code == 401
    assert (await door.post_event(event())).status_code == 202
    assert doorway.counted("kamkap_requests_turned_away_total", reason="NoToken") == 9
