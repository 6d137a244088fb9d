"""What every event type is made of: the frozen model, figures, units."""

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from schemas.events.privacy import holds_citizen_number


class EventModel(BaseModel):
    """The `data` of one event type. Unknown fields are kept in the log and ignored here.

    `type` is the stored name, `subject.verb.vN`; it is written out, never derived from the class,
    so that a class can be renamed and history still reads.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    type: ClassVar[str]


class PrivateModel(EventModel):
    """A type where personal data could hide: unknown fields and citizen numbers are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _names_no_citizen(self) -> Self:
        if holds_citizen_number(self):
            raise ValueError("a citizen number must not enter the network")
        return self


# Postgres stores no null character in text.
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=r"^[^\u0000]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\u0000]*$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
"""An id inside the network: an incident, an indicator, a resource request."""

Province = Annotated[str, StringConstraints(pattern=r"^TH-[0-9]{2}$")]
Place = Annotated[str, StringConstraints(pattern=r"^TH(-[0-9]{2})?$")]
"""A province, or `TH` for a total that the source states for the nation."""

District = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Centre = Annotated[str, StringConstraints(pattern=r"^[a-z]+(:[A-Za-z0-9][A-Za-z0-9.-]{0,62})?$")]

Count = Annotated[int, Field(ge=0, le=10**12)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]

_BAHT = r"^[0-9]{1,16}(\.[0-9]{1,2})?$"
_FIGURE = r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$"


def _plain_baht(amount: object) -> Decimal:
    """A JSON number is a binary float on its way here, and money never is one."""
    if isinstance(amount, Decimal):
        return amount
    if isinstance(amount, str) and re.fullmatch(_BAHT, amount):
        return Decimal(amount)
    raise ValueError("an amount in baht is a string with at most two decimals, like 1250000.00")


def _plain_figure(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    if isinstance(value, str) and re.fullmatch(_FIGURE, value):
        return Decimal(value)
    raise ValueError("a value is a number, or a string of digits with at most six decimals")


Baht = Annotated[
    Decimal,
    Field(ge=0, max_digits=18, decimal_places=2),
    BeforeValidator(_plain_baht),
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": _BAHT}, mode="validation"),
]
"""Money in baht with two decimals, a string on the wire."""

Figure = Annotated[
    Decimal,
    Field(max_digits=24, decimal_places=6),
    BeforeValidator(_plain_figure),
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _FIGURE}]}, mode="validation"
    ),
]
"""A measured value. A string keeps every digit; a JSON number keeps the 15 that a double has."""

Moment = AwareDatetime
