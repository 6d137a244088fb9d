"""The CloudEvents SDK for Python posts in every mode, and reads what the log holds."""

from datetime import datetime

import pytest
from cloudevents.core.bindings import http, kafka
from cloudevents.core.v1.event import CloudEvent

from services.ingest.content import BATCH, NDJSON
from tests.ingest.doorway import NOW, PHUKET, Doorway, Json

DATA: Json = {"incident": "flood", "place": "TH-83", "dead": 3, "note": "น้ำท่วม"}


def made(**attributes: str | datetime) -> CloudEvent:
    """An event as a centre's programmer makes it."""
    stated = {
        "type": "situation.reported.v1",
        "source": PHUKET,
        "id": "sdk-1",
        "time": NOW,
        "subject": "incidents/น้ำท่วม",
        "traceparent": "00-abc-01",
        **attributes,
    }
    return CloudEvent(attributes=stated, data=DATA)


async def posted(doorway: Doorway, message: http.HTTPMessage) -> int:
    headers = {**message.headers, "Authorization": f"Bearer {doorway.token('poc:TH-83')}"}
    answer = await doorway.client.post("/v1/events", content=message.body, headers=headers)
    return answer.status_code


async def assert_stored_as_sent(doorway: Doorway, sent: CloudEvent) -> None:
    [record] = await doorway.stored()
    read = kafka.from_kafka_event(
        kafka.KafkaMessage(dict(record.headers), record.key, record.value)
    )
    assert read.get_data() == DATA
    for name in ("id", "source", "type", "subject", "time", "specversion", "traceparent"):
        assert read.get_attributes()[name] == sent.get_attributes()[name]


@pytest.mark.parametrize("content_type", [{}, {"datacontenttype": "application/json"}])
@pytest.mark.parametrize("mode", [http.to_structured_event, http.to_binary_event])
async def test_the_sdk_posts_one_event(
    doorway: Doorway, mode: object, content_type: dict[str, str]
) -> None:
    assert callable(mode)
    sent = made(**content_type)
    message = mode(sent)
    assert await posted(doorway, message) == 202
    await assert_stored_as_sent(doorway, sent)


@pytest.mark.parametrize(
    ("form", "around", "between"), [(BATCH, b"[]", b","), (NDJSON, b"\n\n", b"\n")]
)
async def test_the_sdk_posts_many(
    doorway: Doorway, form: str, around: bytes, between: bytes
) -> None:
    sent = made()
    bodies = [http.to_structured_event(event).body for event in (sent, sent)]
    body = around[:1] + between.join(bodies) + around[1:]
    assert await posted(doorway, http.HTTPMessage({"content-type": form}, body)) == 202
    await assert_stored_as_sent(doorway, sent)
