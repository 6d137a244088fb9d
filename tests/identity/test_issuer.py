"""The embedded issuer serves one machine."""

import stat
from pathlib import Path

import pytest

from services.identity.issuer import Issuer, IssuerRefused
from services.operation.settings import Settings


def test_the_issuer_refuses_a_kafka_log(tmp_path: Path) -> None:
    with pytest.raises(IssuerRefused, match="KAMKAP_LOG_URL"):
        Issuer.open(tmp_path / "issuer.pem", Settings(log_url="kafka://a:9092"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 -- refused here
def test_the_issuer_refuses_an_address_that_is_not_loopback(tmp_path: Path, host: str) -> None:
    with pytest.raises(IssuerRefused, match="loopback"):
        Issuer.open(tmp_path / "issuer.pem", Settings(host=host))


def test_the_key_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "issuer.pem"
    assert Issuer.open(file, Settings()).jwks() == Issuer.open(file, Settings()).jwks()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
