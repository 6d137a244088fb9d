"""What travels outward about a directive: to its addressees, its issuer's side, its overseers."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from schemas.events.directive import Attachment, Classification, DirectiveKind, Stop
from schemas.events.model import Count, EventModel, Key, Moment, Name, Province, Text

Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
"""One word of the network's; more may come, so that a reader passes over what it does not know."""


class NoticeText(EventModel):
    """What a directive says, as far as its reader sees it."""

    type: ClassVar[str] = ""

    deputy: Key
    """In whose name: a holder, or `pm`."""
    kind: DirectiveKind
    title_th: Name
    title_en: Name | None = None
    text_th: Text
    addressees: Annotated[list[Key], Field(max_length=500)]
    """To whom; an addressee is told itself alone."""
    provinces: Annotated[list[Province], Field(max_length=77)] = []
    agenda: Key | None = None
    incident: Key | None = None
    grounds: Annotated[list[Text], Field(max_length=20)] = []
    classification: Classification
    acknowledge_by: Moment | None = None
    report_by: Moment | None = None
    stops: Stop | None = None
    illustrative: bool = False


class DirectiveNotice(EventModel):
    """A directive was issued, or something happened to it since; drafts are told to nobody.

    The event's id is that of the decision it tells of: the same whoever is told, by whatever way,
    however often. Its states are those of the moment it is sent.
    """

    type: ClassVar[str] = "directive.notice.v1"

    directive: Key
    number: Count
    """Its place among the notices of this directive that are the reader's, the issue being 1: a
    reader that has a later one can drop this. A webhook does not tell an addressee that it was
    delivered to itself, and passes over that number."""
    change: Word
    """What happened: `issued`, `acknowledged`, …, `reversed`, `assumed` (by the PM), `closed`; what
    fell due: `reminded`, `overdue`, `escalated`."""
    addressee: Key | None = None
    """Whose step it was, or towards whom; None of the whole."""
    state: Word
    """Where the whole directive stands now: `open`, `taken_over`, `withdrawn`, …"""
    standing: Word | None = None
    """Where that addressee stands now; of the whole, where the reader itself does if it is one."""
    by: Name | None = None
    """Who did it; None where it followed of itself."""
    order: Name | None = None
    """Under which order who did it held the matter, or acted."""
    note: Text | None = None
    """The reason, the report or the note."""
    superseded_by: Key | None = None
    owes: Word | None = None
    """What fell due."""
    escalated_to: Word | None = None
    """To which office."""
    attachments: Annotated[list[Attachment], Field(max_length=50)] = []
    """Of the directive when it was issued, of the report when there was one."""
    text: NoticeText | None = None
    """When it was issued."""
