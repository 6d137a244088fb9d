"""Everything a reader can ask by the OpenAPI, and all that the answers show."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from random import Random

from tests.api.country import BANGKOK, DISASTERS, PHANG_NGA, PHUKET, Country, Json
from tests.api.outside import Event, Happening
from tests.api.subscribing import id_of

SINCE = "2024-09-01T12:02:30+07:00"
UNASKED = {
    ("get", "/v1/directives/stream"): "it has no end",
    ("post", "/v1/session"): "its answer is the asker's own token",
    ("delete", "/v1/session"): "it has no answer",
}
"""Operations that are not asked, and why."""

VALUES: dict[str, Sequence[Json]] = {
    "addressee": [None, PHUKET, PHANG_NGA, "moi"],
    "archive_revision": [None, None, 1],
    "agenda": [None, "drugs", "dust"],
    "by": ["province", "ministry"],
    "centre": ["poc:TH-83", "poc:TH-82", "moc:moi", "press:cnn", "poc:TH-99", None],
    "code": [PHUKET, PHANG_NGA, BANGKOK, "TH-99"],
    "cursor": [None],
    "after": [None],
    "as_of": [None, "2024-09-01T12:30:00+07:00", "2024-09-01"],
    "deputy": [None, "a", "b", "z"],
    "dimension": [None, "area"],
    "from": [None, "2024-08-01"],
    "from_as_of": [SINCE],
    "from_known_at": [None, SINCE],
    "in_force_on": [None, "2024-09-01"],
    "incident": ["flood", "landslide", "drugs-ring", "none"],
    "issuer": [None, "a", "b", "pm"],
    "kind": [None, "report", "order"],
    "limit": [None, 1, 2],
    "ministry": [None, "moi", "moph", "mot"],
    "number": ["1/2567", "none"],
    "overdue": [None, True, False],
    "province": [None, PHUKET, PHANG_NGA, "TH-99"],
    "realm": [None, None, "exercise"],
    "severity": [None, "severe"],
    "since": [None],
    "source": ["/centres/poc/TH-83", DISASTERS],
    "state": [None, "any", "closed", "in_force"],
    "to": [None, "2024-09-30"],
}
"""What may be asked for by each parameter's name; None leaves it out."""

IDS = {
    "/v1/alerts/{id}.cap": ["alert-1", "alert-2", "none"],
    "/v1/events": ["first", "phang-nga", "none"],
    "/v1/indicators/{id}/values": ["rain", "none"],
    "/v1/policies/{id}": ["coast", "none"],
    "/v1/policies/{id}/revocation": ["coast", "none"],
}
"""What `id` may be, by path; elsewhere it is a deputy's."""

DIRECTIVES = ["coast", "none"]
"""What `id` may be of a directive."""

SUBSCRIBER = "governor:TH-82"
"""Nobody who asks: whose subscription it is, every one of them must take for none."""
SUBSCRIPTIONS = [id_of(SUBSCRIBER), "00000000-0000-4000-8000-000000000000"]


@dataclass(frozen=True)
class Question:
    """One request."""

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True)
class Walk:
    """Every operation of a gateway's OpenAPI, with parameters by chance."""

    country: Country
    random: Random
    known_at: str
    """A tick before anything happened outside."""

    def questions(self, here: Happening) -> list[Question]:
        """Each operation plainly, some of them filtered, and with what will have happened."""
        filtered = self.random.sample(list(self._every(self.random.choice)), 12)
        return [*self.plain(), *filtered, *self._of_events(here), *self._of_names(here)]

    def plain(self) -> list[Question]:
        """Each operation without filters, once for each value of its path's parameter."""
        return list(self._every(lambda values: values[0]))

    def _every(self, choose: Callable[[Sequence[Json]], Json]) -> Iterator[Question]:
        for path, operations in self.country.app.openapi()["paths"].items():
            for method, operation in operations.items():
                if (method, path) not in UNASKED:
                    parameters = operation.get("parameters", [])
                    query = self._query(path, parameters, choose)
                    for one in self._filled(path, parameters):
                        yield Question(path, method, one, query)

    def _query(
        self, path: str, parameters: Json, choose: Callable[[Sequence[Json]], Json]
    ) -> tuple[tuple[str, Json], ...]:
        chosen = {
            parameter["name"]: choose(self._values(path, parameter["name"]))
            for parameter in parameters
            if parameter["in"] == "query"
        }
        return tuple((name, value) for name, value in chosen.items() if value is not None)

    def _filled(self, path: str, parameters: Json) -> Iterator[str]:
        named = [one["name"] for one in parameters if one["in"] == "path"]
        if not named:
            yield path
        for name in named:
            for value in filter(None, self._values(path, name)):
                yield path.replace(f"{{{name}}}", value)

    def _values(self, path: str, name: str) -> Sequence[Json]:
        if name == "known_at":
            return [None, None, self.known_at]
        if name == "id" and path.startswith("/v1/directives/"):
            return DIRECTIVES
        if name == "id" and path.startswith("/v1/subscriptions/"):
            return SUBSCRIPTIONS
        return IDS.get(path, ["a", "b", "z"]) if name == "id" else VALUES[name]

    def _of_events(self, here: Happening) -> Iterator[Question]:
        named = [*here.identities, (DISASTERS, "phang-nga")]
        for source, id_ in self.random.sample(named, min(4, len(named))):
            query = (("source", source), ("id", id_))
            yield Question("/v1/events", "get", "/v1/events", query)

    def _of_names(self, here: Happening) -> Iterator[Question]:
        names = {
            "incident": _named(here.events, "incident"),
            "centre": _named(here.decisions, "centre"),
            "number": _named(here.decisions, "number"),
        }
        for path in self.country.app.openapi()["paths"]:
            for member, found in names.items():
                if path.endswith(f"/{{{member}}}"):
                    for one in found[:2]:
                        yield Question(path, "get", path.replace(f"{{{member}}}", one))
        for one in _named(here.decisions, "directive")[:2]:
            for path in ("/v1/directives/{id}", "/v1/directives/{id}/history"):
                yield Question(path, "get", path.replace("{id}", one))


def _named(events: Iterable[Event], member: str) -> list[str]:
    pattern = re.compile(rf'"{member}": "([^"]+)"'.encode())
    found = (pattern.search(data) for _, data in events)
    return [one[1].decode() for one in found if one]


@dataclass(frozen=True)
class Seen:
    """All that an answer shows of what is behind it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    statements: tuple[str, ...]


# Sealed anew for each answer: of these the length is compared.
_SEALED = re.compile(rb'(?<="next":")[^"]+|(?<="position":")[^"]+')
_NEXT = re.compile(rb'(?<="next":")[^"]+')
_OF_THE_REQUEST = {"x-request-id", "date", "server"}


async def observe(
    country: Country, reader: str, questions: Iterable[Question]
) -> list[tuple[Seen, ...]]:
    """What the reader is answered to each, with a second page where there is one."""
    seen: list[tuple[Seen, ...]] = []
    for question in questions:
        first, content = await _look(country, reader, question)
        pages = [first]
        if found := _NEXT.search(content):
            following, _ = await _look(country, reader, question, cursor=found[0].decode())
            pages.append(following)
        seen.append(tuple(pages))
    return seen


async def _look(
    country: Country, reader: str, question: Question, **more: str
) -> tuple[Seen, bytes]:
    query = dict(question.query) | more
    with country.counting_statements() as statements:
        response = await country.send(question.method, question.path, reader, **query)
    headers = ((k, v) for k, v in response.headers.items() if k not in _OF_THE_REQUEST)
    content = _SEALED.sub(lambda sealed: b"x" * len(sealed[0]), response.content)
    asked = tuple(text for text, _ in statements)
    return Seen(response.status_code, tuple(headers), content, asked), response.content


def differences(
    questions: Sequence[Question],
    before: Sequence[tuple[Seen, ...]],
    after: Sequence[tuple[Seen, ...]],
) -> list[tuple[Question, str]]:
    """Where the reader could tell the one country from the other, and by what."""
    return [
        (question, _by_what(first, second))
        for question, first, second in zip(questions, before, after, strict=True)
        if first != second
    ]


def _by_what(before: Sequence[Seen], after: Sequence[Seen]) -> str:
    told = [f"{len(before)} pages, then {len(after)}"] if len(before) != len(after) else []
    for first, second in zip(before, after, strict=False):
        told += [
            f"{one.name}: {getattr(first, one.name)!r}, then {getattr(second, one.name)!r}"
            for one in fields(Seen)
            if getattr(first, one.name) != getattr(second, one.name)
        ]
    return "\n".join(told)
