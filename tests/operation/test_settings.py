"""Settings say what is wrong with them, and repeat no secret."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from services.eventlog.kafka_brokers import Security
from services.operation.settings import BadSettings, Settings


def test_without_variables_everything_is_on_this_machine() -> None:
    settings = Settings.from_environment({"PATH": "/bin", "KAMKAP_PORT": ""})
    assert settings.is_loopback
    assert settings.kafka_servers == []
    assert settings.port == 8000
    assert settings.home == Path(".kamkap")


def test_a_variable_nobody_reads_is_refused_by_name() -> None:
    with pytest.raises(BadSettings, match="KAMKAP_PROT is not a setting"):
        Settings.from_environment({"KAMKAP_PROT": "8000"})


def test_every_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(BadSettings) as refused:
        Settings.from_environment({"KAMKAP_PORT": "eighty", "KAMKAP_LOG_LEVEL": "loud"})
    assert "KAMKAP_PORT" in str(refused.value)
    assert "KAMKAP_LOG_LEVEL" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("LOG_URL", "redis://x"),
        ("LOG_URL", "kafka://"),
        ("LOG_URL", "kafka://a:9092/"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "postgresql://host"),
        ("DATABASE_URL", "postgresql://somebody@host/db"),
        ("SECRET", "short"),
        ("JWKS_URL", "ftp://x"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"KAMKAP_{name}"):
        Settings.from_environment({f"KAMKAP_{name}": value})


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(BadSettings) as refused:
        Settings.from_environment({"KAMKAP_SECRET": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_settings_in_a_log_show_no_secret() -> None:
    secret = Fernet.generate_key().decode()
    url = "postgresql://:hunter2@h/kamkap"
    settings = Settings.from_environment({"KAMKAP_SECRET": secret, "KAMKAP_DATABASE_URL": url})
    assert secret not in repr(settings)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h:5433/kamkap", "postgresql://kamkap_api@h:5433/kamkap"),
        ("postgresql://:p%40s@h/kamkap?ssl=on", "postgresql://kamkap_api:p%40s@h/kamkap?ssl=on"),
        ("postgresql:///kamkap?host=/s", "postgresql://kamkap_api@/kamkap?host=/s"),
    ],
)
def test_each_process_connects_as_its_own_role(url: str, expected: str) -> None:
    assert Settings.from_environment({"KAMKAP_DATABASE_URL": url}).dsn("kamkap_api") == expected


def test_without_a_database_nobody_connects() -> None:
    with pytest.raises(BadSettings, match="KAMKAP_DATABASE_URL"):
        Settings().dsn("kamkap_api")


def test_brokers_are_read_from_the_log_url() -> None:
    settings = Settings.from_environment({"KAMKAP_LOG_URL": "kafka://a:9092,b:9092"})
    assert settings.kafka_servers == ["a:9092", "b:9092"]


def test_the_brokers_are_spoken_to_as_stated() -> None:
    settings = Settings.from_environment(
        {
            "KAMKAP_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAMKAP_KAFKA_SASL_MECHANISM": "PLAIN",
            "KAMKAP_KAFKA_SASL_USERNAME": "kamkap",
            "KAMKAP_KAFKA_SASL_PASSWORD": "hunter2",
            "KAMKAP_KAFKA_CA_FILE": "ca.pem",
            "KAMKAP_KAFKA_CLIENT_CERTIFICATE": "own.pem",
            "KAMKAP_KAFKA_CLIENT_KEY": "own.key",
        }
    )
    assert settings.kafka_security == Security(
        "SASL_SSL", "PLAIN", "kamkap", "hunter2", Path("ca.pem"), Path("own.pem"), Path("own.key")
    )
    assert "hunter2" not in repr(settings)
    assert Settings().kafka_security == Security()


@pytest.mark.parametrize(
    "stated",
    [
        {"SECURITY_PROTOCOL": "TLS"},
        {"SECURITY_PROTOCOL": "SASL_SSL"},
        {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_USERNAME": "u"},
        {"SASL_USERNAME": "u", "SASL_PASSWORD": "hunter2"},
        {"SECURITY_PROTOCOL": "SSL", "SASL_PASSWORD": "hunter2"},
        {"CA_FILE": "ca.pem"},
        {"SECURITY_PROTOCOL": "SSL", "CLIENT_KEY": "own.key"},
    ],
)
def test_settings_of_kafka_that_contradict_each_other_are_refused(stated: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match=r"^KAMKAP_KAFKA_") as refused:
        Settings.from_environment({f"KAMKAP_KAFKA_{name}": value for name, value in stated.items()})
    assert "hunter2" not in str(refused.value)


def test_names_have_commas_between_them() -> None:
    stated = Settings.from_environment({"KAMKAP_CLIENTS": " portal, batch,,"})
    assert stated.clients == ("portal", "batch")


@pytest.mark.parametrize(
    "origin", ["kamkap.example", "https://kamkap.example/", "https://a@b.example", "https://a?b"]
)
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    with pytest.raises(BadSettings, match="KAMKAP_PUBLIC_ORIGIN"):
        Settings.from_environment({"KAMKAP_PUBLIC_ORIGIN": origin})
