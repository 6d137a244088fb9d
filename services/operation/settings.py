"""Settings: every `KAMKAP_…` variable, read once from the environment it is handed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from services.eventlog.homes import EMBEDDED
from services.eventlog.kafka_brokers import Mechanism, Protocol, Security

PREFIX = "KAMKAP_"
EMBEDDED_ISSUER = "urn:kamkap:embedded"
OWNER = "postgres"

Role = Literal[
    "kamkap_ingest",
    "kamkap_projections",
    "kamkap_timers",
    "kamkap_relay",
    "kamkap_api",
    "kamkap_dispatcher",
    "kamkap_operator",
]
"""The database role of each process; `OWNER`, or what stands in its place, migrates alone."""

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SECRET_BYTES = 44


class BadSettings(Exception):
    """The environment does not make settings; names each variable and what is wrong with it."""


def _log_url(url: str) -> str:
    if url == EMBEDDED or re.fullmatch(r"kafka://[^/,\s]+(,[^/,\s]+)*", url):
        return url
    raise ValueError(f"must be kafka://host:port,host:port or {EMBEDDED}")


def _database_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise ValueError("must be postgresql://host:port/database")
    if parts.username:
        raise ValueError("must name no user: each process connects as its own role")
    return url


def _secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) != _SECRET_BYTES:
        raise ValueError("must be 32 bytes in URL-safe base64, as `kamkap secret` prints them")
    return secret


def _names(stated: object) -> object:
    if isinstance(stated, str):
        return tuple(name for part in stated.split(",") if (name := part.strip()))
    return stated


type Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Names with commas between them."""


class Settings(BaseModel):
    """What a process is told from outside. Each field is the variable `KAMKAP_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Annotated[
        Path, Field(description="Directory of the embedded mode's state: database, keys.")
    ] = Path(".kamkap")
    host: Annotated[str, Field(description="Address the process listens on.")] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65_535, description="Port the process listens on; 0 picks a free one.")
    ] = 8000
    log_url: Annotated[
        str,
        AfterValidator(_log_url),
        Field(
            description="Home of the log: `kafka://host:port,host:port,…`, or `postgres` for the "
            "embedded default, which is the schema `log` of the database."
        ),
    ] = EMBEDDED
    kafka_security_protocol: Annotated[
        Protocol,
        Field(
            description="How Kafka's brokers are spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` "
            "or `SASL_SSL`. With SSL their certificates and names are always checked."
        ),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        Mechanism,
        Field(description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, with a SASL protocol."),
    ] = "SCRAM-SHA-512"
    kafka_sasl_username: Annotated[
        str | None, Field(description="Who this process is to Kafka, with a SASL protocol.")
    ] = None
    kafka_sasl_password: Annotated[
        SecretStr | None, Field(description="The password of that user.")
    ] = None
    kafka_ca_file: Annotated[
        Path | None,
        Field(
            description="PEM file of the authorities that vouch for the brokers, with an SSL "
            "protocol. Without it the machine's own are believed."
        ),
    ] = None
    kafka_client_certificate: Annotated[
        Path | None,
        Field(
            description="PEM file of this process's certificate, with an SSL protocol, for brokers "
            "that ask for one."
        ),
    ] = None
    kafka_client_key: Annotated[
        Path | None,
        Field(description="PEM file of its key, unless that is in the certificate's file."),
    ] = None
    database_url: Annotated[
        str | None,
        AfterValidator(lambda url: None if url is None else _database_url(url)),
        Field(
            repr=False,
            description="`postgresql://host:port/database`, without a user: each process connects "
            "as its own role. The password comes from PostgreSQL's password file (`PGPASSFILE`), "
            "or stands in the URL: `postgresql://:password@host/database`. Without it the "
            "embedded server of the home is used. The server has the extension `btree_gist` "
            "of PostgreSQL's contrib at hand, which `kamkap migrate` makes.",
        ),
    ] = None
    database_owner: Annotated[
        str, Field(description="Role that owns the database; `kamkap migrate` connects as it.")
    ] = OWNER
    secret: Annotated[
        SecretStr | None,
        AfterValidator(lambda secret: None if secret is None else _secret(secret)),
        Field(
            description="Seals position tokens and cursors: 32 bytes in URL-safe base64, the same "
            "for every process. Without it the home's own is used."
        ),
    ] = None
    issuer: Annotated[str, Field(description="The `iss` that bearer tokens must state.")] = (
        EMBEDDED_ISSUER
    )
    audience: Annotated[str, Field(description="The `aud` that bearer tokens must state.")] = (
        "kamkap"
    )
    jwks_url: Annotated[
        str | None,
        Field(
            pattern=r"^(https?|file)://",
            description="Where the issuer's keys are: an `https://…` address, or a `file://…`. "
            "Without it an issuer that is an `https://…` address is asked for them (OpenID Connect "
            "Discovery); of any other the embedded issuer's key in the home is used.",
        ),
    ] = None
    identity_claim: Annotated[
        str,
        Field(
            min_length=1,
            description="The claim that names the identity: a text like `poc:TH-83`, or a list of "
            "one.",
        ),
    ] = "kamkap_identity"
    clients: Annotated[
        Names,
        Field(
            description="Clients whose tokens are believed (`azp`, or `client_id`), with commas "
            "between them; empty: every client the issuer gives a token for the audience.",
        ),
    ] = ()
    clock_skew_seconds: Annotated[
        int, Field(ge=0, le=300, description="How far the issuer's clock may be from this one.")
    ] = 30
    public_origin: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/?#@\s]+$",
            description="What browsers call this address, like `https://kamkap.example`, where a "
            "proxy terminates TLS. A session's cookie is bound to it. `X-Forwarded-…` headers are "
            "believed from nobody.",
        ),
    ] = None
    reads_per_minute: Annotated[
        int, Field(ge=1, description="Requests to the gateway, for each identity and process.")
    ] = 6_000
    events_per_minute: Annotated[
        int, Field(ge=1, description="Events to the door, for each centre and process.")
    ] = 600_000
    webhooks_loopback: Annotated[
        bool,
        Field(
            description="For development alone: webhooks may lead to this machine's own loopback "
            "address, and over plain HTTP."
        ),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="The least that is written to the structured log (stderr, JSON lines)."),
    ] = "info"

    @model_validator(mode="after")
    def _kafka_agrees(self) -> Self:
        """Credentials are sent, and certificates shown, only where the protocol says so."""
        protocol = self.kafka_security_protocol
        credentials = (self.kafka_sasl_username, self.kafka_sasl_password)
        certificates = (self.kafka_ca_file, self.kafka_client_certificate, self.kafka_client_key)
        name = f"{PREFIX}KAFKA_SECURITY_PROTOCOL"
        if protocol.startswith("SASL") and None in credentials:
            raise ValueError(f"{name}: {protocol} needs a KAFKA_SASL_USERNAME and _PASSWORD")
        if not protocol.startswith("SASL") and credentials != (None, None):
            raise ValueError(f"{name}: {protocol} sends no KAFKA_SASL_USERNAME or _PASSWORD")
        if not protocol.endswith("SSL") and any(certificates):
            raise ValueError(f"{name}: {protocol} uses no certificate or key")
        if self.kafka_client_key is not None and self.kafka_client_certificate is None:
            raise ValueError(f"{PREFIX}KAFKA_CLIENT_KEY: its certificate is missing")
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings that these variables state; an empty variable counts as absent.

        Raises:
            BadSettings: a `KAMKAP_` variable is unknown, or its value is not one it can have.
        """
        stated = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and value
        }
        try:
            return cls.model_validate(stated)
        except ValidationError as wrong:
            # The value itself is not repeated: it may be a secret.
            raise BadSettings("\n".join(map(_explained, wrong.errors()))) from None

    @property
    def kafka_servers(self) -> list[str]:
        """The brokers to begin with; empty when the log is in Postgres."""
        if self.log_url == EMBEDDED:
            return []
        return self.log_url.removeprefix("kafka://").split(",")

    @property
    def has_embedded_issuer(self) -> bool:
        """Whether the home's own key signs the tokens."""
        return self.jwks_url is None and not self.issuer.startswith("https://")

    @property
    def kafka_security(self) -> Security:
        """How the brokers are spoken to."""
        password = self.kafka_sasl_password
        return Security(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=None if password is None else password.get_secret_value(),
            ca_file=self.kafka_ca_file,
            certificate=self.kafka_client_certificate,
            key=self.kafka_client_key,
        )

    @property
    def is_loopback(self) -> bool:
        """Whether the process can be reached from this machine alone."""
        return self.host in _LOOPBACK

    @property
    def sealing_key(self) -> bytes:
        """What tokens and cursors are sealed with, the same in every process.

        Raises:
            BadSettings: none is stated, and none of a home was put in its place.
        """
        if self.secret is None:
            raise BadSettings(f"{PREFIX}SECRET is not set; `kamkap secret` prints a new one")
        return self.secret.get_secret_value().encode()

    def dsn(self, role: str) -> str:
        """How this role connects to the database.

        Raises:
            BadSettings: no database is named, and none of the home was put in its place.
        """
        if self.database_url is None:
            raise BadSettings(f"{PREFIX}DATABASE_URL is not set, and no `kamkap up` runs here")
        parts = urlsplit(self.database_url)
        _, _, place = parts.netloc.rpartition("@")
        password = f":{parts.password}" if parts.password else ""
        return urlunsplit(parts._replace(netloc=f"{quote(role)}{password}@{place}"))


def page() -> str:
    """The table of settings for the docs, in Markdown."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    head = [
        "# Settings",
        "",
        "Every process reads these variables, and refuses to start with one it does not know.",
        "Written by `kamkap settings`.",
        "",
        "| variable | default | meaning |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _default(value: object) -> str:
    return "" if value in (None, ()) else f"`{value}`"


def _explained(error: ErrorDetails) -> str:
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    variable = PREFIX + str(error["loc"][0]).upper()
    if error["type"] == "extra_forbidden":
        return f"{variable} is not a setting; `kamkap settings` lists them"
    return f"{variable}: {error['msg'].removeprefix('Value error, ')}"
