"""A public alert, with the fields of OASIS CAP 1.2 that the network decides on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.events.model import EventModel, Key, Moment, Name, Province, Text


class AlertIssued(EventModel):
    """A centre alerts the public, or updates or cancels an alert of its own.

    Source: OASIS Common Alerting Protocol 1.2, section 3.2; `references` name earlier alerts.
    """

    type: ClassVar[str] = "alert.issued.v1"

    alert: Key
    message: Literal["alert", "update", "cancel"] = "alert"
    references: Annotated[list[Key], Field(max_length=100)] = []
    incident: Key | None = None
    event_th: Name
    headline_th: Name
    headline_en: Name | None = None
    description: Text | None = None
    instruction: Text | None = None
    urgency: Literal["immediate", "expected", "future", "past", "unknown"]
    severity: Literal["extreme", "severe", "moderate", "minor", "unknown"]
    certainty: Literal["observed", "likely", "possible", "unlikely", "unknown"]
    effective: Moment | None = None
    expires: Moment
    provinces: Annotated[list[Province], Field(max_length=77)]

    @model_validator(mode="after")
    def _update_names_what_it_updates(self) -> "AlertIssued":
        if self.message != "alert" and not self.references:
            raise ValueError(f"an {self.message} names the alert it refers to in references")
        return self
