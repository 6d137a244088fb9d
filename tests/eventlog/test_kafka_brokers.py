"""How every client is told to speak to the brokers, and a broker that insists on it."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from deploy.kafka.broker import Cluster
from deploy.kafka.nodes import HOST
from services.eventlog.kafka import KafkaLog
from services.eventlog.kafka_brokers import Security, brokers_at
from services.eventlog.log import LogMisconfigured, LogUnavailable, Message, TopicSpec

MESSAGE = Message(b"k", b"v", [])
PATIENCE = 30.0


def test_without_security_nothing_but_the_address_is_told() -> None:
    client = brokers_at("a:1,b:2").client
    assert dict(client) == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}


def test_credentials_go_to_the_mechanism() -> None:
    security = Security("SASL_PLAINTEXT", "SCRAM-SHA-256", username="u", password="p")  # noqa: S106 -- nobody has it
    assert brokers_at("a:1", security).client == {
        "bootstrap_servers": "a:1",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }


def test_tls_always_checks_the_brokers_and_their_names() -> None:
    context = brokers_at("a:1", Security("SSL")).client["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_certificate_that_cannot_be_read_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("no certificate")
    for file in (tmp_path / "none.pem", tmp_path / "not.pem"):
        with pytest.raises(LogMisconfigured, match=str(file)):
            brokers_at("a:1", Security("SSL", ca_file=file))


def test_what_holds_a_password_does_not_show_it() -> None:
    assert "hunter2" not in repr(Security("SASL_SSL", username="u", password="hunter2"))  # noqa: S106


class Authority:
    """One certificate for all: it vouches for itself, as broker and as client."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(Encoding.PEM).decode()
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.certificate_file = folder / "certificate.pem"
        self.key_file = folder / "key.pem"
        self.certificate_file.write_text(self.certificate)
        self.key_file.write_text(self.key)

    @property
    def settings(self) -> dict[str, object]:
        """A listener that asks for a certificate and a password."""
        one_line = {name: text.strip().replace("\n", "\\n") for name, text in
                    (("certificate", self.certificate), ("key", self.key))}  # fmt: skip
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": one_line["certificate"],
            "ssl.keystore.key": one_line["key"],
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": one_line["certificate"],
            "ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN",
            "plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule "
            'required user_kamkap="secret";',
        }


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("secured")
    with closing(Cluster.start(folder, secured=authority.settings)) as started:
        yield started


def security(authority: Authority, password: str) -> Security:
    return Security(
        "SASL_SSL",
        "PLAIN",
        username="kamkap",
        password=password,
        ca_file=authority.certificate_file,
        certificate=authority.certificate_file,
        key=authority.key_file,
    )


async def test_a_log_works_through_a_listener_that_asks_for_everything(
    cluster: Cluster, authority: Authority
) -> None:
    brokers = brokers_at(cluster.secured_bootstrap, security(authority, "secret"))
    log = KafkaLog(brokers)
    try:
        await log.ensure([TopicSpec("secured", 1)])
        await log.check(["secured"])
        await log.append("secured", {0: [MESSAGE]}, timeout=PATIENCE)
        assert await log.ends("secured") == [1]
        record = await log.at("secured", 0, 0)
        assert record is not None
        assert record.value == b"v"
    finally:
        await log.close()


async def test_a_wrong_password_is_refused(cluster: Cluster, authority: Authority) -> None:
    log = KafkaLog(brokers_at(cluster.secured_bootstrap, security(authority, "wrong")))
    try:
        with pytest.raises(LogUnavailable):
            await log.check(["secured"])
    finally:
        await log.close()
