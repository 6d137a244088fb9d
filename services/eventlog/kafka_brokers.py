"""Which brokers, and how they are sure of us and we of them: the same for every client."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from services.eventlog.log import LogMisconfigured

type Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
type Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Security:
    """How a connection is made; by default in the open, which is for one machine alone."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """Who vouches for the brokers; the machine's own authorities where it is None."""
    certificate: Path | None = None
    """Our own, for brokers that ask for it; with `key` unless the key is in the same file."""
    key: Path | None = None


OPEN = Security()


@dataclass(frozen=True)
class Brokers:
    """A cluster, as every client is told of it."""

    client: Mapping[str, Any]
    """The arguments that every client of aiokafka is made with."""


def brokers_at(bootstrap: str, security: Security = OPEN) -> Brokers:
    """The cluster at `host:port,host:port`.

    Raises:
        LogMisconfigured: a certificate or key cannot be read; names it.
    """
    client: dict[str, Any] = {
        "bootstrap_servers": bootstrap,
        "security_protocol": security.protocol,
    }
    if security.protocol.endswith("SSL"):
        client["ssl_context"] = _ssl_context(security)
    if security.protocol.startswith("SASL"):
        client |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password,
        }
    return Brokers(client)


def _ssl_context(security: Security) -> ssl.SSLContext:
    """TLS that checks the brokers' certificates and their names."""
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
        if security.certificate is not None:
            context.load_cert_chain(security.certificate, security.key)
    except OSError as unreadable:
        files = (security.ca_file, security.certificate, security.key)
        named = ", ".join(str(file) for file in files if file is not None)
        raise LogMisconfigured(f"certificates of Kafka: {named}: {unreadable}") from unreadable
    return context
