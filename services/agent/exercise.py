"""An exercise as a file: what is injected when, and by whom.

NDJSON, an inject a line, each at an offset from the start of the exercise (`T+HH:MM:SS`):

    {"at": "T+00:05:00", "event": {"source": …, "type": …, "subject": …, "data": {…}}}
    {"at": "T+00:10:00", "as": "pm", "post": "/v1/orders", "body": {…}}
    {"at": "T+00:15:00", "as": "pm", "post": "/v1/directives", "body": {…}}

An event is what `POST /v1/events` takes, without `id` and `specversion`; its `time` is the
inject's unless it states one. Every text that is an offset becomes that moment, and `{run}` in a
text becomes the run's name, so that an exercise can be run again beside itself. Whatever a line
says, its realm is `exercise`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.agent.archive import BrokenLine
from services.domain.registry import BANGKOK_TIME
from services.identity.identity import Identity, UnknownIdentity

REALM = "exercise"
POSTS = ("/v1/directives", "/v1/orders")
"""What an inject may post to, and everything under it."""

_OFFSET = re.compile(r"T\+(\d{1,4}):([0-5]\d):([0-5]\d)")
_RUN = "{run}"


@dataclass(frozen=True, slots=True)
class Inject:
    """One line of an exercise."""

    place: str
    """File and line, for a person."""
    at: timedelta
    """After the start of the exercise."""
    event: Mapping[str, Any] | None = None
    post: str | None = None
    speaker: str | None = None
    """Who posts: an identity, as `kamkap token` takes it."""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """When an exercise began, and how much faster than its timetable it goes."""

    start: datetime
    speed: float

    def at(self, offset: timedelta) -> datetime:
        """The moment of this offset."""
        return self.start + offset / self.speed


def injects_of(file: Path) -> list[Inject]:
    """The file's injects in the order of their times; at one time, of their lines.

    Raises:
        BrokenLine: a line is none; names it, and says what is missing.
    """
    with file.open(encoding="utf-8") as lines:
        found = [
            _inject(f"{file}, line {number}", line)
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
    return sorted(found, key=lambda inject: inject.at)


def stated(inject: Inject, number: int, *, run: str, clock: Clock) -> dict[str, Any]:
    """The event of the inject as it is handed in."""
    event = _resolved(inject.event, run, clock)
    own = {"specversion": "1.0", "id": f"{run}-{number}", "realm": REALM}
    return {"time": _written(clock.at(inject.at)), **event, **own}


def posted(inject: Inject, *, run: str, clock: Clock) -> tuple[str, dict[str, Any]]:
    """Where the inject posts, and what."""
    return str(inject.post).replace(_RUN, run), _resolved(inject.body, run, clock)


def _inject(place: str, line: str) -> Inject:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise BrokenLine(f"{place}: {error}") from error
    match said:
        case {"at": str(at), "event": {"source": str(), "type": str()} as event}:
            return Inject(place, _offset(at, place), event=event)
        case {"at": str(at), "as": str(speaker), "post": str(path), "body": dict(body)} if (
            f"{path}/".startswith(tuple(f"{post}/" for post in POSTS)) and "?" not in path
        ):
            who = _identity(speaker, place)
            return Inject(place, _offset(at, place), post=path, speaker=who, body=body)
        case _:
            raise BrokenLine(
                f"{place}: an inject has at and event (with source, type, data), "
                f"or at, as, post ({', '.join(POSTS)}…) and body"
            )


def _identity(speaker: str, place: str) -> str:
    try:
        return str(Identity.parse(speaker))
    except UnknownIdentity as error:
        raise BrokenLine(f"{place}: {error}") from error


def _offset(text: str, place: str) -> timedelta:
    if (found := _OFFSET.fullmatch(text)) is None:
        raise BrokenLine(f"{place}: at is an offset like T+00:05:00")
    hours, minutes, seconds = map(int, found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _resolved(value: Any, run: str, clock: Clock) -> Any:  # noqa: ANN401 -- any JSON value
    """The value with its offsets as moments and the run's name filled in."""
    match value:
        case str() if _OFFSET.fullmatch(value):
            return _written(clock.at(_offset(value, "")))
        case str():
            return value.replace(_RUN, run)
        case dict():
            return {name: _resolved(inner, run, clock) for name, inner in value.items()}
        case list():
            return [_resolved(inner, run, clock) for inner in value]
        case _:
            return value


def _written(moment: datetime) -> str:
    return moment.astimezone(BANGKOK_TIME).isoformat()
