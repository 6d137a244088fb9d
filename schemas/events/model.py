"""What every event type is made of: the frozen model, figures, units."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)


class EventModel(BaseModel):
    """The `data` of one event type. Unknown fields are kept in the log and ignored here.

    `type` is the stored name, `subject.verb.vN`; it is written out, never derived from the class,
    so that a class can be renamed and history still reads.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, str_max_length=20_000
    )

    type: ClassVar[str]


class PrivateModel(EventModel):
    """A type where personal data could hide: unknown fields are refused, not kept."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=2_000
    )


Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
"""An id inside the network: an incident, an indicator, a resource request."""

Province = Annotated[str, StringConstraints(pattern=r"^TH-[0-9]{2}$")]
Place = Annotated[str, StringConstraints(pattern=r"^TH(-[0-9]{2})?$")]
"""A province, or `TH` for a total that the source states for the nation."""

District = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Centre = Annotated[str, StringConstraints(pattern=r"^[a-z]+(:[A-Za-z0-9][A-Za-z0-9.-]{0,62})?$")]

Count = Annotated[int, Field(ge=0, le=10**12)]
Baht = Annotated[
    Decimal,
    Field(ge=0, max_digits=18, decimal_places=2),
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
]
"""Money in baht with two decimals, a string on the wire."""

Moment = AwareDatetime
