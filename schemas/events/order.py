"""Orders of the Prime Minister about who oversees what, and the people who hold."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from schemas.events.model import EventModel, Key, Moment, Name, Province, Text

Dimension = Literal["area", "function", "agenda"]
Power = Literal["oversee", "command", "oversee+command", "supervise", "area"]
Office = Literal["deputy_pm", "minister_pm_office", "prime_minister"]
Duty = Literal["inspect", "call_for_reports", "coordinate", "urge", "follow_up", "advise"]
"""What a deputy may entrust to an inspector; the other powers never are (domain.md 2)."""


class DeputyRegistered(EventModel):
    """A person who holds, or held, an office that oversees."""

    type: ClassVar[str] = "deputy.registered.v1"

    deputy: Key
    name_th: Name
    name_en: Name | None = None
    source: Text


class TenureRegistered(EventModel):
    """A person's time in one office. Half-open: `valid_to` is the first day after it."""

    type: ClassVar[str] = "tenure.registered.v1"

    tenure: Key
    deputy: Key
    office: Office
    valid_from: date
    valid_to: date | None = None
    source: Text
    """Where the dates stand; says so when they are read off the orders alone."""


def _names_its_act(schema: dict[str, Any]) -> None:
    schema["required"] = ["act", *schema.get("required", [])]


class ClauseModel(EventModel):
    """What every clause of an order is: `act` tells which, so it is always written."""

    model_config = ConfigDict(json_schema_extra=_names_its_act)

    type: ClassVar[str] = ""

    act: str

    @model_serializer(mode="wrap")
    def _with_its_act(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"act": self.act, **written(self)}


class Assignment(ClauseModel):
    """One target is given to one holder with one kind of power."""

    act: Literal["assign"] = "assign"
    dimension: Dimension
    target: Key
    """A province (`TH-83`), a ministry or agency (`moi`, `moi.ddpm`), an agenda."""
    deputy: Key
    power: Power
    except_targets: list[Key] = []
    """Units inside the target that are carved out: Justice except `moj.dsi`."""
    except_th: Text | None = None
    """What is carved out, in the order's own words."""
    through: Name | None = None
    """The cluster or inspection region by which the order named this province."""


class Appointment(ClauseModel):
    """A person takes office; the order's effect begins the tenure."""

    act: Literal["appoint"] = "appoint"
    tenure: Key
    deputy: Key
    office: Office


class TenureEnd(ClauseModel):
    """A person leaves office when the order takes effect."""

    act: Literal["end_tenure"] = "end_tenure"
    tenure: Key


class Substitutes(ClauseModel):
    """Who stands in for a deputy, in this sequence; only while the deputy is away."""

    act: Literal["substitute"] = "substitute"
    deputy: Key
    substitutes: Annotated[list[Key], Field(min_length=1, max_length=10)]


class Absence(ClauseModel):
    """A deputy is away or unable for as long as the order is in effect."""

    act: Literal["absent"] = "absent"
    deputy: Key


class ActingPrimeMinister(ClauseModel):
    """A deputy acts as Prime Minister for as long as the order is in effect.

    Personnel and money of the Prime Minister only with the Prime Minister's prior consent.
    """

    act: Literal["act_as_pm"] = "act_as_pm"
    deputy: Key


class Entrusted(ClauseModel):
    """A deputy held up by urgent duty entrusts a piece of oversight to an inspector."""

    act: Literal["entrust"] = "entrust"
    deputy: Key
    inspector: Key
    provinces: Annotated[list[Province], Field(min_length=1)]
    duties: Annotated[list[Duty], Field(min_length=1)]


class FundPower(ClauseModel):
    """A minister attached to the PM's Office may approve emergency money in the area held, for as
    long as the order is in effect; deputy PMs may without one."""

    act: Literal["give_fund_power"] = "give_fund_power"
    deputy: Key


class Reservation(ClauseModel):
    """The PM orders otherwise: from now on the deputy's power over this matter rests.

    Named by target, by the subject of one matter (`directives/…`, `incidents/…`), or by both.
    """

    act: Literal["reserve"] = "reserve"
    deputy: Key | None = None
    """None: whoever holds it."""
    dimension: Dimension | None = None
    target: Key | None = None
    subject: Key | None = None

    @model_validator(mode="after")
    def _names_a_matter(self) -> "Reservation":
        if (self.dimension is None) != (self.target is None):
            raise ValueError("dimension and target stand together")
        if self.target is None and self.subject is None:
            raise ValueError("a reservation names a target or a subject")
        return self


class Release(ClauseModel):
    """A reservation ends: what the order reserved is the holder's again."""

    act: Literal["release"] = "release"
    order: Name
    """The number of the order that reserved it."""


class PartRevoked(ClauseModel):
    """One target of an earlier order is given to nobody any more."""

    act: Literal["revoke_part"] = "revoke_part"
    order: Name
    dimension: Dimension
    target: Key
    power: Power | None = None
    """None: every kind of power."""


class CabinetEnd(ClauseModel):
    """The cabinet ends: every tenure and every assignment with it."""

    act: Literal["end_cabinet"] = "end_cabinet"


Clause = Annotated[
    Assignment
    | Appointment
    | TenureEnd
    | Substitutes
    | Absence
    | ActingPrimeMinister
    | Entrusted
    | FundPower
    | Reservation
    | Release
    | PartRevoked
    | CabinetEnd,
    Field(discriminator="act"),
]
"""One thing that an order orders; its number is its place in the order, from 1."""


class OrderIssued(EventModel):
    """An order of the PM. It rules from `effective_from` until `effective_to`, if it states one.

    Half-open. It ends before that when a later order revokes it, amends what it names, or is
    complete in its dimension.
    """

    type: ClassVar[str] = "order.issued.v1"

    number: Name
    issued_on: date | None = None
    """The day the order bears; None where the archive does not know it."""
    effective_from: Moment
    effective_to: Moment | None = None
    """The first moment after it."""
    complete: list[Dimension] = []
    """The dimensions of which it names everything that is held: earlier orders of them end."""
    missing: list[Dimension] = []
    """The order is known to exist and its text is not: from its effect on, cover of these
    dimensions is not known until a later complete order."""
    revokes: list[Name] = []
    amends: list[Name] = []
    clauses: Annotated[list[Clause], Field(max_length=5_000)] = []
    illustrative: bool = False
    """True: no source states it; it stands in for the demonstration and every screen says so."""
    note: Text | None = None
    source: Text

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "OrderIssued":
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        return self
