"""A plain reading of everything that was told: who held what, and what was so. No production code.

It keeps every order and event with the tick by which it was known, and answers by going through
all of them from the beginning.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from schemas.envelope import Envelope

type Json = Any
type Target = tuple[str, str]
"""A dimension and what of it."""

BANGKOK = "TH-10"
OWED = ("open", "overdue", "unacknowledged", "objected")
UNANSWERED = ("issued", "delivered")
OWES_REPORT = (*UNANSWERED, "acknowledged", "begun", "returned")
POWERS = ("oversee", "command", "supervise", "area")
FIGURES = ("dead", "injured", "missing", "displaced", "households", "routes_closed",
           "routes_affected", "damage_baht")  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One event as it was sent, and the number of the first tick that covers it."""

    known: int
    envelope: Envelope
    data: Json

    @property
    def tie(self) -> tuple[datetime, str, int, str]:
        """Among the statements of a time, the later stands behind."""
        sent = self.envelope
        return sent.time, sent.source, int(sent.sequence or -1), sent.id


@dataclass(frozen=True)
class Said:
    """What counts of one event: its own words, or those that replaced them."""

    told: Told
    data: Json


@dataclass(frozen=True)
class Nation:
    """Everything that was so at one moment, as far as it was known."""

    orders: "Matrix"
    incidents: dict[str, Json]
    """Those that were open: severity, provinces, ministries, agendas."""
    figures: dict[tuple[str, str], dict[str, Decimal]]
    """What is shown of a province in an incident."""
    alerts: list[list[str]]
    """The provinces of each alert that stands."""
    silent: Counter[str | None]
    """How many centres are silent, by province; None is those of no province."""
    owed: dict[str, Counter[str]]
    """What is owed under directives, by addressee."""

    def everything(self, provinces: Iterable[str]) -> Json:
        """The whole, each thing once."""
        return self.totals(
            provinces, self.incidents, len(self.alerts), sum(self.silent.values()), self.owed
        )

    def totals(
        self,
        provinces: Iterable[str],
        lying: Iterable[str],
        alerts: int,
        silent: int,
        addressees: Iterable[str],
    ) -> Json:
        """What an answer says of these provinces, and of the incidents that lie there."""
        there, named = set(provinces), list(lying)
        owed = sum((self.owed.get(one, Counter()) for one in addressees), Counter[str]())
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for incident in named:
            for place in there.intersection(self.incidents[incident]["provinces"]):
                for name, value in self.figures.get((place, incident), {}).items():
                    sums[name] += value
        severities = Counter(self.incidents[one]["severity"] for one in named)
        return {
            "provinces": len(there),
            "incidents": {"open": len(named), "by_severity": dict(severities)},
            "figures": {name: _written(name, value) for name, value in sums.items()},
            "silent_centres": silent,
            "active_alerts": alerts,
            "directives": {name: owed[name] for name in OWED},
        }

    def sums(self, provinces: Iterable[str]) -> Json:
        """These provinces together; what lies in two of them counts once."""
        there = set(provinces)
        lying = [name for name, one in self.incidents.items() if there & {*one["provinces"]}]
        alerts = sum(bool(there & {*one}) for one in self.alerts)
        silent = sum(self.silent[place] for place in there)
        return self.totals(there, lying, alerts, silent, there)

    def elsewhere(self, provinces: Iterable[str]) -> Json:
        """What lies in none of them."""
        there = set(provinces)
        lying = [name for name, one in self.incidents.items() if not there & {*one["provinces"]}]
        alerts = sum(not there & {*one} for one in self.alerts)
        silent = sum(count for place, count in self.silent.items() if place not in there)
        return self.totals((), lying, alerts, silent, set(self.owed) - there)

    def reasons(self, incident: str) -> set[tuple[str, str, str]]:
        """In whose fields it lies and through what: dimension, target, deputy."""
        one = self.incidents[incident]
        lists = (("area", "provinces"), ("function", "ministries"), ("agenda", "agendas"))
        return {
            (dimension, target, deputy)
            for dimension, name in lists
            for target in one[name]
            for deputy, _ in self.orders.cover((dimension, target))[1]
        }

    def shared(self) -> dict[str, set[tuple[str, str, str]]]:
        """The incidents in the fields of several, and why in each."""
        reasons = {name: self.reasons(name) for name in self.incidents}
        return {name: why for name, why in reasons.items() if len({one[2] for one in why}) > 1}


@dataclass
class Memory:
    """Everything that was told."""

    precedence: list[str]
    places: dict[str, str] = field(default_factory=dict)
    """The province of each centre that has one."""
    told: list[Told] = field(default_factory=list)
    orders: list[tuple[int, Json]] = field(default_factory=list)
    tenures: list[Json] = field(default_factory=list)

    def hear(self, known: int, events: Iterable[tuple[Envelope, bytes]]) -> None:
        """These were sent in this sequence, and known by this tick."""
        for envelope, data in events:
            if envelope.type == "order.issued.v1":
                self.orders.append((known, json.loads(data)))
            else:
                self.told.append(Told(known, envelope, json.loads(data)))

    def nation(self, as_of: datetime, known: int) -> Nation:
        """What was so at the moment, as it was known by the tick."""
        said = [one for one in self._counting(known) if one.told.envelope.time <= as_of]
        incidents = dict(_open(said))
        alerts = [
            one.data["provinces"]
            for one in said
            if one.told.envelope.type == "alert.issued.v1"
            and as_of < datetime.fromisoformat(one.data["expires"])
        ]
        return Nation(
            self.matrix(as_of, known),
            incidents,
            self._figures(said, incidents),
            alerts,
            self._silent(said),
            _owed(said, as_of),
        )

    def matrix(self, as_of: datetime, known: int) -> "Matrix":
        """Who held what."""
        return Matrix([order for tick, order in self.orders if tick <= known], self.tenures, as_of)

    def _counting(self, known: int) -> Iterator[Said]:
        """The first of each identity, in the words of its last version unless it is withdrawn."""
        first: dict[tuple[str, str], Told] = {}
        for one in self.told:
            if one.known <= known:
                first.setdefault((one.envelope.source, one.envelope.id), one)
        versions: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for one in first.values():
            if one.envelope.originalid is not None:
                source = one.envelope.originalsource or one.envelope.source
                versions[source, one.envelope.originalid].append(one)
        for key, one in first.items():
            if one.envelope.originalid is None:
                fits = (version for version in versions[key] if _fits(version, one))
                last = max(fits, key=lambda version: version.tie, default=None)
                if last is None:
                    yield Said(one, one.data)
                elif last.envelope.type == "event.corrected.v1":
                    yield Said(one, last.data["corrected_data"])

    def _silent(self, said: Iterable[Said]) -> Counter[str | None]:
        """Of whom the last word is silence."""
        last: dict[str, str] = {}
        for one in sorted(said, key=lambda each: each.told.tie):
            if one.told.envelope.type in ("centre.silent.v1", "centre.heard.v1"):
                last[one.data["centre"]] = one.told.envelope.type
        return Counter(
            self.places.get(centre) for centre, word in last.items() if word == "centre.silent.v1"
        )

    def _figures(
        self, said: Iterable[Said], incidents: Iterable[str]
    ) -> dict[tuple[str, str], dict[str, Decimal]]:
        last: dict[tuple[str, str, str], dict[str, Said]] = defaultdict(dict)
        for one in sorted(said, key=lambda each: each.told.tie):
            if one.told.envelope.type == "situation.reported.v1" and "district" not in one.data:
                for name in set(FIGURES) & set(one.data):
                    cell = one.data["place"], one.data["incident"], name
                    last[cell][one.told.envelope.source] = one
        shown: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
        for (place, incident, name), by_source in last.items():
            if incident in incidents:
                best = min(self._rank(source, place) for source in by_source)
                equals = [one for by, one in by_source.items() if self._rank(by, place) == best]
                latest = max(equals, key=lambda one: one.told.tie)
                shown[place, incident][name] = Decimal(latest.data[name])
        return shown

    def _rank(self, source: str, place: str) -> int:
        _, _, kind, name = source.split("/")
        level = {"pmoc": "PMOC", "moc": "MOC", "doc": "DOC", "poc": "POC"}.get(kind, "other")
        means = {f"{kind}:{name}", level, *(["poc"] if name == place else [])}
        ranks = [nth for nth, pattern in enumerate(self.precedence) if pattern in means]
        return min(ranks, default=len(self.precedence))


def _fits(version: Told, original: Told) -> bool:
    """What is of another type than its original has no effect."""
    named = version.data.get("corrected_type", original.envelope.type)
    return bool(named == original.envelope.type)


def _open(said: Iterable[Said]) -> Iterator[tuple[str, Json]]:
    changes: dict[str, list[Said]] = defaultdict(list)
    for one in sorted(said, key=lambda each: each.told.tie):
        if one.told.envelope.type.startswith("incident."):
            changes[one.data["incident"]].append(one)
    for name, stated in changes.items():
        turns = [one.told.envelope.type.split(".")[1] for one in stated]
        decisive = [turn for turn in turns if turn != "updated"]
        if "opened" in turns and decisive[-1] == "opened":
            state: Json = {"severity": None, "provinces": [], "ministries": [], "agendas": []}
            for one in stated:
                state |= {key: one.data[key] for key in state if one.data.get(key) is not None}
            yield name, state


def _owed(said: Iterable[Said], as_of: datetime) -> dict[str, Counter[str]]:
    """What every addressee owes under the directives that run, each counted for each."""
    owed: dict[str, Counter[str]] = defaultdict(Counter)
    drafts: dict[str, Json] = {}
    standing: dict[str, dict[str, str]] = {}
    for one in said:
        subject, _, step = one.told.envelope.type.removesuffix(".v1").partition(".")
        if subject != "directive":
            continue
        name = one.data["directive"]
        if step == "drafted":
            drafts[name] = one.data
        elif step == "issued":
            standing[name] = dict.fromkeys(drafts[name]["addressees"], "issued")
        elif "addressee" in one.data:
            standing[name][one.data["addressee"]] = step
        else:
            del standing[name]
    for name, stands in standing.items():
        done = "acknowledged" if drafts[name]["kind"] == "advice" else "complied"
        for addressee, state in stands.items():
            if state != done:
                owed[addressee] += Counter(
                    open=1,
                    overdue=_is_overdue(drafts[name], state, as_of),
                    unacknowledged=state in UNANSWERED,
                    objected=state == "objected",
                )
    return owed


def _is_overdue(draft: Json, state: str, as_of: datetime) -> bool:
    due = [draft.get("acknowledge_by")] if state in UNANSWERED else []
    if draft["kind"] != "advice" and state in OWES_REPORT:
        due.append(draft.get("report_by"))
    return any(datetime.fromisoformat(one) < as_of for one in due if one is not None)


def _written(name: str, value: Decimal) -> Json:
    return f"{value:.2f}" if name == "damage_baht" else int(value)


def _begin(order: Json) -> datetime:
    return datetime.fromisoformat(order["effective_from"])


def _rank(order: Json) -> tuple[datetime, int, int]:
    serial, year = order["number"].split("/")
    return _begin(order), int(year), int(serial)


class Matrix:
    """Who holds what at a moment: every order that has taken effect, one after the other."""

    def __init__(self, orders: list[Json], tenures: list[Json], at: datetime) -> None:
        self.orders, self.tenures, self.at = sorted(orders, key=_rank), tenures, at
        self.begun: list[Json] = []
        self._covers: dict[Target, tuple[str, list[tuple[str, str]]]] = {}
        revoked: set[str] = set()
        for order in self.orders:
            if _begin(order) <= at and order["number"] not in revoked:
                self.begun.append(order)
                revoked.update(order.get("revokes", []))

    def cover(self, target: Target) -> tuple[str, list[tuple[str, str]]]:
        """Its cover, and who holds it with which power."""
        if target not in self._covers:
            self._covers[target] = self._cover(target)
        return self._covers[target]

    def _cover(self, target: Target) -> tuple[str, list[tuple[str, str]]]:
        if target == ("area", BANGKOK):
            return "outside_scheme", []
        word = self._words(target)
        since = self._unknown_since(target[0])
        known = {power: one for power, one in word.items() if one[0] >= since}
        held = [
            (deputy, power)
            for power, (nth, deputy) in known.items()
            if deputy and self._stayed(deputy, _begin(self.begun[nth]))
        ]
        if held:
            return "overseer", sorted(held)
        return ("uncovered" if known or since < 0 else "not_known"), []

    def is_present(self, deputy: str) -> bool:
        """In office, or never in any, and not away."""
        away = any(
            one["act"] == "absent" and one["deputy"] == deputy for one in self._clauses("absent")
        )
        return not away and (deputy in self.in_office or deputy not in self._known_people)

    def acts_for(self, deputy: str) -> str | None:
        """The first of the last list who is there, while the deputy is not."""
        lists = [one for one in self._clauses("substitute") if one["deputy"] == deputy]
        if not lists or self.is_present(deputy):
            return None
        there = (one for one in lists[-1]["substitutes"] if one != deputy and self.is_present(one))
        return next(there, None)

    @cached_property
    def in_office(self) -> set[str]:
        """Who is in an office."""
        there = set()
        for tenure in self.tenures:
            begins, ends = tenure["begins"], tenure["ends"]
            over = any(
                (self._ends(order, tenure["tenure"]) and begins <= _begin(order))
                or (self._falls(order) and begins < _begin(order))
                for order in self.begun
            )
            if begins <= self.at and (ends is None or self.at < ends) and not over:
                there.add(tenure["deputy"])
        for nth, order in enumerate(self.begun):
            for one in order["clauses"]:
                if one["act"] == "appoint" and self._stands(nth):
                    later = self.begun[nth + 1 :]
                    if not any(self._ends(other, one["tenure"]) for other in later):
                        there.add(one["deputy"])
        return there

    @cached_property
    def _known_people(self) -> set[str]:
        """Of whom it is known when they were in office."""
        been = [moment.in_office for moment in self._lived]
        return {tenure["deputy"] for tenure in self.tenures}.union(*been)

    @cached_property
    def _lived(self) -> list["Matrix"]:
        """The moments so far at which anything may have begun or ended, and this one."""
        ends = [one["effective_to"] for one in self.orders if one.get("effective_to")]
        moments = {_begin(one) for one in self.orders} | {*map(datetime.fromisoformat, ends)}
        moments |= {one[name] for one in self.tenures for name in ("begins", "ends") if one[name]}
        past = sorted(one for one in moments if one < self.at)
        return [*(Matrix(self.orders, self.tenures, one) for one in past), self]

    def _stayed(self, deputy: str, since: datetime) -> bool:
        """There now, and never left since."""
        if deputy not in self._known_people:
            return True
        been = [deputy in moment.in_office for moment in self._lived if moment.at >= since]
        left = any(before and not after for before, after in pairwise(been))
        return been[-1] and not left

    def _clauses(self, act: str) -> Iterator[Json]:
        for nth, order in enumerate(self.begun):
            if self._stands(nth):
                yield from (one for one in order["clauses"] if one["act"] == act)

    def _words(self, target: Target) -> dict[str, tuple[int, str | None]]:
        """By power, the last word on it: which order's, and whose it is or nobody's."""
        words: dict[str, tuple[int, str | None]] = {}
        for nth, order in enumerate(self.begun):
            if not self._stands(nth) or self._over(nth, target[0]):
                continue
            said: dict[str, str | None] = {}
            for one in order["clauses"]:
                if one["act"] == "assign" and (one["dimension"], one["target"]) == target:
                    for power in one["power"].split("+"):
                        said.setdefault(power, one["deputy"])
            lost = target[0] in order.get("missing", [])
            for part in self._parts_of(order["number"], target):
                all_of_it = list(said) or POWERS
                for power in part["power"].split("+") if part.get("power") else all_of_it:
                    if power in said or lost:
                        said[power] = None
            words.update({power: (nth, deputy) for power, deputy in said.items()})
        return words

    def _parts_of(self, number: str, target: Target) -> Iterator[Json]:
        for order in self.begun:
            for one in order["clauses"]:
                named = one["act"] == "revoke_part" and one["order"] == number
                if named and (one["dimension"], one["target"]) == target:
                    yield one

    def _unknown_since(self, dimension: str) -> int:
        """The order of which the text is missing; -1 when all is known."""
        since = -1
        for nth, order in enumerate(self.begun):
            if dimension in order.get("missing", []):
                since = nth
            elif dimension in order.get("complete", []) or self._falls(order):
                since = -1
        return since

    def _stands(self, nth: int) -> bool:
        """Whether the order still rules."""
        order, later = self.begun[nth], self.begun[nth + 1 :]
        number, ends = order["number"], order.get("effective_to")
        if ends and datetime.fromisoformat(ends) <= self.at:
            return False
        if any(number in one.get("revokes", []) or self._falls(one) for one in later):
            return False
        amended = [
            place for place in range(nth) if self.begun[place]["number"] in order.get("amends", [])
        ]
        if amended and not any(self._stands(place) for place in amended):
            return False
        acts = {one["act"] for one in order["clauses"]}
        speaks = {one["dimension"] for one in order["clauses"] if one["act"] == "assign"}
        speaks |= {*order.get("complete", []), *order.get("missing", [])}
        lasting = acts & {"appoint", "substitute", "absent", "act_as_pm", "entrust", "reserve"}
        return bool(lasting) or not speaks or any(not self._over(nth, one) for one in speaks)

    def _over(self, nth: int, dimension: str) -> bool:
        """Whether a later order is complete in the dimension."""
        later = self.begun[nth + 1 :]
        return any(dimension in one.get("complete", []) or self._falls(one) for one in later)

    @staticmethod
    def _falls(order: Json) -> bool:
        return any(one["act"] == "end_cabinet" for one in order["clauses"])

    @staticmethod
    def _ends(order: Json, tenure: str) -> bool:
        return any(
            one["act"] == "end_tenure" and one["tenure"] == tenure for one in order["clauses"]
        )
