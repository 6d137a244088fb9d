"""The public key history, and events that anybody checks with it and one file."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.verify.verify import NotVerified, verify
from schemas.envelope import Envelope
from services.domain.signatures import sign
from services.embedded.postgres import EmbeddedPostgres
from tests.api.country import PHUKET, Country, Json, open_country, registered
from tests.database import fresh_database
from tests.projections.network import NOON

FIRST = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECOND = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
DAY = timedelta(days=1)
DATA = '{ "incident":"flood", "place":"TH-83",  "dead": 3, "note":"น้ำ" }'.encode()


def key(key_id: str, private: Ed25519PrivateKey, begin: datetime, **more: Json) -> Json:
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    return registered(
        "key.registered.v1",
        centre="poc:TH-83",
        key_id=key_id,
        public_key=public,
        valid_from=begin.isoformat(),
        **more,
    )


def report(id_: str, private: Ed25519PrivateKey, key_id: str, at: datetime) -> Json:
    envelope = Envelope(
        id=id_,
        source="/centres/poc/TH-83",
        type="situation.reported.v1",
        time=at,
        subject=f"provinces/{PHUKET}",
        sequence="0000000012",
    )
    material = sign(envelope, DATA, ["sequence"], key_id=key_id, key=private)
    return msgspec.structs.replace(envelope, dssematerial=material), DATA


@pytest_asyncio.fixture(scope="module")
async def country(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """Phuket's centre changes its key within two days around noon, when both are valid."""
    async with (
        fresh_database(postgres_server) as database,
        open_country(database, tmp_path_factory.mktemp("home")) as opened,
    ):
        await opened.network.decide(
            "signing/poc:TH-83",
            key("old", FIRST, NOON - 9 * DAY, valid_to=(NOON + timedelta(minutes=30)).isoformat()),
            key("new", SECOND, NOON - timedelta(minutes=30)),
            key("later", SECOND, NOON + DAY),
        )
        await opened.tell(
            report("by-old", FIRST, "old", NOON),
            report("by-new", SECOND, "new", NOON),
            report("by-old-too-late", FIRST, "old", NOON + timedelta(minutes=40)),
        )
        yield opened


async def stored(country: Country, id_: str) -> str:
    answer = await country.get("/v1/events", source="/centres/poc/TH-83", id=id_)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_history_has_every_key_that_had_begun(country: Country) -> None:
    page = await country.ask("/v1/keys", "analyst")
    assert [one["key_id"] for one in page["items"]] == ["old", "new"]
    before = (NOON - DAY).isoformat()
    page = await country.ask("/v1/keys", "analyst", as_of=before, centre="poc:TH-83")
    assert [one["key_id"] for one in page["items"]] == ["old"]
    assert (await country.ask("/v1/keys", centre="poc:TH-82"))["items"] == []


@pytest.mark.parametrize("id_", ["by-old", "by-new"])
async def test_what_is_stored_is_verified_by_one_file_and_the_history(
    country: Country, id_: str
) -> None:
    keys = (await country.ask("/v1/keys"))["items"]
    text = await stored(country, id_)
    assert verify(text, keys).startswith("verified: /centres/poc/TH-83")
    alone = json.loads(text)["event"]
    assert json.loads(DATA) == alone["data"]
    with pytest.raises(NotVerified, match=r"^signature-invalid"):
        verify(text.replace('"dead": 3', '"dead": 4'), keys)
    with pytest.raises(NotVerified, match=r"^signature-invalid"):
        verify(text.replace("0000000012", "0000000013"), keys)


async def test_a_key_counts_within_its_interval_alone(country: Country) -> None:
    keys = (await country.ask("/v1/keys"))["items"]
    with pytest.raises(NotVerified, match=r"^key-not-valid"):
        verify(await stored(country, "by-old-too-late"), keys)
