"""A public alert, with the fields of OASIS CAP 1.2 that the network decides on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.events.model import EventModel, Key, Moment, Name, Province, Text

Category = Literal[
    "geo",
    "met",
    "safety",
    "security",
    "rescue",
    "fire",
    "health",
    "env",
    "transport",
    "infra",
    "cbrne",
    "other",
]
"""CAP 1.2, 3.2.2 `category`."""

CapName = Annotated[str, StringConstraints(pattern=r"^[^\s,<&\u0000-\u001f]{1,256}$")]
"""A sender's or a message's name in CAP: no spaces, no commas, no `<`, no `&` (3.2.1)."""


class CapMessage(EventModel):
    """The CAP message that an alert came in as, by the names it has outside the network."""

    type: ClassVar[str] = ""

    sender: CapName
    identifier: CapName
    sent: Moment
    xml: Annotated[
        str, StringConstraints(min_length=1, max_length=131_072, pattern=r"^[^\u0000]*$")
    ]
    """The message as it was sent: these are its bytes in UTF-8."""


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
    event_en: Name | None = None
    headline_th: Name
    headline_en: Name | None = None
    description: Text | None = None
    description_en: Text | None = None
    instruction: Text | None = None
    instruction_en: Text | None = None
    categories: Annotated[list[Category], Field(max_length=12)] = []
    urgency: Literal["immediate", "expected", "future", "past", "unknown"]
    severity: Literal["extreme", "severe", "moderate", "minor", "unknown"]
    certainty: Literal["observed", "likely", "possible", "unlikely", "unknown"]
    effective: Moment | None = None
    expires: Moment
    provinces: Annotated[list[Province], Field(max_length=77)]
    cap: CapMessage | None = None

    @model_validator(mode="after")
    def _update_names_what_it_updates(self) -> "AlertIssued":
        if self.message != "alert" and not self.references:
            raise ValueError(f"an {self.message} names the alert it refers to in references")
        return self
