"""What a centre says of a situation: cumulative counts for one place in one incident."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.events.model import Baht, Count, District, EventModel, Key, Place, Text

FIGURES = (
    "dead",
    "injured",
    "missing",
    "displaced",
    "households",
    "routes_closed",
    "routes_affected",
    "damage_baht",
)
"""The figures that are added up over places, in the order screens show them."""

Severity = Literal["minor", "moderate", "severe", "extreme"]


class SituationReported(EventModel):
    """A source's cumulative counts for one place in one incident, as of the event's `time`.

    A figure left out is not stated: it keeps what the source last said. A figure in `figures` is
    cumulative, never an increment; `TH` as `place` is a total for the nation, a series of its own.
    """

    type: ClassVar[str] = "situation.reported.v1"

    incident: Key
    place: Place
    district: District | None = None
    dead: Count | None = None
    injured: Count | None = None
    missing: Count | None = None
    displaced: Count | None = None
    households: Count | None = None
    routes_closed: Count | None = None
    routes_affected: Count | None = None
    damage_baht: Baht | None = None
    severity: Severity | None = None
    needs: Annotated[list[Text], Field(max_length=100)] = []
    note: Text | None = None
    stated_by: Text | None = None
    """Whom the source quotes, when the words are not its own."""

    @model_validator(mode="after")
    def _states_something(self) -> "SituationReported":
        if not (
            any(getattr(self, name) is not None for name in FIGURES)
            or self.severity
            or self.needs
            or self.note
        ):
            raise ValueError("a situation report states at least one figure, need or note")
        return self
