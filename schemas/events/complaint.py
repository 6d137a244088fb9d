"""Complaints as counts: no person, no text."""

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from schemas.events.model import Count, Key, Place, PrivateModel


class CategoryCount(PrivateModel):
    """How many complaints of one kind."""

    type: ClassVar[str] = ""

    category: Key
    count: Count


class ComplaintsCounted(PrivateModel):
    """How many complaints a place received in a period, by category."""

    type: ClassVar[str] = "complaints.counted.v2"

    place: Place
    period_from: date
    period_to: date
    """Exclusive."""
    counts: Annotated[list[CategoryCount], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _period_runs_forward(self) -> "ComplaintsCounted":
        if self.period_to <= self.period_from:
            raise ValueError("period_to must be later than period_from")
        return self
