"""The files of a backup: what is in them, how they are written, and how they are checked."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

from services.cli.refusal import Refusal
from services.eventlog.log import Record

MANIFEST = "manifest.json"
FORMAT = 1
_FRAME_BYTES = 4
_BATCH_BYTES = 2 * 1024 * 1024


class Table(msgspec.Struct, frozen=True):
    """A table that is no read model. `rows` is what of it is saved."""

    schema: str
    name: str
    rows: str = "TRUE"

    @property
    def file(self) -> str:
        """Where its rows are, in PostgreSQL's COPY text."""
        return f"database/{self.schema}.{self.name}.copy"


TABLES = (
    Table("decisions", "events"),
    Table("decisions", "streams"),
    Table("decisions", "head"),
    Table("eventlog", "ticks"),
    Table("inbox", "progress"),
    # Who is told by webhook, how it is signed, and what is still to be told.
    Table("outward", "subscriptions"),
    Table("outward", "secrets"),
    Table("outward", "deliveries"),
    Table("outward", "attempts"),
    # What could not be read in `status` is found again when the log is read again.
    Table("projections", "quarantine", "topic LIKE 'inbox.%'"),
)
KEYS = ("secret", "issuer.pem", "demonstrated")
"""Files of the home that are kept; a network whose keys are elsewhere has none of them."""


class SavedTopic(msgspec.Struct, frozen=True):
    """A topic: one file, and how many records each partition has in it."""

    name: str
    file: str
    counts: list[int]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. Written last: without it a folder is no backup."""

    format: int
    made_at: str
    epoch: int
    relayed: int
    """The decisions below this position are in the saved topic `decisions`."""
    topics: list[SavedTopic]
    columns: dict[str, list[str]]
    """Of each table file."""
    digests: dict[str, str]
    """SHA-256 of every file."""


class SavedRecord(msgspec.Struct, frozen=True, array_like=True):
    """One record of a topic."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Folder:
    """The folder of one backup."""

    directory: Path

    def begin(self) -> None:
        """The folder is there, empty, its owner's alone.

        Raises:
            Refusal: something is in it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()):
            raise Refusal(f"{self.directory} is not empty: a backup needs a folder of its own")
        self.directory.chmod(0o700)
        for part in ("database", "log", "keys"):
            (self.directory / part).mkdir()

    def path(self, file: str) -> Path:
        """Where a file of the backup is."""
        return self.directory / file

    def finish(self, manifest: Manifest) -> None:
        """The folder is a backup from now on."""
        text = json.dumps(msgspec.to_builtins(manifest), indent=2)
        self.path(MANIFEST).write_text(text, encoding="utf-8")

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file that is there."""
        files = sorted(path for path in self.directory.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.directory)): _digest(path)
            for path in files
            if path.name != MANIFEST
        }

    def manifest(self) -> Manifest:
        """What the backup says it holds, after every file was found unchanged.

        Raises:
            Refusal: it is no backup, not one of ours, or a file is missing or changed.
        """
        try:
            manifest = msgspec.json.decode(self.path(MANIFEST).read_bytes(), type=Manifest)
        except (FileNotFoundError, msgspec.MsgspecError) as wrong:
            raise Refusal(f"{self.directory} is no finished backup") from wrong
        if manifest.format != FORMAT:
            raise Refusal(f"{self.directory} has format {manifest.format}, this reads {FORMAT}")
        found = self.digests()
        if changed := sorted(set(manifest.digests.items()) ^ set(found.items())):
            raise Refusal(f"{changed[0][0]} is missing, changed or too many")
        return manifest


class RecordFile:
    """A topic's file while it is being written: compressed frames of one record each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._stream = zstandard.ZstdCompressor(level=3).stream_writer(self._file)
        self._encoder = msgspec.msgpack.Encoder()

    def add(self, records: Iterable[Record]) -> None:
        """These records come next."""
        for record in records:
            saved = SavedRecord(
                record.partition, record.offset, record.key, record.value, record.headers
            )
            frame = self._encoder.encode(saved)
            self._stream.write(len(frame).to_bytes(_FRAME_BYTES, "big") + frame)

    def close(self) -> None:
        """The file is whole."""
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.close()


def records_in(path: Path) -> Iterator[list[SavedRecord]]:
    """The records of a topic's file, as many at a time as one append may bring."""
    decoder = msgspec.msgpack.Decoder(SavedRecord)
    batch: list[SavedRecord] = []
    size = 0
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        while header := stream.read(_FRAME_BYTES):
            length = int.from_bytes(header, "big")
            batch.append(decoder.decode(stream.read(length)))
            size += length
            if size > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    yield batch


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
