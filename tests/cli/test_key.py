"""`kamkap key`, `kamkap load --sign`, `kamkap verify`: a centre's key, its use, and its check."""

import json
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from schemas.events.signing import KeyRegistered, SigningRequired
from services.cli.key import moment, private_key, public_key, run_new, run_register, run_require
from services.cli.main import app
from services.cli.refusal import Refusal
from services.cli.signer import Signer
from services.domain.signatures import verify
from services.domain.signing import keys_of
from services.embedded.postgres import EmbeddedPostgres
from services.ingest.reading import Stated, read
from services.operation.settings import Settings
from tests.database import Database, fresh_database

NOON = datetime(2026, 10, 1, 5, tzinfo=UTC)
LINE = (
    '{"id":"1", "specversion":"1.0", "type":"situation.reported.v1", "realm":"actual",'
    ' "source":"/centres/poc/TH-83", "time":"2026-10-01T12:00:00.25+07:00", "subject":null,'
    ' "sequence":"0001", "mark":7,  "data":{ "incident":"flood",  "place":"TH-83", "dead":3 } }'
)


@pytest_asyncio.fixture(scope="module")
async def database(postgres_server: EmbeddedPostgres) -> AsyncIterator[Database]:
    async with fresh_database(postgres_server) as opened:
        yield opened


async def made(file: Path, capsys: pytest.CaptureFixture[str]) -> KeyRegistered:
    assert await run_new(file) == 0
    key_id, public = capsys.readouterr().out.splitlines()[-1].split()
    return KeyRegistered(
        centre="poc:TH-83", key_id=key_id, public_key=public, valid_from=NOON, source="test"
    )


async def test_a_new_key_is_its_owners_alone_and_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key.pem"
    key = await made(file, capsys)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert public_key(key.public_key) == private_key(file).public_key().public_bytes_raw()
    with pytest.raises(Refusal, match="is there already"):
        await run_new(file)
    file.chmod(0o644)
    with pytest.raises(Refusal, match="others may read"):
        private_key(file)


async def test_a_key_of_openssh_is_read_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "key.pem", tmp_path / "id_ed25519"
    await made(file, capsys)
    private = private_key(file)
    other.touch(0o600)
    other.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    assert private_key(other).public_key() == private.public_key()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"nothing", "no private key"),
        (
            generate_private_key(SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "another kind",
        ),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(Refusal, match=why):
        private_key(file)


@pytest.mark.parametrize("text", ["!", "AAAA", "A" * 43 + "="])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        public_key(text)


def test_a_time_has_an_offset() -> None:
    assert moment(None) is None
    assert moment("2026-10-01T12:00:00+07:00") == NOON
    for wrong in ("2026-10-01T12:00:00", "tomorrow"):
        with pytest.raises(Refusal):
            moment(wrong)


async def test_a_signed_line_keeps_its_data_and_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await made(tmp_path / "key.pem", capsys)
    signer = Signer.open(tmp_path / "key.pem")
    line = signer.sign(LINE.encode())
    stated = read(line, now=datetime.now(UTC))
    assert isinstance(stated, Stated)
    assert stated.data == b'{ "incident":"flood",  "place":"TH-83", "dead":3 }'
    found = verify(stated.envelope, stated.data, keys_of("poc:TH-83", [key]), at=NOON)
    assert found.attributes == ("mark", "sequence")
    assert signer.sign(line) == line
    assert signer.sign(b"nothing") == b"nothing"

    event, keys = tmp_path / "event.json", tmp_path / "keys.json"
    event.write_bytes(line)
    keys.write_text(json.dumps({"items": [json.loads(key.model_dump_json())]}))
    done = CliRunner().invoke(app, ["verify", str(event), str(keys)])
    assert (done.exit_code, done.output.split(":")[0]) == (0, "verified")
    event.write_bytes(line.replace(b'"dead":3', b'"dead":4'))
    done = CliRunner().invoke(app, ["verify", str(event), str(keys)])
    assert (done.exit_code, done.output.split(":")[0]) == (1, "signature-invalid")


async def test_an_operator_registers_a_key_once_and_requires_signatures(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql:///{database.name}?host={database.server.socket_directory}"
    settings = Settings(home=tmp_path, database_url=url)
    key = await made(tmp_path / "key.pem", capsys)
    for _ in range(2):
        assert await run_register(settings, key) == 0
    ended = key.model_copy(update={"valid_to": NOON.replace(hour=9)})
    assert await run_register(settings, ended) == 0
    required = SigningRequired(centre="poc:TH-83", required_from=NOON, source="test")
    assert await run_require(settings, required) == 0
    async with database.pool() as pool:
        rows = await pool.fetch("SELECT stream, version, data FROM decisions.events ORDER BY 2")
    assert [(row["stream"], row["version"]) for row in rows] == [
        ("signing/poc:TH-83", nth) for nth in (1, 2, 3)
    ]
    other = await made(tmp_path / "other.pem", capsys)
    with pytest.raises(Refusal, match="key-id-taken"):
        await run_register(settings, other.model_copy(update={"key_id": key.key_id}))


def test_the_words_of_key_are_told() -> None:
    said = CliRunner().invoke(app, ["key", "--help"]).output
    for word in ("new", "show", "register", "require"):
        assert f" {word} " in said
