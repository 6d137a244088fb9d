"""Random histories: orders, events, directives and silences; late, doubled, out of order."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tests.api.country import (
    BANGKOK,
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    PRESS,
    Json,
    gives,
    order,
)
from tests.api.happenings import Event
from tests.projections.network import INTERIOR, NOON, event, report

KRABI, TRANG, RANONG = "TH-81", "TH-92", "TH-85"
PROVINCES = (PHUKET, PHANG_NGA, KRABI, TRANG, RANONG, BANGKOK)
PEOPLE = ("a", "b", "c")
TENURES = ("a.1", "b.1", "c.1")
TARGETS = (
    *(("area", code) for code in PROVINCES),
    ("function", "moi"),
    ("function", "moph"),
    ("agenda", "drugs"),
    ("agenda", "haze"),
)
DAYS = 60
_SOURCES = (DISASTERS, PRESS, INTERIOR, *(f"/centres/poc/{code}" for code in PROVINCES[:3]))
_POWERS = ("oversee", "command", "oversee+command")
_COUNTS = ("dead", "injured", "missing", "displaced", "households", "routes_closed")
_ADDRESSEES = (*PROVINCES, "moi", "moph")
_CENTRES = ("poc:TH-83", "poc:TH-82", "city:TH-10", "moc:moi", "press:cnn")
# Where an addressee's life goes on from each step, as one who obeys or objects would take it.
_NEXT = {
    "issued": ("delivered", "acknowledged", "objected"),
    "delivered": ("acknowledged", "objected"),
    "acknowledged": ("begun", "reported", "objected"),
    "objected": ("begun",),
    "begun": ("reported",),
    "reported": ("complied", "returned"),
    "returned": ("reported",),
}
_SAYS: Json = {
    "delivered": {"channel": "pull"},
    "objected": {"reason": "x"},
    "reported": {"report": "x"},
    "returned": {"reason": "x"},
}
# Times lie on a coarse grid: several statements of one moment have to be told apart.
_GRID_MINUTES = 12 * 60


@dataclass
class Running:
    """A directive that runs: how far each addressee is, and when the last of it was so."""

    name: str
    kind: str
    standing: dict[str, str]
    minutes: float


@dataclass
class History:
    """Makes one thing after the other happen; the same choices make the same history."""

    chosen: Random
    """Who chooses; another one at each step, where Hypothesis does."""
    orders: int = 1
    """How many were issued; `1/2567` was there before."""
    events: int = 0
    sent: list[Event] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    """At which an order takes effect or ends."""
    directives: int = 0
    _late: list[list[Event]] = field(default_factory=list)
    _running: list[Running] = field(default_factory=list)
    _silences: dict[str, float] = field(default_factory=dict)
    """When each centre's last word was, silent or heard."""
    _silent: set[str] = field(default_factory=set)

    def next_order(self) -> Event:
        """An order that takes effect at any moment, before the last ones or long after."""
        begins = NOON + timedelta(seconds=self.chosen.randrange(-5, DAYS) * 86_400 + 3_615)
        if self.moments and self.chosen.random() < 0.2:
            begins = self.chosen.choice(self.moments)
        fields: Json = {"complete": self._sometimes(0.2, self._dimensions())}
        self.moments.append(begins)
        if self.chosen.random() < 0.2:
            ends = begins + timedelta(days=self.chosen.randint(1, 30))
            self.moments.append(ends)
            fields["effective_to"] = ends.isoformat()
        fields["missing"] = self._sometimes(0.1, self._dimensions())
        fields["revokes"] = self._sometimes(0.15, [self._number()])
        fields["amends"] = self._sometimes(0.15, [self._number()])
        clauses = [self._clause() for _ in range(self.chosen.randint(1, 5))]
        self.orders += 1
        issued: Event = order(f"{self.orders}/2567", begins, *clauses, **fields)
        return issued

    def next_events(self) -> list[Event]:
        """Some events in any sequence, and some that were sent before."""
        new = [self._event() for _ in range(self.chosen.randint(4, 9))]
        again = self.chosen.sample(self.sent, min(2, len(self.sent)))
        late = self.chosen.sample(new, 2)
        # Two turns late: what is about such an event may come before it.
        self._late.append(late)
        arrived = self._late.pop(0) if len(self._late) > 2 else []
        told = [*(one for one in new if one not in late), *again, *arrived]
        self.chosen.shuffle(told)
        self.sent += new
        return told

    def next_of_directive(self) -> tuple[str, list[Event]]:
        """A directive's beginning, its end, or what comes next of it; and its name."""
        if not self._running or self.chosen.random() < 0.5:
            return self._issued()
        one = self.chosen.choice(self._running)
        one.minutes += self.chosen.randint(0, 10) * _GRID_MINUTES
        addressee = self.chosen.choice(sorted(one.standing))
        turns = [
            turn
            for turn in _NEXT.get(one.standing[addressee], ())
            if one.kind != "advice" or turn in ("delivered", "acknowledged")
        ]
        if not turns:
            self._running.remove(one)
            over = {"directive": one.name, "by": "deputy:a", "reason": "x"}
            return one.name, [_of_directive("withdrawn", over, one.minutes)]
        turn = one.standing[addressee] = self.chosen.choice(turns)
        said = {"directive": one.name, "addressee": addressee, "by": "x", **_SAYS.get(turn, {})}
        return one.name, [_of_directive(turn, said, one.minutes)]

    def next_silence(self) -> Event:
        """A centre is silent; one that is, is heard again."""
        centre = self.chosen.choice(_CENTRES)
        minutes = self._silences.get(centre, 0) + self.chosen.randint(1, 30) * _GRID_MINUTES
        self._silences[centre] = minutes
        self._silent ^= {centre}
        word, since = (
            ("silent", "silent_since") if centre in self._silent else ("heard", "heard_at")
        )
        return event(
            f"centre.{word}.v1",
            {"centre": centre, since: NOON.isoformat()},
            source="/network/timers",
            minutes=minutes,
        )

    def moment(self) -> datetime:
        """Any moment, often the one at which an order takes effect or the second before."""
        if self.moments and self.chosen.random() < 0.6:
            second = timedelta(seconds=self.chosen.randint(0, 1))
            return self.chosen.choice(self.moments) - second
        return NOON + timedelta(minutes=self.chosen.randint(-1_440, DAYS * 1_440))

    def _clause(self) -> Json:
        act = self.chosen.choice(
            ["assign"] * 8
            + ["revoke_part"] * 2
            + ["appoint", "end_tenure"] * 2
            + ["substitute", "absent"]
            + ["end_cabinet"] * (self.chosen.random() < 0.2)
        )
        person = self.chosen.choice(PEOPLE)
        dimension, target = self.chosen.choice(TARGETS)
        match act:
            case "assign":
                return gives(dimension, target, person, self.chosen.choice(_POWERS))
            case "revoke_part":
                part = {"order": self._number(), "dimension": dimension, "target": target}
                power = {} if self.chosen.random() < 0.7 else {"power": "area"}
                return {"act": act, **part, **power}
            case "appoint":
                return {"act": act, "tenure": f"{person}.1", "deputy": person,
                        "office": "deputy_pm"}  # fmt: skip
            case "end_tenure":
                return {"act": act, "tenure": self.chosen.choice(TENURES)}
            case "substitute":
                others = self.chosen.sample(PEOPLE, 2)
                return {"act": act, "deputy": person, "substitutes": others}
            case "absent":
                return {"act": act, "deputy": person}
            case _:
                return {"act": act}

    def _issued(self) -> tuple[str, list[Event]]:
        self.directives += 1
        name, kind = f"d{self.directives}", self.chosen.choice(["order", "report", "advice"])
        minutes = float(self.chosen.randrange(0, DAYS * 1_440 // 2, _GRID_MINUTES))
        addressees = self.chosen.sample(_ADDRESSEES, self.chosen.randint(1, 3))
        due: Json = {
            one: (NOON + timedelta(minutes=minutes, days=self.chosen.randint(0, 20))).isoformat()
            for one in self._sometimes(0.7, ["acknowledge_by", "report_by"])
        }
        written = {"directive": name, "deputy": "a", "drafted_by": "secretariat:a", "kind": kind,
                   "title_th": "x", "text_th": "x", "addressees": addressees, **due}  # fmt: skip
        issue = {"directive": name, "issued_by": "pm", "capacity": "prime_minister",
                 "authority": [{"addressee": one} for one in addressees]}  # fmt: skip
        self._running.append(Running(name, kind, dict.fromkeys(addressees, "issued"), minutes))
        drafted = _of_directive("drafted", written, minutes)
        return name, [drafted, _of_directive("issued", issue, minutes)]

    def _event(self) -> Event:
        self.events += 1
        make = self.chosen.choice(
            [self._opened, self._changed, self._corrected]
            + [self._reported] * 4
            + [self._alerted] * (self.chosen.random() < 0.3)
        )
        return make()

    def _attributes(self) -> Json:
        minutes = self.chosen.randrange(0, DAYS * 1_440 * 2 // 3, _GRID_MINUTES)
        numbered = self.chosen.random() < 0.5
        return {
            # Another event may have had this id: then this one has no effect.
            "id": f"e{self.chosen.randint(1, self.events * 10)}",
            "source": self.chosen.choice(_SOURCES),
            "minutes": minutes,
            **({"sequence": f"{self.events:06}"} if numbered else {}),
        }

    def _incident(self) -> str:
        return f"i{self.chosen.randint(1, 6)}"

    def _places(self) -> Json:
        return {
            "provinces": self.chosen.sample(PROVINCES, self.chosen.randint(0, 3)),
            "ministries": self._sometimes(0.4, ["moi", "moph"]),
            "agendas": self._sometimes(0.4, ["drugs"]),
        }

    def _opened(self) -> Event:
        return event("incident.opened.v1", self._opening(), **self._attributes())

    def _opening(self) -> Json:
        severity = self.chosen.choice(["minor", "severe"])
        names = {"hazard": "flood", "title_th": "น้ำท่วม", "severity": severity}
        return {"incident": self._incident(), **names, **self._places()}

    def _changed(self) -> Event:
        if self.chosen.random() < 0.3:
            over = {"incident": self._incident(), "reason": "over"}
            return event("incident.closed.v1", over, **self._attributes())
        places = {name: value for name, value in self._places().items() if value}
        return event("incident.updated.v1", {"incident": self._incident(), **places},
                     **self._attributes())  # fmt: skip

    def _reported(self) -> Event:
        place = self.chosen.choice(PROVINCES)
        data = report(incident=self._incident(), place=place, **self._figures())
        return event("situation.reported.v1", data, **self._attributes())

    def _figures(self) -> Json:
        stated: Json = {
            name: self.chosen.randint(0, 50)
            for name in self.chosen.sample(_COUNTS, self.chosen.randint(1, 3))
        }
        if self.chosen.random() < 0.5:
            stated["damage_baht"] = (
                f"{self.chosen.randint(0, 10**6)}.{self.chosen.randint(0, 99):02}"
            )
        return stated

    def _corrected(self) -> Event:
        """A correction or a withdrawal of something said, or of something still to be said."""
        right = [one for one in self.sent if one[0].type == "situation.reported.v1"]
        opened = [one for one in self.sent if one[0].type == "incident.opened.v1"]
        if not right or not opened:
            return self._reported()
        original, data = self.chosen.choice([right, right, opened])[-self.chosen.randint(1, 3) :][0]
        attributes = self._attributes() | {"originalid": original.id}
        attributes["source"] = self.chosen.choice([original.source, original.source, INTERIOR])
        if attributes["source"] != original.source:
            attributes["originalsource"] = original.source
        if self.chosen.random() < 0.3:
            return event("event.withdrawn.v1", {"reason": "not so"}, **attributes)
        words = json.loads(data)
        words |= self._places() if original.type == "incident.opened.v1" else self._figures()
        correction = {"corrected_type": original.type, "corrected_data": words, "reason": "misread"}
        return event("event.corrected.v1", correction, **attributes)

    def _alerted(self) -> Event:
        attributes = self._attributes()
        expires = NOON + timedelta(minutes=attributes["minutes"], days=self.chosen.randint(1, 20))
        data = {
            "alert": f"alert-{self.events}", "event_th": "น้ำท่วม", "headline_th": "ระวัง",
            "urgency": "immediate", "severity": "severe", "certainty": "observed",
            "expires": expires.isoformat(),
            "provinces": self.chosen.sample(PROVINCES, self.chosen.randint(0, 3)),
        }  # fmt: skip
        return event("alert.issued.v1", data, **attributes)

    def _sometimes(self, often: float, among: list[str]) -> list[str]:
        if self.chosen.random() >= often:
            return []
        return sorted(self.chosen.sample(among, self.chosen.randint(1, len(among))))

    @staticmethod
    def _dimensions() -> list[str]:
        return ["area", "function", "agenda"]

    def _number(self) -> str:
        return f"{self.chosen.randint(max(1, self.orders - 5), self.orders)}/2567"


def _of_directive(step: str, data: Json, minutes: float) -> Event:
    return event(f"directive.{step}.v1", data, source="/offices/deputy/a", minutes=minutes)
