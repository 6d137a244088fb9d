"""The embedded issuer serves one machine."""

import stat
from pathlib import Path

import pytest

from services.identity.issuer import KEY_FILE, Issuer, IssuerRefused
from services.operation.settings import Settings


def test_the_issuer_refuses_a_kafka_log(tmp_path: Path) -> None:
    with pytest.raises(IssuerRefused, match="KAMKAP_LOG_URL"):
        Issuer.open(Settings(home=tmp_path, log_url="kafka://a:9092"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 -- refused here
def test_the_issuer_refuses_an_address_that_is_not_loopback(tmp_path: Path, host: str) -> None:
    with pytest.raises(IssuerRefused, match="loopback"):
        Issuer.open(Settings(home=tmp_path, host=host))


def test_the_key_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert Issuer.open(settings).jwks() == Issuer.open(settings).jwks()
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
