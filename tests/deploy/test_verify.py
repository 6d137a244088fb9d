"""The file that checks an event without the network agrees with the door, on any event."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from deploy.verify import verify as alone
from schemas.envelope import Envelope, from_headers, to_headers
from schemas.events.signing import KeyRegistered
from services.domain import signatures
from services.domain.signing import keys_of

CENTRE = "poc:TH-83"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
REGISTERED = KeyRegistered(
    centre=CENTRE,
    key_id="one",
    public_key=base64.b64encode(KEY.public_key().public_bytes_raw()).decode(),
    valid_from=datetime(2000, 1, 1, tzinfo=UTC),
    source="test",
)
KEYS = keys_of(CENTRE, [REGISTERED])
HISTORY = [json.loads(REGISTERED.model_dump_json())]

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=7)), timezone(timedelta(hours=-3.5))])
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001 - Hypothesis adds the zone
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
PAIRS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=3)
DATA = st.builds(
    lambda pairs, spaces: json.dumps(pairs, ensure_ascii=spaces > 1, indent=spaces).encode(),
    PAIRS,
    st.integers(0, 3),
)
ENVELOPES = st.builds(
    Envelope,
    id=WORDS,
    source=st.just("/centres/poc/TH-83"),
    type=WORDS,
    time=MOMENTS,
    subject=st.none() | WORDS,
    dataschema=st.none() | WORDS,
    realm=st.sampled_from(["actual", "exercise", "test"]),
    recordedtime=st.none() | MOMENTS,
    sequence=st.none() | st.from_regex(r"[0-9]{1,12}", fullmatch=True),
    originalid=st.none() | WORDS,
    correlationid=st.none() | WORDS,
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,8}", fullmatch=True), WORDS, max_size=2),
)


def names_of(envelope: Envelope) -> list[str]:
    return sorted([*signatures.present(envelope), *envelope.extensions, "correlationid"])


def signed(envelope: Envelope, data: bytes) -> Envelope:
    material = signatures.sign(envelope, data, names_of(envelope), key_id="one", key=KEY)
    return msgspec.structs.replace(envelope, dssematerial=material)


def structured(envelope: Envelope, data: bytes) -> str:
    """As the gateway shows it."""
    attributes: dict[str, Any] = msgspec.to_builtins(envelope)
    attributes |= attributes.pop("extensions", {})
    attributes |= {"specversion": "1.0", "datacontenttype": envelope.datacontenttype}
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(data)}).decode()


@given(ENVELOPES, DATA)
def test_what_is_signed_holds_in_every_form_and_for_both(envelope: Envelope, data: bytes) -> None:
    sealed = signed(envelope, data)
    again = from_headers(to_headers(sealed))
    assert signatures.verify(again, data, KEYS, at=sealed.time).key_ids == ("one",)
    whole = structured(again, data)
    assert alone.verify(whole, HISTORY).startswith("verified")
    shown = json.dumps({"position": "p", "versions": []})[:-1] + f', "event": {whole}}}'
    assert alone.verify(shown, HISTORY).startswith("verified")


def changed(envelope: Envelope, name: str) -> Envelope:
    value = getattr(envelope, name)
    if isinstance(value, datetime):
        return msgspec.structs.replace(envelope, **{name: value + timedelta(seconds=1)})
    if name == "realm":
        other = "test" if value != "test" else "exercise"
        return msgspec.structs.replace(envelope, realm=other)
    if name == "sequence":
        return msgspec.structs.replace(envelope, sequence="9" + (value or ""))
    return msgspec.structs.replace(envelope, **{name: (value or "") + "x"})


COVERED = ["id", "type", "time", "subject", "dataschema", "datacontenttype", *signatures.COVERED]


@given(ENVELOPES, DATA, st.sampled_from(COVERED))
def test_any_change_of_what_is_covered_breaks_it_for_both(
    envelope: Envelope, data: bytes, name: str
) -> None:
    if name == "recordedtime" and envelope.recordedtime is None:
        other = msgspec.structs.replace(signed(envelope, data), recordedtime=envelope.time)
    else:
        other = changed(signed(envelope, data), name)
    refusals = (signatures.SignatureInvalid, signatures.AttributesNotCovered)
    with pytest.raises(refusals):
        signatures.verify(other, data, KEYS, at=envelope.time)
    with pytest.raises(alone.NotVerified, match=r"^(signature-invalid|attributes-not-covered)"):
        alone.verify(structured(other, data), HISTORY)


@given(ENVELOPES, DATA, st.data())
def test_any_changed_byte_of_the_data_breaks_it(
    envelope: Envelope, data: bytes, draw: st.DataObject
) -> None:
    sealed = signed(envelope, data)
    place = draw.draw(st.integers(0, len(data) - 1))
    other = bytes([data[place] ^ draw.draw(st.integers(1, 255))])
    with pytest.raises(signatures.SignatureInvalid):
        signatures.verify(sealed, data[:place] + other + data[place + 1 :], KEYS, at=envelope.time)


def test_a_fraction_of_a_second_is_not_covered() -> None:
    envelope = Envelope(
        id="1", source="/centres/poc/TH-83", type="t", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    later = envelope.time + timedelta(milliseconds=999)
    other = msgspec.structs.replace(signed(envelope, b"{}"), time=later)
    assert signatures.verify(other, b"{}", KEYS, at=other.time)
    assert alone.verify(structured(other, b"{}"), HISTORY)


def test_a_revoked_key_counts_for_what_was_signed_before(tmp_path: Path) -> None:
    envelope = Envelope(
        id="1", source="/centres/poc/TH-83", type="t", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    text = structured(signed(envelope, b"{}"), b"{}")
    after, before = "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"
    assert alone.verify(text, [{**HISTORY[0], "revoked_from": after}])
    with pytest.raises(alone.NotVerified, match=r"^key-not-valid"):
        alone.verify(text, [{**HISTORY[0], "revoked_from": before}])


def test_it_is_one_file_that_runs_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "verify.py"
    file.write_bytes(Path(alone.__file__).read_bytes())
    envelope = Envelope(
        id="1", source="/centres/poc/TH-83", type="t", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    (tmp_path / "event.json").write_text(structured(signed(envelope, b"{}"), b"{}"))
    (tmp_path / "keys.json").write_text(json.dumps({"items": HISTORY, "next": None}))
    done = subprocess.run(
        [sys.executable, "-I", str(file), "event.json", "keys.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "verified"), done.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", 2), ('{"id": "1", "source": "s", "time": "2026-01-01T00:00:00Z", "data": {}}', 1)],
)
def test_what_it_says_of_other_files(tmp_path: Path, text: str, code: int) -> None:
    event, keys = tmp_path / "event.json", tmp_path / "keys.json"
    event.write_text(text)
    keys.write_text(json.dumps({"items": HISTORY}))
    assert alone.main(str(event), str(keys)) == code
