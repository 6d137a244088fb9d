"""What the door takes in, and what it knows already."""

import asyncio
import json

from schemas.envelope import from_headers
from services.ingest.content import BATCH, NDJSON
from tests.ingest.doorway import PHUKET, Doorway, event


def lines(*events: object) -> str:
    return "".join(json.dumps(stated) + "\n" for stated in events)


async def test_an_event_is_in_the_log_when_it_is_acknowledged(doorway: Doorway) -> None:
    answer = await doorway.post_event(event(id="one"))
    assert answer.status_code == 202
    body = answer.json()
    assert (body["id"], body["duplicate"]) == ("one", False)
    stored = await doorway.stored()
    position = doorway.ingest.surroundings.tokens.open(body["position"])
    assert list(position.next.values()) == [stored[-1].offset + 1]


async def test_data_are_stored_byte_for_byte(doorway: Doorway) -> None:
    data = '{ "place":"TH-83" ,"dead": 3e0,\n "incident":"flood", "ไม่รู้จัก": [1.50, "\\u0e01"] }'
    data = data.replace("3e0", "3")
    head = json.dumps({name: value for name, value in event().items() if name != "data"})
    answer = await doorway.post(f'{head[:-1]}, "data": {data} }}'.encode())
    assert answer.status_code == 202
    assert [record.value for record in await doorway.stored()] == [data.encode()]


async def test_attributes_travel_as_headers_with_those_the_network_does_not_know(
    doorway: Doorway,
) -> None:
    stated = event(sequence="00012", traceparent="00-abc-01", sampled=True, weight=7)
    assert (await doorway.post_event(stated)).status_code == 202
    [record] = await doorway.stored()
    envelope = from_headers(record.headers)
    assert record.key == PHUKET.encode()
    assert (envelope.sequence, envelope.subject) == ("00012", "provinces/TH-83")
    assert envelope.extensions == {"traceparent": "00-abc-01", "sampled": "true", "weight": "7"}


async def test_the_same_event_again_is_a_duplicate_with_its_place(doorway: Doorway) -> None:
    stated = event()
    first, second = [(await doorway.post_event(stated)).json() for _ in range(2)]
    tokens = doorway.ingest.surroundings.tokens
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert tokens.open(first["position"]) == tokens.open(second["position"])
    assert len(await doorway.stored()) == 1


async def test_what_the_read_model_admitted_is_a_duplicate_to_another_door(
    doorway: Doorway,
) -> None:
    stated = event()
    await doorway.post_event(stated)
    await doorway.network.project()
    doorway.ingest.endpoint.door.recent = type(doorway.ingest.endpoint.door.recent)()
    assert (await doorway.post_event(stated)).json()["duplicate"] is True
    conflicting = await doorway.post_event({**stated, "data": {**_data(), "dead": 4}})
    assert conflicting.status_code == 409


async def test_other_content_under_a_known_id_is_a_conflict(doorway: Doorway) -> None:
    stated = event()
    await doorway.post_event(stated)
    answer = await doorway.post_event({**stated, "data": {**_data(), "dead": 4}})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:kamkap:problem:conflict"
    assert doorway.counted("kamkap_events_conflicting_total") == 1


async def test_the_same_id_in_another_realm_is_another_event(doorway: Doorway) -> None:
    stated = event()
    await doorway.post_event(stated)
    answer = await doorway.post_event({**stated, "realm": "exercise"})
    assert answer.json()["duplicate"] is False


async def test_each_event_of_many_stands_for_itself(doorway: Doorway) -> None:
    good, bad = event(), event(data={"incident": "flood"})
    answer = await doorway.post(lines(good, bad, good, {**good, "realm": "x"}), NDJSON)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["duplicates"]) == (1, 1)
    assert [(refused["index"], refused["id"]) for refused in body["rejected"]] == [
        (1, bad["id"]),
        (3, good["id"]),
    ]
    assert len(await doorway.stored()) == 1


async def test_a_conflict_inside_one_request_is_refused_by_index(doorway: Doorway) -> None:
    stated = event()
    other = {**stated, "data": {**_data(), "dead": 4}}
    body = (await doorway.post(json.dumps([stated, other]), BATCH)).json()
    assert body["accepted"] == 1
    assert body["rejected"][0]["problem"]["type"] == "urn:kamkap:problem:conflict"


async def test_many_of_which_none_can_be_taken_are_422(doorway: Doorway) -> None:
    answer = await doorway.post(lines(event(time=None), event(type="no.such.v1")), NDJSON)
    assert answer.status_code == 422
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert [refused["index"] for refused in body["rejected"]] == [0, 1]
    assert await doorway.stored() == []


async def test_nothing_at_all_is_taken_as_nothing(doorway: Doorway) -> None:
    answer = await doorway.post("[]", BATCH)
    assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": [], "position": None}


async def test_ten_thousand_events_are_one_request(doorway: Doorway) -> None:
    answer = await doorway.post(lines(*(event() for _ in range(10_000))), NDJSON)
    assert answer.json()["accepted"] == 10_000
    assert doorway.counted("kamkap_events_accepted_total", way="http") == 10_000


async def test_two_at_once_with_the_same_event_make_one(doorway: Doorway) -> None:
    stated = event()
    answers = await asyncio.gather(*(doorway.post_event(stated) for _ in range(8)))
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 7
    assert len(await doorway.stored()) == 1


async def test_a_sealed_event_is_not_taken_in_again(doorway: Doorway) -> None:
    stated = event(id="secret")
    await doorway.network.project()
    await doorway.network.pool.execute(
        "INSERT INTO events.identities (realm, source, id, sealed) "
        "VALUES ('actual', $1, 'secret', true)",
        PHUKET,
    )
    answer = await doorway.post_event(stated)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:kamkap:problem:sealed")


def _data() -> dict[str, object]:
    return {"incident": "flood", "place": "TH-83", "dead": 3}
