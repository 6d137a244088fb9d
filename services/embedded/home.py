"""The home: one directory with all that the embedded mode keeps, for one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.operation.private_files import write_private
from services.operation.settings import Settings

_OWNER_ONLY = 0o700
_THROUGH = 0o711
_READY_LINES = 8


class HomeInUse(Exception):
    """Another process serves from this home; the message names it."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory and what lies in it."""

    directory: Path

    @classmethod
    def open(cls, directory: Path) -> "Home":
        """The home, made when it is missing; nobody but its owner reads it."""
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        # PostgreSQL serves under an account of its own when we are root, and must reach its
        # directory through this one; names inside can then be guessed, but nothing be read.
        directory.chmod(_THROUGH if os.geteuid() == 0 else _OWNER_ONLY)
        return cls(directory)

    @property
    def postgres(self) -> Path:
        """The database server's directory."""
        return self.directory / "postgres"

    @property
    def secret_file(self) -> Path:
        """What position tokens and cursors are sealed with."""
        return self.directory / "secret"

    @property
    def demonstrated(self) -> Path:
        """There once the demonstration country is loaded as a whole."""
        return self.directory / "demonstrated"

    def secret(self) -> str:
        """The home's own secret, made on first use: 32 bytes in URL-safe base64."""
        if not self.secret_file.exists():
            write_private(self.secret_file, Fernet.generate_key())
        return self.secret_file.read_text()

    def settings(self, stated: Settings) -> Settings:
        """The stated settings, with the home's running database and its secret where none is."""
        return stated.model_copy(
            update={
                "home": self.directory,
                "database_url": stated.database_url or self.running_database_url(),
                "secret": stated.secret or SecretStr(self.secret()),
            }
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else serves from this home meanwhile.

        Raises:
            HomeInUse: somebody does.
        """
        with (self.directory / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as taken:
                lock.seek(0)
                raise HomeInUse(
                    f"{self.directory} is in use by process {lock.read().strip() or '?'}"
                ) from taken
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def running_database_url(self) -> str | None:
        """Where the home's database server answers at the moment, or None when none runs."""
        try:
            lines = (self.postgres / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < _READY_LINES or lines[7].strip() != "ready" or not _lives(int(lines[0])):
            return None
        return f"postgresql:///kamkap?host={lines[4].strip()}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
