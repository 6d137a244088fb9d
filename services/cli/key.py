"""`kamkap key …`: a centre makes its key; an operator registers it, or requires signatures."""

import base64
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from schemas.envelope import Envelope
from schemas.events.model import EventModel
from schemas.events.signing import KeyRegistered, SigningRequired
from services.agent.network import SOURCE
from services.cli.refusal import Refusal
from services.domain import signing
from services.domain.ed25519 import is_strong
from services.domain.rejected import Rejected
from services.domain.signing import key_id_of
from services.eventlog.store import DecisionStore
from services.eventlog.transact import Decide, transact
from services.operation.connections import pool_of
from services.operation.private_files import write_private
from services.operation.settings import Settings

_CONNECTIONS = 2
_OTHERS = 0o077


async def run_new(file: Path) -> int:
    """A new private key is in the file, its owner's alone; its public part is on stdout.

    Raises:
        Refusal: the file is there already.
    """
    make_key(file)
    return await run_show(file)


async def run_show(file: Path) -> int:
    """The key's id and its public part are on stdout: what an operator needs to register it."""
    public = private_key(file).public_key().public_bytes_raw()
    sys.stdout.write(f"{key_id_of(public)} {base64.b64encode(public).decode()}\n")
    return 0


async def run_register(settings: Settings, key: KeyRegistered) -> int:
    """The key is decided on; the door knows it within seconds."""
    await _decide(settings, key.centre, partial(signing.register, key=key))
    sys.stdout.write(f"{key.key_id}\n")
    return 0


async def run_require(settings: Settings, required: SigningRequired) -> int:
    """It is decided that the centre has to sign."""
    await _decide(settings, required.centre, partial(signing.require, required=required))
    return 0


def make_key(file: Path) -> None:
    """A new private key is in the file.

    Raises:
        Refusal: the file is there already.
    """
    if file.exists():
        raise Refusal(f"{file} is there already; a key is never written over")
    private = Ed25519PrivateKey.generate()
    write_private(file, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def private_key(file: Path) -> Ed25519PrivateKey:
    """The private key in the file: PEM, or as OpenSSH writes it, without a passphrase.

    Raises:
        Refusal: others may read the file, or it holds no such key.
    """
    if file.stat().st_mode & _OTHERS:
        raise Refusal(f"others may read {file}: chmod 600 {file}")
    content = file.read_bytes()
    load = load_ssh_private_key if b"OPENSSH" in content else load_pem_private_key
    try:
        private = load(content, None)
    except (ValueError, TypeError) as unreadable:
        raise Refusal(f"{file} holds no private key without a passphrase") from unreadable
    if not isinstance(private, Ed25519PrivateKey):
        raise Refusal(f"{file} holds another kind of key: Ed25519 is needed")
    return private


def public_key(text: str) -> bytes:
    """The 32 bytes that `kamkap key show` wrote.

    Raises:
        Refusal: they are not.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as wrong:
        raise Refusal("the public key is base64, as `kamkap key show` prints it") from wrong
    if not is_strong(raw):
        raise Refusal("these bytes are no Ed25519 key that proves anything")
    return raw


def moment(stated: str | None) -> datetime | None:
    """A time with its offset; None stays None.

    Raises:
        Refusal: it is no time, or has no offset.
    """
    if stated is None:
        return None
    try:
        found = datetime.fromisoformat(stated)
    except ValueError:
        raise Refusal(f"{stated} is no time: write 2026-10-01T00:00:00+07:00") from None
    if found.tzinfo is None:
        raise Refusal(f"{stated} has no offset: write {stated}+07:00")
    return found


async def _decide(settings: Settings, centre: str, decide: Decide[signing.Stated]) -> None:
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            pool_of(settings, "kamkap_operator", size=_CONNECTIONS)
        )
        store = DecisionStore(pool)
        resources.push_async_callback(store.close)
        now = datetime.now(UTC)
        try:
            await transact(
                store, signing.DECIDER, centre, decide, envelope=partial(_named, centre, now)
            )
        except Rejected as rejected:
            raise Refusal(rejected.rule) from rejected


def _named(centre: str, now: datetime, event: EventModel, version: int) -> Envelope:
    return Envelope(
        id=f"{signing.DECIDER.stream(centre)}/{version}",
        source=SOURCE,
        type=event.type,
        time=now,
        subject=f"centres/{centre}",
    )
