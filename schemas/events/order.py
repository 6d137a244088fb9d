"""Orders of the Prime Minister about who oversees what, and the people who hold."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.events.model import EventModel, Key, Name, Text

Dimension = Literal["area", "function", "agenda"]
Power = Literal["oversee", "command", "oversee+command", "supervise", "area"]


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
    office: Literal["deputy_pm", "minister_pm_office", "prime_minister"]
    valid_from: date
    valid_to: date | None = None
    source: Text
    """Where the dates stand; says so when they are read off the orders alone."""


class Assignment(EventModel):
    """One target given to one holder with one kind of power."""

    type: ClassVar[str] = ""

    dimension: Dimension
    target: Key
    """A province (`TH-83`), a ministry or agency (`moi`, `moi.ddpm`), an agenda."""
    deputy: Key
    power: Power
    except_th: Text | None = None
    """What is carved out, in the order's own words."""


class OrderIssued(EventModel):
    """An order of the PM. It rules from `effective_from` until another order revokes or amends it.

    A complete area order ends the area order before it; an amending one rules for the targets it
    names. `order_missing` states that an order is known to exist whose text the archive lacks:
    from `effective_from` cover of that dimension is not known until a later complete order.
    """

    type: ClassVar[str] = "order.issued.v1"

    number: Name
    kind: Literal["area", "function", "agenda", "acting", "mixed", "revocation"]
    scope: Literal["complete", "amending", "partial"]
    effective_from: date
    effective_to: date | None = None
    revokes: list[Name] = []
    amends: list[Name] = []
    assignments: Annotated[list[Assignment], Field(max_length=5_000)] = []
    order_missing: bool = False
    illustrative: bool = False
    """True: no source states it; it stands in for the demonstration and every screen says so."""
    note: Text | None = None
    source: Text

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "OrderIssued":
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        return self
