"""One record of an archive, judged as the door judges an event, at the moment it states."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from pydantic import ValidationError

from schemas.envelope import ATTRIBUTES, CONTENT_TYPE, Envelope, digest, fault
from schemas.events import DECISION_TYPES, EventModel, UnknownType, decode
from schemas.events.order import OrderIssued, TenureRegistered
from schemas.events.record import ArchiveImported, EventSealed, NetworkOpened
from schemas.events.silence import CentreHeard, CentreSilent
from schemas.ids import centre_of_source
from schemas.null_character import holds_null_character
from services.agent.record import Event
from services.domain import chain, registry
from services.domain.entitlement import Statement, check
from services.domain.rejected import Rejected

MAX_FACT_BYTES = 256 * 1024
EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
"""Before any record of the state."""

ORDERS = chain.DECIDER.stream(chain.PRIME_MINISTER)
"""The stream of all orders and tenures: they are judged by each other."""

_DECISIONS = frozenset(model.type for model in DECISION_TYPES)
_OWN = frozenset(
    model.type for model in (NetworkOpened, ArchiveImported, CentreSilent, CentreHeard)
)
_GIVEN_HERE = frozenset({"archiverevision", "position"})
_KNOWN = frozenset(ATTRIBUTES) - _GIVEN_HERE

type Key = tuple[str, str, str]
"""(realm, source, id)"""


@dataclass(frozen=True, slots=True)
class Taking:
    """What every record of one import is taken over under."""

    opened_at: datetime
    revision: int


class Stated(msgspec.Struct, frozen=True, gc=False):
    """A record that can be taken over, as far as it can be judged by itself."""

    place: str
    envelope: Envelope
    data: bytes
    event: EventModel
    digest: bytes

    @property
    def key(self) -> Key:
        """The identity: taken over twice, it is one event."""
        return self.envelope.realm, self.envelope.source, self.envelope.id

    @property
    def is_decision(self) -> bool:
        """Whether it goes to the decision store; anything else is a fact of a centre."""
        return self.event.type in _DECISIONS

    @property
    def stream(self) -> str:
        """The stream of the decision store that a decision belongs to."""
        if isinstance(self.event, OrderIssued | TenureRegistered):
            return ORDERS
        if self.event.type.startswith("directive."):
            return f"{self.envelope.subject}"
        if (kept := registry.stream_of(self.event)) is not None:
            return kept
        room = "seals" if isinstance(self.event, EventSealed) else "registry"
        return f"{room}/{self.envelope.subject}"


@dataclass(frozen=True, slots=True)
class Unfit(Exception):
    """A record is not taken over; says why."""

    reason: str


def is_decision(event: Event) -> bool:
    """Whether the record, not read yet, says that it is a decision."""
    return event.get("type") in _DECISIONS


def read(place: str, event: Event, taking: Taking) -> Stated:
    """The record as it will stand in the log.

    Raises:
        Unfit: it is no event, its time is not one that an archive reaches to, or its data are not
            of its type.
    """
    envelope = _envelope(event, taking)
    _check_times(envelope, taking)
    if why := fault(envelope):
        raise Unfit(why)
    data = _data(event)
    if envelope.type not in _DECISIONS and len(data) > MAX_FACT_BYTES:
        raise Unfit("an event has at most 256 KiB")
    return Stated(place, envelope, data, _model(envelope, data), digest(envelope, data))


def check_entitled(stated: Stated, known: registry.Registry) -> None:
    """The centre was entitled to state this fact at its moment.

    Raises:
        Unfit: it was not; names the rule.
    """
    centre = centre_of_source(stated.envelope.source)
    if centre is None:
        raise Unfit(f"{stated.envelope.source} is the source of no centre")
    try:
        check(Statement(centre, stated.envelope, stated.event), known)
    except Rejected as rejected:
        said = ", ".join(str(value) for value in vars(rejected).values())
        raise Unfit(f"{rejected.rule}: {said}") from rejected


def _envelope(event: Event, taking: Taking) -> Envelope:
    known = {name: value for name, value in event.items() if name in _KNOWN}
    own = {
        name: _extension(name, value)
        for name, value in event.items()
        if name not in ATTRIBUTES and name not in ("data", "data_base64") and value is not None
    }
    try:
        envelope = msgspec.convert({**known, "extensions": own}, Envelope)
    except msgspec.ValidationError as wrong:
        raise Unfit(str(wrong)) from wrong
    if envelope.acceptedtime is None:
        raise Unfit("acceptedtime is missing: when it was known, as the archive states it")
    if envelope.type in _DECISIONS and envelope.subject is None:
        raise Unfit("subject is missing: what the decision is about")
    if envelope.type in _OWN:
        raise Unfit(f"{envelope.type} is stated by the network itself")
    return msgspec.structs.replace(envelope, archiverevision=taking.revision)


def _extension(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
        case _:
            raise Unfit(f"{name} is neither text, nor a whole number, nor true or false")


def _check_times(envelope: Envelope, taking: Taking) -> None:
    for name in ("time", "acceptedtime", "recordedtime"):
        stated: datetime | None = getattr(envelope, name)
        if stated is None:
            continue
        if stated >= taking.opened_at:
            raise Unfit(
                f"{name} {stated.isoformat()} is not before the network's opening, "
                f"{taking.opened_at.isoformat()}: send it through the door"
            )
        if stated < EARLIEST:
            raise Unfit(f"{name} is earlier than {EARLIEST.year}")


def _data(event: Event) -> bytes:
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise Unfit("data must be a JSON object")
    if event.get("datacontenttype", CONTENT_TYPE) != CONTENT_TYPE:
        raise Unfit(f"datacontenttype must be {CONTENT_TYPE}")
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        written = text.encode()
    except ValueError as unwritable:
        raise Unfit(f"data: {unwritable}") from unwritable
    if "\\u0000" in text and holds_null_character(data):
        raise Unfit("data holds a null character, which no text of the network holds")
    return written


def _model(envelope: Envelope, data: bytes) -> EventModel:
    try:
        return decode(envelope.type, data)
    except UnknownType as unknown:
        raise Unfit(f"{envelope.type} is no type the network knows") from unknown
    except ValidationError as wrong:
        said = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'data'}: {error['msg']}"
            for error in wrong.errors(include_url=False, include_input=False)
        )
        raise Unfit(said) from wrong
