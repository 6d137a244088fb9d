"""The commands as a person types them."""

import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.cli.running import IN_THE_WAY, is_in_the_way
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.operation.settings import Settings

COMMANDS = (
    "up", "ingest", "projections", "timers", "api", "relay", "load", "token", "rebuild", "lag",
    "backup", "restore", "migrate", "settings", "secret", "key", "verify",
)  # fmt: skip


def kamkap(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    code = "from services.cli.main import app; app()"
    stated = {name: value for name, value in os.environ.items() if "KAMKAP" not in name}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**stated, "KAMKAP_HOME": str(home), **more},
        capture_output=True,
        check=False,
        text=True,
    )


def test_help_names_every_command_of_the_contract() -> None:
    said = CliRunner().invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert f" {command} " in said


def test_help_imports_no_process() -> None:
    heavy = ["fastapi", "asyncpg", "sqlalchemy", "pydantic", "aiokafka", "uvicorn"]
    code = f"import sys; import services.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


async def test_a_token_is_alone_on_stdout_and_believed(tmp_path: Path) -> None:
    done = kamkap(tmp_path, "token", "poc:TH-83", "--lifetime", "30m")
    assert done.returncode == 0
    verifier = verifier_of(Settings(home=tmp_path))
    speaker = await verifier.verify(done.stdout.strip(), now=datetime.now(UTC))
    assert speaker == Identity("poc", "TH-83")


def test_a_systems_secret_is_alone_on_stdout_and_its_identitys_own(tmp_path: Path) -> None:
    done = kamkap(tmp_path, "client", "poc:TH-83")
    assert done.returncode == 0
    issuer = Issuer.open(Settings(home=tmp_path))
    assert issuer.knows(Identity("poc", "TH-83"), done.stdout.strip())


@pytest.mark.parametrize("name", sorted(IN_THE_WAY))
def test_every_name_of_what_can_be_in_the_way_is_an_exception(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    assert issubclass(found, Exception)
    assert is_in_the_way(found.__new__(found))


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (("token", "emperor"), {}, "UnknownIdentity"),
        (("token", "pm"), {"KAMKAP_PROT": "1"}, "KAMKAP_PROT is not a setting"),
        (("token", "pm"), {"KAMKAP_LOG_URL": "kafka://a:9092"}, "IssuerRefused"),
        (("lag",), {}, "no `kamkap up` runs here"),
        (("backup", "saved"), {}, "holds no network"),
        (("up",), {"KAMKAP_HOST": "0.0.0.0", "KAMKAP_PORT": "0"}, "IssuerRefused"),  # noqa: S104
    ],
)
def test_what_is_in_the_way_is_one_line_and_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], more: dict[str, str], said: str
) -> None:
    words = tuple(str(tmp_path / word) if word == "saved" else word for word in words)
    done = kamkap(tmp_path / "home", *words, **more)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
