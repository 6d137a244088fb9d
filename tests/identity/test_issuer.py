"""The embedded issuer serves one machine."""

import stat
from pathlib import Path

import pytest

from services.identity.identity import Identity
from services.identity.issuer import KEY_FILE, Issuer, IssuerRefused, verifier_of
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


def test_another_issuer_makes_no_key_in_the_home(tmp_path: Path) -> None:
    for elsewhere in (
        Settings(home=tmp_path, issuer="https://id.example"),
        Settings(home=tmp_path, issuer="urn:other", jwks_url="https://id.example/certs"),
    ):
        assert not elsewhere.has_embedded_issuer
        verifier_of(elsewhere)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_belongs_to_one_identity_and_one_key(tmp_path: Path) -> None:
    ours, others = (Issuer.open(Settings(home=tmp_path / name)) for name in ("a", "b"))
    secret = ours.client_secret(Identity("pm"))
    assert ours.knows(Identity("pm"), secret)
    assert Issuer.open(Settings(home=tmp_path / "a")).knows(Identity("pm"), secret)
    assert not ours.knows(Identity("opdc"), secret)
    assert not others.knows(Identity("pm"), secret)
