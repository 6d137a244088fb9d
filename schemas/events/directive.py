"""Directives: what a holder orders, asks for, stops or advises, and what each addressee does."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.events.clocks import Clock
from schemas.events.model import Count, EventModel, Key, Moment, Name, Province, Text
from schemas.events.order import Dimension, Power

DirectiveKind = Literal["order", "report", "inquiry", "suspension", "advice"]
"""An order to act; a call for a report; a fact-finding inquiry; a stop to an act; advice."""

Classification = Literal["open", "restricted", "confidential"]
Capacity = Literal["holder", "substitute", "acting_pm", "prime_minister"]


class Attachment(EventModel):
    """A document that stays where it is; the network keeps its digest."""

    type: ClassVar[str] = ""

    name: Name
    media_type: Name
    size_bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Stop(EventModel):
    """The act that a suspension stops, and the policy or resolution it conflicts with."""

    type: ClassVar[str] = ""

    act_th: Text
    policy: Key
    """Its id in the register of cabinet policies and resolutions."""


class DirectiveText(EventModel):
    """What a directive says, to whom, and by when it is owed."""

    type: ClassVar[str] = ""

    deputy: Key
    """In whose name it is to be issued: a holder, or `pm`."""
    kind: DirectiveKind
    title_th: Name
    title_en: Name | None = None
    text_th: Text
    addressees: Annotated[list[Key], Field(min_length=1, max_length=500)]
    """Provinces (`TH-83`), ministries, departments, agencies (`moi`, `moi.ddpm`)."""
    provinces: Annotated[list[Province], Field(max_length=77)] = []
    """Where it is to be carried out, when that is not the addressees' own province."""
    agenda: Key | None = None
    incident: Key | None = None
    grounds: Annotated[list[Text], Field(max_length=20)] = []
    classification: Classification = "open"
    acknowledge_by: Moment | None = None
    report_by: Moment | None = None
    attachments: Annotated[list[Attachment], Field(max_length=50)] = []
    stops: Stop | None = None

    @model_validator(mode="after")
    def _stops_when_it_suspends(self) -> Self:
        if (self.kind == "suspension") != (self.stops is not None):
            raise ValueError("a suspension, and nothing else, names what it stops")
        if len(set(self.addressees)) != len(self.addressees):
            raise ValueError("an addressee stands twice")
        return self


class DirectiveDrafted(DirectiveText):
    """A directive is written down and rules nothing yet; a later draft replaces the one before."""

    type: ClassVar[str] = "directive.drafted.v1"

    directive: Key
    drafted_by: Name
    """The identity that wrote it: `secretariat:ID`, `deputy:ID`."""
    illustrative: bool = False
    """True: no source states it; it stands in for the demonstration and every screen says so."""


class Authority(EventModel):
    """By which order's clause, with which power over what, one addressee is directed.

    All but the addressee is None in what the Prime Minister issues.
    """

    type: ClassVar[str] = ""

    addressee: Key
    order: Name | None = None
    clause: Annotated[int, Field(ge=1, le=5_000)] | None = None
    dimension: Dimension | None = None
    target: Key | None = None
    power: Power | None = None


class DirectiveIssued(EventModel):
    """The last draft rules from now on."""

    type: ClassVar[str] = "directive.issued.v1"

    directive: Key
    issued_by: Name
    capacity: Capacity
    acting_for: Key | None = None
    """The absent deputy on whose behalf a substitute issued it."""
    acting_by: Name | None = None
    """The order that makes a substitute, or an acting Prime Minister, of who issued it."""
    authority: Annotated[list[Authority], Field(min_length=1, max_length=5_000)]
    """One entry or more for every addressee."""
    clocks: Annotated[list[Clock], Field(max_length=2)] = []
    """What every addressee owes, by when. None: what the draft says is due, and nothing follows."""


class DirectiveStep(EventModel):
    """What one addressee, or the issuer towards one addressee, did."""

    type: ClassVar[str] = ""

    directive: Key
    addressee: Key
    by: Name
    """The identity that did it."""
    order: Name | None = None
    """By which order who did it holds the matter; None of an addressee and of the PM."""


class DirectiveDelivered(DirectiveStep):
    """The addressee's system or person has it."""

    type: ClassVar[str] = "directive.delivered.v1"

    channel: Literal["kafka", "pull", "stream", "webhook", "screen"]


class DirectiveAcknowledged(DirectiveStep):
    """The addressee states that it has taken note."""

    type: ClassVar[str] = "directive.acknowledged.v1"


class DirectiveObjected(DirectiveStep):
    """The addressee states why it cannot or must not comply."""

    type: ClassVar[str] = "directive.objected.v1"

    reason: Text


class DirectiveBegun(DirectiveStep):
    """The addressee is at it."""

    type: ClassVar[str] = "directive.begun.v1"

    note: Text | None = None


class DirectiveReported(DirectiveStep):
    """The addressee reports what it did or found."""

    type: ClassVar[str] = "directive.reported.v1"

    report: Text
    attachments: Annotated[list[Attachment], Field(max_length=50)] = []


class DirectiveComplied(DirectiveStep):
    """The issuer accepts the report: complied with."""

    type: ClassVar[str] = "directive.complied.v1"


class DirectiveReturned(DirectiveStep):
    """The issuer gives the report back."""

    type: ClassVar[str] = "directive.returned.v1"

    reason: Text
    clock: Clock | None = None
    """By when the report is owed anew; None where no clock runs."""


class DirectiveActStopped(DirectiveStep):
    """The addressee confirms that the suspended act has stopped."""

    type: ClassVar[str] = "directive.stopped.v1"


class DirectiveLifted(DirectiveStep):
    """The suspension is lifted: the act may go on."""

    type: ClassVar[str] = "directive.lifted.v1"

    reason: Text


class DirectiveUpheld(DirectiveStep):
    """The suspension stays for good."""

    type: ClassVar[str] = "directive.upheld.v1"

    reason: Text


class DirectiveUndeliverable(EventModel):
    """An addressee's own system did not take a notice in, for days: somebody must reach it."""

    type: ClassVar[str] = "directive.undeliverable.v1"

    directive: Key
    addressee: Key
    channel: Literal["webhook"]
    subscriber: Name
    """The identity that asked to be told there."""
    notice: Name
    """The id of the event that was to be told."""
    attempts: Count
    since: Moment
    """The first attempt."""
    reason: Name
    """What the last one came to: `status 500`, `no answer`."""


class DirectiveClosed(EventModel):
    """Every addressee has done what there was to do."""

    type: ClassVar[str] = "directive.closed.v1"

    directive: Key


class DirectiveWithdrawn(EventModel):
    """The issuer takes it back; nothing more is owed."""

    type: ClassVar[str] = "directive.withdrawn.v1"

    directive: Key
    by: Name
    order: Name | None = None
    """By which order who did it holds the matter; None of an addressee and of the PM."""
    reason: Text


class DirectiveReversed(EventModel):
    """The Prime Minister reverses it; what was done under it stands until then."""

    type: ClassVar[str] = "directive.reversed.v1"

    directive: Key
    by: Name
    reason: Text


class DirectiveTakenOver(EventModel):
    """From now on it is the Prime Minister's own."""

    type: ClassVar[str] = "directive.assumed.v1"

    directive: Key
    by: Name
    reason: Text


class DirectiveSuperseded(EventModel):
    """Another directive stands in its place; nothing more is owed under this one."""

    type: ClassVar[str] = "directive.superseded.v1"

    directive: Key
    by: Name
    order: Name | None = None
    """By which order who did it holds the matter; None of an addressee and of the PM."""
    superseded_by: Key
