"""Signatures at the door: checked in every mode, required of whom it is required of."""

import base64
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.envelope import from_headers
from schemas.events import EventModel
from schemas.events.signing import KeyRegistered, SigningRequired
from services.domain.signatures import sign, verify
from services.domain.signing import key_id_of
from services.embedded.postgres import EmbeddedPostgres
from services.eventlog.log import Message, Record
from services.ingest.content import BATCH, NDJSON
from services.ingest.door import message_of
from services.ingest.inbox import read_record
from services.ingest.reading import Stated
from services.ingest.verifying import FEW, Verifiers
from tests.database import fresh_database
from tests.ingest.doorway import NOW, Doorway, Json, event, open_doorway, state

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY_ID = key_id_of(KEY.public_key().public_bytes_raw())
SIGNER, OBLIGED = "poc:TH-83", "poc:TH-82"
SPACED = '{ "incident":"flood",  "place":"TH-83", "dead": 3, "note": "น้ำ" }'
DAY = timedelta(days=1)


def registered(centre: str, *, begin: datetime, end: datetime | None = None) -> KeyRegistered:
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    return KeyRegistered(
        centre=centre,
        key_id=KEY_ID,
        public_key=public,
        valid_from=begin,
        valid_to=end,
        source="test",
    )


REGISTERED: Sequence[EventModel] = [
    registered(SIGNER, begin=NOW - DAY, end=NOW + DAY),
    registered(OBLIGED, begin=NOW - DAY),
    SigningRequired(centre=OBLIGED, required_from=NOW - DAY, source="test"),
]


@pytest_asyncio.fixture(scope="module")
async def signing_doorway(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doorway]:
    async with (
        fresh_database(postgres_server) as database,
        open_doorway(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await state(opened.network, REGISTERED, prefix="k")
        await opened.ingest.registry.refresh()
        yield opened


def signed(
    stated: Json, data: str = SPACED, *, key: Ed25519PrivateKey = KEY, key_id: str = KEY_ID
) -> Json:
    """The event's attributes with its `dssematerial`, everything that it has covered."""
    attributes = {name: value for name, value in stated.items() if name != "data"}
    attributes["datacontenttype"] = "application/json"
    headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    envelope = from_headers(headers)
    names = sorted({"sequence", "recordedtime", "realm", "originalid"} & attributes.keys())
    return {
        **attributes,
        "dssematerial": sign(envelope, data.encode(), names, key_id=key_id, key=key),
    }


def structured(attributes: Json, data: str = SPACED) -> str:
    return json.dumps(attributes)[:-1] + f', "data": {data}}}'


def refusal(body: Json) -> str:
    return str(body["type"]).rpartition(":")[2]


async def refused(doorway: Doorway, body: str, speaker: str = SIGNER) -> str:
    answer = await doorway.post(body, speaker=speaker)
    assert answer.status_code >= 400, answer.text
    return refusal(answer.json())


async def test_a_signature_holds_in_structured_mode(signing_doorway: Doorway) -> None:
    attributes = signed(event(sequence="0000000007", recordedtime="2026-01-01T00:00:00.5Z"))
    assert (await signing_doorway.post(structured(attributes))).status_code == 202


async def test_a_signature_holds_in_batch_mode_and_in_lines(signing_doorway: Doorway) -> None:
    batch = f"[{structured(signed(event()))}, {structured(signed(event(realm='test')))}]"
    answer = (await signing_doorway.post(batch, BATCH)).json()
    assert (answer["accepted"], answer["rejected"]) == (2, [])
    lines = "\n".join(structured(signed(event())) for _ in range(3))
    answer = (
        await signing_doorway.post(
            gzip.compress(lines.encode()), NDJSON, headers={"Content-Encoding": "gzip"}
        )
    ).json()
    assert (answer["accepted"], answer["rejected"]) == (3, [])


async def test_a_signature_holds_in_binary_mode(signing_doorway: Doorway) -> None:
    attributes = signed(event(sequence="0000000008"))
    headers = {
        f"ce-{name}": str(value) for name, value in attributes.items() if name != "datacontenttype"
    }
    answer = await signing_doorway.post(SPACED, "application/json", headers=headers)
    assert answer.status_code == 202, answer.text


def of_log(message: Message) -> Record:
    return Record("status", 0, 0, message.key, message.value, message.headers)


async def test_what_is_stored_still_holds(signing_doorway: Doorway) -> None:
    attributes = signed(event(sequence="0000000009"))
    assert (await signing_doorway.post(structured(attributes))).status_code == 202
    record = (await signing_doorway.stored())[-1]
    keys = signing_doorway.ingest.registry.registry.signing(SIGNER)
    verified = verify(from_headers(record.headers), record.value, keys, at=NOW)
    assert verified.attributes == ("sequence",)


async def test_a_signature_holds_out_of_an_inbox_in_both_modes(signing_doorway: Doorway) -> None:
    attributes = signed(event(sequence="0000000010"))
    headers = [
        (f"ce_{n}", str(v).encode()) for n, v in attributes.items() if n != "datacontenttype"
    ]
    of_kafka = [("content-type", b"application/json"), *headers]
    whole = structured(attributes).encode()
    keys = signing_doorway.ingest.registry.registry.signing(SIGNER)
    for message in (
        Message(b"", SPACED.encode(), of_kafka),
        Message(b"", whole, [("content-type", b"application/cloudevents+json")]),
    ):
        stated = read_record(of_log(message), now=NOW)
        assert isinstance(stated, Stated)
        assert not await Verifiers().refused([(0, stated)], keys)
        again = message_of(stated)
        assert verify(from_headers(again.headers), again.value, keys, at=NOW).attributes


@pytest.mark.parametrize("attribute", ["id", "time", "subject", "sequence"])
async def test_a_changed_attribute_is_refused(signing_doorway: Doorway, attribute: str) -> None:
    changes = {
        "id": "another",
        "time": (NOW - timedelta(minutes=1)).isoformat(),
        "subject": None,
        "sequence": "0000000002",
    }
    attributes = {**signed(event(sequence="0000000001")), attribute: changes[attribute]}
    kept = {name: value for name, value in attributes.items() if value is not None}
    assert await refused(signing_doorway, structured(kept)) == "signature-invalid"


async def test_changed_data_are_refused_and_counted(signing_doorway: Doorway) -> None:
    before = signing_doorway.counted("kamkap_events_refused_total", reason="signature-invalid")
    body = structured(signed(event()), SPACED.replace('"dead": 3', '"dead":3'))
    assert await refused(signing_doorway, body) == "signature-invalid"
    after = signing_doorway.counted("kamkap_events_refused_total", reason="signature-invalid")
    assert after == before + 1


async def test_an_attribute_that_must_be_covered_cannot_be_added(signing_doorway: Doorway) -> None:
    for added in ({"realm": "exercise"}, {"sequence": "0000000099"}, {"originalid": "first"}):
        body = structured({**signed(event()), **added})
        assert await refused(signing_doorway, body) == "attributes-not-covered"


async def test_another_key_is_refused(signing_doorway: Doorway) -> None:
    body = structured(signed(event(), key=OTHER))
    assert await refused(signing_doorway, body) == "signature-invalid"
    body = structured(signed(event(), key=OTHER, key_id="no-key"))
    assert await refused(signing_doorway, body) == "key-unknown"


async def test_what_is_no_envelope_is_refused(signing_doorway: Doorway) -> None:
    body = structured(event(dssematerial="AAAA", data=None))
    assert await refused(signing_doorway, body) == "signature-malformed"


async def test_an_expired_key_is_refused_at_the_events_own_time(signing_doorway: Doorway) -> None:
    early = event(time=(NOW - 2 * DAY).isoformat())
    assert await refused(signing_doorway, structured(signed(early))) == "key-not-valid"


async def test_who_has_to_sign_is_refused_unsigned(signing_doorway: Doorway) -> None:
    own = {"source": "/centres/poc/TH-82", "subject": "provinces/TH-82"}
    data = SPACED.replace("TH-83", "TH-82")
    assert await refused(signing_doorway, structured(event(**own, data=None), data), OBLIGED) == (
        "signature-missing"
    )
    body = structured(signed(event(**own), data), data)
    assert (await signing_doorway.post(body, speaker=OBLIGED)).status_code == 202
    before = event(**own, time=(NOW - 2 * DAY).isoformat(), data=None)
    answer = await signing_doorway.post(structured(before, data), speaker=OBLIGED)
    assert answer.status_code == 202, answer.text


async def test_of_many_those_with_a_wrong_signature_are_refused_alone(
    signing_doorway: Doorway,
) -> None:
    many = 3 * FEW
    lines = [structured(signed(event())) for _ in range(many)]
    lines[5] = structured(signed(event(), key=OTHER))
    lines[7] = structured(event(data=None))
    answer = (await signing_doorway.post("\n".join(lines), NDJSON)).json()
    assert answer["accepted"] == many - 1
    assert [(one["index"], refusal(one["problem"])) for one in answer["rejected"]] == [
        (5, "signature-invalid")
    ]


async def test_a_verifier_that_died_is_replaced() -> None:
    public = KEY.public_key().public_bytes_raw()
    claims = [(public, KEY.sign(b"m"), b"m"), (public, bytes(64), b"m")] * FEW
    verifiers = Verifiers(most=1)
    try:
        for _ in range(2):
            assert await verifiers.judged(claims) == bytes([1, 0]) * FEW
            (process,) = verifiers.idle
            process.kill()
            await process.wait()
    finally:
        await verifiers.close()
