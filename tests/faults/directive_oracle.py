"""What must be so of directives after a storm, by code that shares nothing with what it judges.

It knows what offices were told (their own record), the decisions (by SQL), the logs that receivers
of webhooks kept, and what the API answers. It folds the decisions by itself and compares.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from tests.faults.oracle import Entry, Identity, Json

NETWORK = ("delivered", "reminded", "overdue", "closed")
"""What the network states of itself; all else somebody decided."""

_LEADS_TO = {
    "delivered": "delivered",
    "acknowledged": "acknowledged",
    "objected": "objected",
    "begun": "in_progress",
    "reported": "reported",
    "complied": "complied",
    "returned": "returned",
}
_UNANSWERED = frozenset({"issued", "delivered"})
_OWING = _UNANSWERED | {"acknowledged", "in_progress", "returned"}
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DONE = {"order": "complied", "report": "complied", "advice": "acknowledged"}


class Said(NamedTuple):
    """One decision of an office: what, of which directive, by and towards whom, in which words."""

    type: str
    directive: str
    by: str
    addressee: str | None
    text: str | None


class Due(NamedTuple):
    """What one addressee owes by when."""

    addressee: str
    owes: str
    ends: datetime


@dataclass
class Directive:
    """What the decisions come to for one directive."""

    id: str
    draft: Json = field(default_factory=dict)
    state: str = "none"
    standing: dict[str, str] = field(default_factory=dict)
    told: list[Entry] = field(default_factory=list)
    """The issue and all that followed: what travels outward, in order."""
    delivered: dict[str, Entry] = field(default_factory=dict)
    overdue: Counter[Due] = field(default_factory=Counter)
    reminded: Counter[Due] = field(default_factory=Counter)
    _clocks: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _reminder_percent: int = 0

    def take(self, entry: Entry) -> None:
        """One more decision, which follows from where the directive stands."""
        change, data = change_of(entry), entry.data
        if change == "drafted":
            assert self.state in ("none", "draft"), f"{self.id}: drafted when {self.state}"
            self.draft, self.state = data, "draft"
            return
        if change == "withdrawn" and self.state == "draft":
            self.state = "withdrawn"
            return
        assert change == "issued" or self.state == "open", f"{self.id}: {change} when {self.state}"
        self.told.append(entry)
        match change:
            case "issued":
                self._issued(data)
            case "closed" | "withdrawn":
                self.state = change
            case "reminded" | "overdue":
                self._fell_due(change, entry)
            case _:
                self._moved(change, entry)

    def owed(self) -> Iterator[Due]:
        """What addressees owe as it stands."""
        for (to, owes), ends in self._clocks.items() if self.state == "open" else ():
            owing = _UNANSWERED if owes == "acknowledgement" else _OWING
            if self.standing[to] in owing:
                yield Due(to, owes, ends)

    def voided(self) -> set[str]:
        """The ids of what came before a withdrawal: who lacks it is told the end instead."""
        ends = [nth for nth, entry in enumerate(self.told) if change_of(entry) == "withdrawn"]
        return {entry.identity[1] for nth in ends for entry in self.told[:nth]}

    @property
    def is_done(self) -> bool:
        """Every addressee has done what there was to do."""
        return set(self.standing.values()) == {_DONE[self.draft["kind"]]}

    def _issued(self, data: Json) -> None:
        assert self.state == "draft", f"{self.id}: issued when {self.state}"
        self.state = "open"
        self.standing = dict.fromkeys((one["addressee"] for one in data["authority"]), "issued")
        assert list(self.standing) == self.draft["addressees"], self.id
        for clock in data["clocks"]:
            self._reminder_percent = clock["reminder_percent"]
            for to in self.standing:
                self._clocks[to, clock["owes"]] = datetime.fromisoformat(clock["ends"])

    def _moved(self, change: str, entry: Entry) -> None:
        data, to = entry.data, entry.data["addressee"]
        if change == "delivered":
            assert self.standing[to] == "issued", f"{self.id}: {to} has it, and it is stated again"
            self.delivered[to] = entry
        if data.get("clock"):
            self._clocks[to, "report"] = datetime.fromisoformat(data["clock"]["ends"])
        self.standing[to] = _LEADS_TO[change]

    def _fell_due(self, change: str, entry: Entry) -> None:
        data = entry.data
        due = Due(data["addressee"], data["owes"], datetime.fromisoformat(data["due_at"]))
        assert due in set(self.owed()), f"{self.id}: {change}, and {due} is not owed"
        falls_at = due.ends
        if change == "reminded":
            assert not self.overdue[due], f"{self.id}: reminded of {due}, which is overdue"
            begins = datetime.fromisoformat(data["since"])
            falls_at = begins + (due.ends - begins) * self._reminder_percent / 100
        assert entry.time == falls_at, f"{self.id}: {due} was {change} at {entry.time}"
        stated = self.overdue if change == "overdue" else self.reminded
        stated[due] += 1
        assert stated[due] == 1, f"{self.id}: {due} was {change} twice"


@dataclass(frozen=True)
class Notice:
    """One thing that a subscriber is told."""

    directive: Directive
    entry: Entry
    number: int


class Heard(Protocol):
    """One request that a receiver verified, which status it answered, and when."""

    id: str
    body: bytes
    status: int | None
    answered_at: datetime | None


@dataclass(frozen=True)
class Delivery:
    """One line of the API's timeline."""

    state: str
    statuses: Sequence[int | None]


def change_of(entry: Entry) -> str:
    """What happened to the directive."""
    return entry.type.split(".")[1]


def fold(store: Iterable[Entry]) -> dict[str, Directive]:
    """What the decisions come to, each by its own directive."""
    found: dict[str, Directive] = {}
    for entry in store:
        if entry.type.startswith("directive."):
            id_ = entry.data["directive"]
            found.setdefault(id_, Directive(id_)).take(entry)
    return found


def nothing_decided_is_lost(said: Iterable[Said], store: Iterable[Entry]) -> None:
    """What offices were told is decided is in the store, each once, and nothing else is."""
    told, stored = Counter(said), Counter(_said_in(store))
    assert not told - stored, f"lost: {list((told - stored).elements())[:3]}"
    assert not stored - told, f"nobody decided: {list((stored - told).elements())[:3]}"


def _said_in(store: Iterable[Entry]) -> Iterator[Said]:
    for entry in store:
        if not entry.type.startswith("directive.") or change_of(entry) in NETWORK:
            continue
        data = entry.data
        by = data.get("by") or data.get("issued_by") or data["drafted_by"]
        words = (data.get(name) for name in ("text_th", "reason", "report", "note"))
        text = next((one for one in words if one), None)
        yield Said(entry.type, data["directive"], by, data.get("addressee"), text)


def closes_when_done(directives: Iterable[Directive]) -> None:
    """A directive is closed where all addressees are done, and nowhere else."""
    for one in directives:
        if one.state in ("open", "closed"):
            assert (one.state == "closed") == one.is_done, f"{one.id}: {one.state}, {one.standing}"


def notices_of(directives: Iterable[Directive], addressee: str | None) -> dict[str, Notice]:
    """By id, what an addressee's webhook is told: the whole and its own, but for the news that it
    was delivered to itself. None: who oversees is told all."""
    found: dict[str, Notice] = {}
    for directive in directives:
        if addressee is None or addressee in directive.standing:
            own = [
                entry
                for entry in directive.told
                if addressee is None or entry.data.get("addressee") in (None, addressee)
            ]
            for number, entry in enumerate(own, 1):
                if addressee is None or change_of(entry) != "delivered":
                    found[entry.identity[1]] = Notice(directive, entry, number)
    return found


def taken(heard: Iterable[Heard]) -> set[str]:
    """What a receiver took in."""
    return {one.id for one in heard if one.status == 200}


def missing(heard: Sequence[Heard], notices: Mapping[str, Notice]) -> set[str]:
    """What a subscriber should have and has not; what a withdrawal voided it may lack."""
    lacked = set(notices) - taken(heard)
    return {id_ for id_ in lacked if id_ not in notices[id_].directive.voided()}


def heard_right(heard: Sequence[Heard], notices: Mapping[str, Notice]) -> None:
    """Everything that is the subscriber's and nothing else, always the same, in its order."""
    bodies: dict[str, bytes] = {}
    for one in heard:
        notice = notices.get(one.id)
        assert notice is not None, f"not its own: {one.body.decode()}"
        assert bodies.setdefault(one.id, one.body) == one.body, f"{one.id} has two bodies"
        _tells(json.loads(one.body), notice)
    lacked = missing(heard, notices)
    assert not lacked, f"never told: {[notices[id_].entry.payload for id_ in lacked][:3]}"
    _in_order(heard, notices)


def _in_order(heard: Iterable[Heard], notices: Mapping[str, Notice]) -> None:
    """Nothing of a directive was sent before all that came before it was taken in."""
    first: dict[str, datetime] = {}
    took: dict[str, datetime] = {}
    for one in heard:
        if one.answered_at:
            first[one.id] = min(one.answered_at, first.get(one.id, _NEVER))
            if one.status == 200:
                took[one.id] = min(one.answered_at, took.get(one.id, _NEVER))
    all_before: dict[str, datetime] = {}
    for id_, notice in notices.items():
        name = notice.directive.id
        # A withdrawal overtakes.
        if change_of(notice.entry) != "withdrawn":
            since = all_before.get(name, _EVER)
            assert first.get(id_, _NEVER) >= since, f"{name}: {notice.number} overtook"
            all_before[name] = max(since, took.get(id_, _NEVER))


def _tells(body: Json, notice: Notice) -> None:
    """The message is the notice of this decision."""
    entry, data = notice.entry, body["data"]
    source, subject = f"/directives/{notice.directive.id}", f"directives/{notice.directive.id}"
    told = (body["source"], body["subject"], body["type"], datetime.fromisoformat(body["time"]))
    assert told == (source, subject, "directive.notice.v1", entry.time), body
    said = (data["directive"], data["number"], data["change"], data.get("addressee"))
    expected = (notice.directive.id, notice.number, change_of(entry), entry.data.get("addressee"))
    assert said == expected, f"{body} tells {entry}"
    if said[2] == "issued":
        assert data["text"]["text_th"] == notice.directive.draft["text_th"], body


def timeline_agrees(
    timeline: Sequence[tuple[str, Delivery]],
    heard: Sequence[Heard],
    notices: Mapping[str, Notice],
) -> None:
    """What the API says became of each notice is what the receiver's own log says."""
    assert Counter(id_ for id_, _ in timeline) == Counter(notices.keys()), "not each notice once"
    for id_, delivery in timeline:
        answers = [one.status for one in heard if one.id == id_]
        known: Counter[int | None] = Counter(one for one in delivery.statuses if one is not None)
        if 200 in answers and delivery.state == "superseded":
            assert id_ in notices[id_].directive.voided(), f"{id_}: {delivery}"
        else:
            expected = "delivered" if 200 in answers else "superseded"
            assert delivery.state == expected, f"{id_}: {delivery}, and the receiver: {answers}"
        assert len(delivery.statuses) >= len(answers), f"{id_}: {delivery}, {answers}"
        assert not known - Counter(answers), f"{id_}: {delivery}, and the receiver: {answers}"


def undelivered(
    directives: Iterable[Directive], told: Mapping[str, Sequence[Heard]]
) -> list[tuple[str, str]]:
    """Whose system took the issue in, which nobody stated yet though nothing came after it."""
    return [
        (one.id, to)
        for one in directives
        for to, heard in told.items()
        if one.state == "open"
        and one.standing.get(to) == "issued"
        and one.told[0].identity[1] in taken(heard)
    ]


def delivered_right(
    directives: Iterable[Directive],
    told: Mapping[str, Sequence[Heard]],
    commits: Mapping[Identity, datetime],
) -> int:
    """Stated once for whoever's system took the issue in, after that, for nobody else; how often.

    The receivers, and the database that says when it committed, go by one clock.
    """
    stated = 0
    for one in directives:
        issue = one.told[0].identity[1] if one.told else None
        for to, entry in one.delivered.items():
            took = [
                call.answered_at
                for call in told.get(to, ())
                if call.id == issue and call.status == 200 and call.answered_at
            ]
            is_so = took and min(took) < commits[entry.identity]
            assert is_so, f"{one.id}: delivered to {to} at {commits[entry.identity]}, taken {took}"
            stated += 1
    lacking = undelivered(directives, told)
    assert not lacking, f"took it in, and it is not stated: {lacking[:3]}"
    return stated


def unstated(directives: Iterable[Directive], *, until: datetime) -> list[tuple[str, str, Due]]:
    """Of what is owed: what falls due before this moment and is not stated to be overdue.

    Whoever has longer is reminded of it, early enough that nothing excuses that it was not.
    """
    needed = (
        (one, due, "overdue" if due.ends < until else "reminded")
        for one in directives
        for due in one.owed()
    )
    return [
        (one.id, step, due)
        for one, due, step in needed
        if not (one.overdue if step == "overdue" else one.reminded)[due]
    ]


def answer_agrees(items: Sequence[Json], directives: Mapping[str, Directive], at: datetime) -> None:
    """The API's list is what the decisions come to at the moment."""
    told = {
        item["id"]: (
            item["state"],
            {one["addressee"]: (one["state"], one["overdue"]) for one in item["addressees"]},
        )
        for item in items
    }
    assert len(told) == len(items), "a directive stands in the list twice"
    expected = {id_: (one.state, _standing(one, at)) for id_, one in directives.items()}
    assert told == expected, sorted(map(str, told.items() ^ expected.items()))[:6]


def _standing(directive: Directive, at: datetime) -> dict[str, tuple[str, bool]]:
    late = {due.addressee for due in directive.owed() if due.ends < at}
    return {to: (stands, to in late) for to, stands in directive.standing.items()}
