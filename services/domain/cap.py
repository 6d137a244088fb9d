"""How OASIS CAP 1.2 says what the network says: names, statuses, references, times.

Source: OASIS Common Alerting Protocol 1.2, 3.2. What a message must have beyond its schema is the
network's profile (docs/decisions/0020-cap.md); each `Fault` is one of its rules.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from schemas.ids import Realm
from services.domain.registry import BANGKOK_TIME

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
GEOCODE = "ISO 3166-2"
"""The `valueName` under which an area's province stands."""

OWN_SENDER = "urn:kamkap:centre:"
"""How the sender of a message begins that the network made of a centre's alert."""

STATUS: dict[Realm, str] = {"actual": "Actual", "exercise": "Exercise", "test": "Test"}
REALMS: dict[str, Realm] = {status: realm for realm, status in STATUS.items()}

# 3.3.2: no letters for the zone, no fractions; UTC is written -00:00. The schema's own pattern
# allows a comma for the sign, which no reader of ISO 8601 understands.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_NAME = re.compile(r"[^\s,<&\x00-\x1f]{1,256}")
_FARTHEST = timedelta(hours=14)
_IDS = UUID("0d6b3c52-6f6f-5f0e-8a5c-6b1f3a3f7c12")


class Fault(StrEnum):
    """Why an XML text is no CAP message that the network takes; the value is stable."""

    NOT_XML = "cap-not-xml"
    DOCTYPE = "cap-doctype"
    ENCODING = "cap-encoding"
    TOO_DEEP = "cap-too-deep"
    TOO_LARGE = "cap-too-large"
    NAMESPACE = "cap-namespace"
    STRUCTURE = "cap-structure"
    VALUE = "cap-value"
    NAME = "cap-name"
    TIME = "cap-time"
    STATUS = "cap-status"
    MESSAGE = "cap-message"
    SCOPE = "cap-scope"
    SENDER = "cap-sender"
    REFERENCES = "cap-references"
    REFERENCES_OTHERS = "cap-references-others"
    LANGUAGE = "cap-language"
    DIFFERENT = "cap-different"
    EXPIRES = "cap-expires"
    AREA = "cap-area"


class NotTaken(Exception):
    """The text is not taken as a CAP message: which rule says so, and at which element."""

    def __init__(self, fault: Fault, place: str = "alert") -> None:
        super().__init__(f"{fault} at {place}")
        self.fault = fault
        self.place = place


@dataclass(frozen=True, slots=True)
class Reference:
    """One message by its extended identifier (3.2.1 `references`)."""

    sender: str
    identifier: str
    sent: datetime

    def __str__(self) -> str:
        return f"{self.sender},{self.identifier},{time_text(self.sent)}"

    @property
    def id(self) -> str:
        """The id of the event that the message makes: the same however its time is written."""
        sent = self.sent.astimezone(UTC).isoformat()
        return str(uuid5(_IDS, f"{self.sender},{self.identifier},{sent}"))

    @property
    def alert(self) -> str:
        """The key under which the network knows the alert."""
        return f"cap:{self.id}"


def corrected_name(alert: str, source: str, id_: str) -> str:
    """What the message is called that an event with this source and id made of the alert.

    Source: 3.2.1 `identifier`: each message has its own; a correction is another message.
    """
    return f"{alert}.{uuid5(_IDS, f'{source} {id_}')}"


def reference_of(text: str) -> Reference:
    """The extended identifier that is written here.

    Raises:
        NotTaken: it is no `sender,identifier,sent`.
    """
    match text.split(","):
        case [sender, identifier, sent]:
            place = "alert/references"
            return Reference(
                name_of(sender, place), name_of(identifier, place), time_of(sent, place)
            )
        case _:
            raise NotTaken(Fault.REFERENCES, "alert/references")


def name_of(text: str, place: str) -> str:
    """A sender's or a message's name.

    Raises:
        NotTaken: it has a space, a comma, `<`, `&` or more than 256 characters.
    """
    if not _NAME.fullmatch(text):
        raise NotTaken(Fault.NAME, place)
    return text


def time_of(text: str, place: str) -> datetime:
    """The moment that is written here.

    Raises:
        NotTaken: it is no date and time to the second with an offset in digits.
    """
    try:
        moment = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    # The offset's bound is XML Schema's.
    if moment is None or abs(moment.utcoffset() or timedelta()) > _FARTHEST:
        raise NotTaken(Fault.TIME, place)
    return moment


def time_text(moment: datetime) -> str:
    """The moment as CAP writes it, to the second, with the offset of Bangkok."""
    return moment.astimezone(BANGKOK_TIME).replace(microsecond=0).isoformat()


def sender_of(centre: str) -> str:
    """The sender of the messages that the network makes of this centre's alerts."""
    return OWN_SENDER + centre
