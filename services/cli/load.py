"""`kamkap load`: events of files, through the public door, as their centres."""

import gzip
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rich.progress import Progress
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay

from schemas.ids import centre_of_source
from services.agent.archive import events_of
from services.cli.bar import progress_bar
from services.cli.signer import Signer
from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.settings import Settings

BATCH = 500
BATCH_BYTES = 8 * 1024 * 1024
GIVE_UP = timedelta(minutes=5)
"""How long a batch is sent again while the door says that it cannot take it now."""

ANSWER_SECONDS = 60.0
"""How long one answer may take."""

_PATH = "/v1/events"
_TOKEN_LIFETIME = timedelta(hours=1)
_SHOWN = 20
# The network states these itself; an archive's records carry them for `load --import`.
_NETWORK_OWN = ("acceptedtime", "archiverevision")
NO_CENTRE: dict[str, object] = {
    "type": "urn:kamkap:problem:no-centre",
    "title_en": "The source names no centre: correct it, or give a token with --token",
}
"""Why an event is refused before it is sent."""


class _Stated(msgspec.Struct):
    """Of a line, what must be known to send it."""

    source: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it will be sent, and where it stands."""

    place: str
    id: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """An event that the door did not take, and why."""

    place: str
    id: str | None
    problem: dict[str, object]


@dataclass
class Report:
    """What became of all events."""

    accepted: int = 0
    duplicates: int = 0
    refused: list[RefusedLine] = field(default_factory=list)
    position: str | None = None


class Busy(Exception):
    """The door cannot take the batch now; holds how many seconds it asks to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the door asks to wait {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Door:
    """The public door, and how to speak there as a source."""

    address: str
    token: str | None
    issuer: Issuer | None
    signer: Signer | None = None

    @classmethod
    def named(
        cls,
        settings: Settings,
        *,
        token: str | None,
        address: str | None,
        signer: Signer | None = None,
    ) -> "Door":
        """The door at this address or of this machine; without a token, as each event's centre."""
        where = address or f"http://{settings.host}:{settings.port}"
        return cls(where, token, Issuer.open(settings) if token is None else None, signer)

    def sealed(self, lines: Iterator[tuple[str, Line]]) -> Iterator[tuple[str, Line]]:
        """The lines as they are sent: signed, when there is a key to sign with."""
        if self.signer is None:
            return lines
        sign = self.signer.sign
        return ((source, replace(line, content=sign(line.content))) for source, line in lines)

    def token_for(self, source: str) -> str | None:
        """A token that may speak for the source; None when it is no centre and none was given."""
        if self.issuer is None:
            return self.token
        centre = centre_of_source(source)
        return None if centre is None else self.token_of(centre)

    def token_of(self, identity: str) -> str:
        """A token that speaks as this identity.

        Raises:
            UnknownIdentity: there is no such kind.
        """
        if self.issuer is None:
            return self.token or ""
        now = datetime.now(UTC)
        return self.issuer.issue(Identity.parse(identity), now=now, lifetime=_TOKEN_LIFETIME)


async def run_load(door: Door, files: Sequence[Path]) -> int:
    """Every event was sent; exit code 1 when one was refused."""
    report = Report()
    try:
        with progress_bar() as bar:
            await send_files(door, files, report, bar)
    finally:
        # Also when the door went away: what was taken by then is taken.
        print_report(report)
    return 1 if report.refused else 0


async def send_files(door: Door, files: Sequence[Path], report: Report, bar: Progress) -> None:
    """Send the files' events, each source's in their order."""
    async with httpx.AsyncClient(base_url=door.address, timeout=ANSWER_SECONDS) as client:
        for file in files:
            task = bar.add_task(file.name, total=None)
            for source, lines in batches(door.sealed(lines_of(file))):
                if token := door.token_for(source):
                    await send(client, lines, {"Authorization": f"Bearer {token}"}, report)
                else:
                    refused = (RefusedLine(line.place, line.id, NO_CENTRE) for line in lines)
                    report.refused.extend(refused)
                bar.advance(task, len(lines))
            bar.update(task, total=bar.tasks[task].completed)


def lines_of(file: Path) -> Iterator[tuple[str, Line]]:
    """The file's events with their sources. A line of NDJSON is sent as it is, byte for byte."""
    if file.suffix == ".csv" or file.is_dir():
        for number, event in enumerate(events_of(file), 1):
            sent = {name: value for name, value in event.items() if name not in _NETWORK_OWN}
            content = msgspec.json.encode(sent)
            yield event["source"], Line(f"{file} event {number}", event["id"], content)
        return
    with file.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            if not raw.strip():
                continue
            try:
                stated = msgspec.json.decode(raw, type=_Stated)
            except msgspec.MsgspecError:
                # The door says better than we could what is wrong with it.
                stated = _Stated()
            yield stated.source, Line(f"{file}:{number}", stated.id, raw.rstrip(b"\r\n"))


def batches(lines: Iterator[tuple[str, Line]]) -> Iterator[tuple[str, list[Line]]]:
    """Lines of one source together, none longer than the door takes at once."""
    waiting: dict[str, list[Line]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for source, line in lines:
        if len(waiting[source]) == BATCH or sizes[source] + len(line.content) > BATCH_BYTES:
            yield source, waiting.pop(source)
            sizes[source] = 0
        waiting[source].append(line)
        sizes[source] += len(line.content)
    yield from ((source, rest) for source, rest in waiting.items() if rest)


async def send(
    client: httpx.AsyncClient, lines: Sequence[Line], headers: dict[str, str], report: Report
) -> None:
    """Send these lines of one source, again as long as the door asks for it."""
    body = gzip.compress(b"\n".join(line.content for line in lines), compresslevel=1)
    described = headers | {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    _record(await post(client, _PATH, content=body, headers=described), lines, report)


async def post(
    client: httpx.AsyncClient, path: str, *, content: bytes, headers: dict[str, str]
) -> httpx.Response:
    """The answer to a request that is sent again as long as it is asked for.

    Raises:
        Busy: it was asked for until patience ended; so with `httpx.TransportError`.
    """

    async def once() -> httpx.Response:
        answer = await client.post(path, content=content, headers=headers)
        if answer.status_code in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS):
            raise Busy(float(answer.headers.get("Retry-After", "1")))
        return answer

    # What the log may have taken already counts once, so the same bytes are sent again.
    return await AsyncRetrying(
        retry=retry_if_exception_type((Busy, httpx.TransportError)),
        wait=_wait,
        stop=stop_after_delay(GIVE_UP),
        reraise=True,
    )(once)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.seconds if isinstance(error, Busy) else min(2.0**state.attempt_number, 30.0)


def _record(answer: httpx.Response, lines: Sequence[Line], report: Report) -> None:
    said = said_by(answer)
    if "rejected" not in said:
        # The whole request was refused: its problem is every event's.
        report.refused.extend(RefusedLine(line.place, line.id, said) for line in lines)
        return
    report.accepted += said["accepted"]
    report.duplicates += said["duplicates"]
    report.position = said["position"] or report.position
    for one in said["rejected"]:
        line = lines[one["index"]]
        report.refused.append(RefusedLine(line.place, line.id, one["problem"]))


def said_by(answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer, or a problem in its place when it has none."""
    try:
        said: dict[str, Any] = answer.json()
    except ValueError:
        said = {"type": "about:blank", "title_en": f"HTTP {answer.status_code}"}
    return said


def print_report(report: Report) -> None:
    """Counts on stdout, refusals on stderr: as many as a person reads."""
    sys.stdout.write(
        f"รับแล้ว · accepted {report.accepted}, ซ้ำ · duplicates {report.duplicates}, "
        f"ไม่รับ · refused {len(report.refused)}\n"
    )
    for refused in report.refused[:_SHOWN]:
        problem = refused.problem
        why = problem.get("detail_en") or problem.get("title_en")
        slug = str(problem.get("type", "")).rpartition(":")[2]
        sys.stderr.write(f"{refused.place} ({refused.id}): {slug}: {why}\n")
    if len(report.refused) > _SHOWN:
        sys.stderr.write(f"… {len(report.refused) - _SHOWN} more\n")
