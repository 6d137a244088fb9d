"""What each identity sees, and everything that can happen where a reader sees nothing of it.

The reaches of identities are written down here by hand: the rules under test are not asked.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import date
from random import Random

from schemas.envelope import Envelope
from schemas.ids import CentreId, source_of_centre
from services.eventlog.ticks import Ticker
from tests.api.country import (
    BANGKOK,
    DISASTERS,
    PHANG_NGA,
    PHUKET,
    Country,
    Json,
    centre,
    order,
)
from tests.api.happenings import alerted, measured, opened, said, silent
from tests.projections.network import event

type Event = tuple[Envelope, bytes]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Reach:
    """What somebody sees, or speaks of."""

    provinces: frozenset[str] = frozenset()
    ministries: frozenset[str] = frozenset()
    agendas: frozenset[str] = frozenset()
    deputies: frozenset[str] = frozenset()
    centres: frozenset[str] = frozenset()

    def beyond(self, other: "Reach") -> "Reach":
        """What lies in this reach and not in the other."""
        return Reach(
            **{one.name: getattr(self, one.name) - getattr(other, one.name) for one in fields(self)}
        )


def _of(provinces: str = "", centres: str = "", **more: str) -> Reach:
    named = {"provinces": provinces, "centres": centres, **more}
    return Reach(**{name: frozenset(text.split()) for name, text in named.items()})


NATION = _of(
    f"{PHUKET} {PHANG_NGA} {BANGKOK}",
    "moc:moi moc:moph doc:moi.ddpm poc:TH-83 poc:TH-82 city:TH-10 press:cnn",
    ministries="moi moph mot",
    agendas="drugs dust",
    deputies="a b",
)
OF_A = _of(PHUKET, "poc:TH-83", ministries="moi", deputies="a")
REACHES = {
    "deputy:a": OF_A,
    "secretariat:a": OF_A,
    "deputy:b": _of(PHANG_NGA, "poc:TH-82", agendas="drugs", deputies="b"),
    "poc:TH-83": _of(PHUKET, "poc:TH-83"),
    "governor:TH-83": _of(PHUKET, "poc:TH-83"),
    "poc:TH-82": _of(PHANG_NGA, "poc:TH-82"),
    "city:TH-10": _of(BANGKOK, "city:TH-10"),
    "moc:moi": _of("", "moc:moi doc:moi.ddpm", ministries="moi"),
    "moc:moph": _of("", "moc:moph", ministries="moph"),
    "doc:moi.ddpm": _of("", "doc:moi.ddpm", ministries="moi"),
    "press:cnn": _of("", "press:cnn"),
    "screening": Reach(),
    "inspector:x": Reach(),
    "doc:unheard-of": Reach(),
    "pm": NATION,
    "analyst": replace(NATION, deputies=frozenset()),
    "operator": Reach(centres=NATION.centres),
}
FLOOD = Reach(frozenset({PHUKET, PHANG_NGA}), frozenset({"moph"}))


@dataclass
class Happening:
    """What happens outside a reach: events, decisions, and what is set aside."""

    random: Random
    outside: Reach
    reader: Reach
    events: list[Event] = field(default_factory=list)
    decisions: list[Event] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def somewhere(self) -> list[str]:
        """One to three provinces outside, by chance."""
        there = sorted(self.outside.provinces)
        return self.random.sample(there, self.random.randint(1, len(there)))

    def by(self) -> dict[str, Json]:
        """A source of whose centre nothing is seen, at a time; else one that was heard later."""
        unseen = sorted(NATION.centres - self.reader.centres)
        if unseen:
            source = source_of_centre(CentreId(self.random.choice(unseen)))
            return {"source": source, "minutes": self.random.randint(-50, 50), "id": name()}
        return {"source": DISASTERS, "minutes": self.random.randint(-50, -1), "id": name()}

    @property
    def identities(self) -> list[tuple[str, str]]:
        """Source and id of everything that happens."""
        return [(one.source, one.id) for one, _ in (*self.events, *self.decisions)]

    async def tell(self, country: Country) -> None:
        """All of it has happened, and a tick covers it."""
        if self.decisions:
            await country.network.decide("outside", *self.decisions)
        await country.tell(*self.events)
        for statement in self.statements:
            await country.network.pool.execute(statement)
        await Ticker(country.network.pool, country.network.log).tick()


def name() -> str:
    """A name that nothing else has."""
    return f"outside-{next(_numbers)}"


def incidents(here: Happening) -> None:
    """An incident of provinces, ministries and agendas that are all outside; one is closed."""
    for nth in range(here.random.randint(1, 3)):
        incident = name()
        told = opened(
            incident,
            *(here.somewhere() if here.outside.provinces else []),
            ministries=sorted(here.outside.ministries),
            agendas=sorted(here.outside.agendas),
            **here.by(),
        )
        here.events.append(told)
        if nth:
            data = {"incident": incident, "reason": "over"}
            here.events.append(event("incident.closed.v1", data, **here.by()))


def reports(here: Happening) -> None:
    """Figures of places outside, also in an incident that the reader shares with them."""
    if here.outside.provinces and not here.reader.ministries & FLOOD.ministries:
        for place in [*here.somewhere(), "TH"]:
            here.events.append(said(place, dead=here.random.randint(1, 900), **here.by()))


def corrections(here: Happening) -> None:
    """What was said outside is corrected; and something that never came."""
    if PHANG_NGA in here.outside.provinces and not here.reader.ministries & FLOOD.ministries:
        data = {"reason": "wrong place"}
        told = event("event.withdrawn.v1", data, **here.by() | {"source": DISASTERS},
                     originalid="phang-nga")  # fmt: skip
        if "doc:moi.ddpm" not in here.reader.centres:
            here.events.append(told)
    unseen = here.by()
    here.events.append(event("event.withdrawn.v1", {"reason": "x"}, **unseen, originalid=name()))


def contradictions(here: Happening) -> None:
    """One id with two contents."""
    by = here.by()
    if by["minutes"] > 0 and here.outside.provinces:
        (place, *_) = here.somewhere()
        here.events += [measured(place, "2024-08-30", value, **by) for value in (1, 2)]


def measurements(here: Happening) -> None:
    """An indicator the reader knows, of other places, and one nobody else measures."""
    for place in here.somewhere() if here.outside.provinces else []:
        here.events.append(measured(place, "2024-09-02", here.random.randint(1, 99), **here.by()))


def alerts(here: Happening) -> None:
    """Public alerts of other places."""
    if here.outside.provinces:
        here.events.append(alerted(name(), *here.somewhere(), **here.by()))


def centres(here: Happening) -> None:
    """A centre more, and silence of those there are."""
    if here.outside.centres:
        here.decisions.append(centre(f"press:{name()}", "other"))
        here.decisions += [silent(one, id=name()) for one in sorted(here.outside.centres)]


def orders(here: Happening) -> None:
    """The matters that the Prime Minister reserves from other deputies."""
    for deputy in sorted(here.outside.deputies):
        clauses: list[Json] = [
            {"act": "reserve", "deputy": deputy, "subject": "incidents/flood"},
            {"act": "reserve", "deputy": deputy, "subject": f"directives/{name()}"},
        ]
        here.decisions.append(order(name(), date(2024, 8, 20), *clauses, complete=[]))


def directives(here: Happening) -> None:
    """What other deputies draft, and issue to provinces outside; some of it in confidence."""
    for deputy in sorted(here.outside.deputies):
        by: dict[str, Json] = {"source": f"/offices/deputy/{deputy}"}
        to = sorted(here.outside.provinces)
        said = {"directive": name(), "deputy": deputy, "drafted_by": f"secretariat:{deputy}",
                "kind": "report", "title_th": "x", "text_th": "x", "addressees": to or [PHUKET],
                "classification": here.random.choice(["open", "confidential"])}  # fmt: skip
        here.decisions.append(event("directive.drafted.v1", said, **by, id=name()))
        if to:
            given = [{"addressee": one} for one in to]
            issue = {"directive": said["directive"], "issued_by": f"deputy:{deputy}",
                     "capacity": "holder", "authority": given}  # fmt: skip
            here.decisions.append(event("directive.issued.v1", issue, **by, id=name()))
            here.decisions += [overdue(said["directive"], one) for one in to]


def overdue(directive: Json, addressee: str) -> tuple[Envelope, bytes]:
    """What a timer states of an addressee: it went up."""
    due = {"directive": directive, "addressee": addressee, "owes": "report", "level": 1,
           "to": "pmoc", "since": "2024-08-01T00:00Z", "due_at": "2024-08-02T00:00Z"}  # fmt: skip
    return event("directive.escalated.v1", due, source="/network/timers", id=name())


def set_aside(here: Happening) -> None:
    """What could not be read or applied: the operator's alone."""
    nth = next(_numbers)
    here.statements += [
        "INSERT INTO projections.parked (model, key, slot, position, reason) "
        f"VALUES ('incidents', 'incidents/{nth}', 3, {nth}, 'DataError: x')",
        "INSERT INTO projections.quarantine "
        '(topic, partition, "offset", reason, key, headers, value) '
        f"VALUES ('status', 3, {nth}, 'ValidationError: x', 'k', '[]', 'secret')",
    ]


type Kind = Callable[[Happening], None]

ALL: tuple[Kind, ...] = (
    set_aside, incidents, reports, corrections, contradictions, measurements, alerts, centres,
    orders, directives,
)  # fmt: skip
NOT_OF_THE_SYSTEM: tuple[Kind, ...] = (
    incidents, reports, measurements, alerts, orders, directives,
)  # fmt: skip
NOT_OF_A_PLACE: tuple[Kind, ...] = (set_aside, orders, directives)


def happening(random: Random, reader: str, other: str) -> Happening:
    """Something of every kind that the other sees or speaks of, and the reader does not."""
    reach = REACHES[reader]
    here = Happening(random, REACHES[other].beyond(reach), reach)
    sees_places = reach.provinces == NATION.provinces
    kinds = NOT_OF_A_PLACE if sees_places else ALL
    for kind in NOT_OF_THE_SYSTEM if reader == "operator" else kinds:
        kind(here)
    return here
