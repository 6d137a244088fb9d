"""Who may state what: a centre speaks for itself alone, and about what it is entitled to.

Judged at the event's own time: by the registration that ruled then, about the provinces there were
then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from schemas.envelope import Envelope
from schemas.events import CORRECTABLE, DECISION_TYPES, STATUS_TYPES, corrected, newest
from schemas.events.alert import AlertIssued
from schemas.events.complaint import ComplaintsCounted
from schemas.events.incident import IncidentOpened, IncidentUpdated
from schemas.events.indicator import IndicatorMeasured
from schemas.events.model import EventModel
from schemas.events.record import EventCorrected, EventWithdrawn
from schemas.events.registry import CentreRegistered
from schemas.events.resource import ResourceRequested
from schemas.events.situation import SituationReported
from schemas.ids import NATION, CentreId, centre_of_source, source_of_centre
from services.domain.registry import Registry, day_of
from services.domain.rejected import Rejected

_STATUS = frozenset(model.type for model in STATUS_TYPES)
_DECISIONS = frozenset(model.type for model in DECISION_TYPES)
_PLACED = (SituationReported, ResourceRequested, IndicatorMeasured, ComplaintsCounted)
_SPREAD = (IncidentOpened, IncidentUpdated, AlertIssued)
_ANYWHERE = ("PMOC", "MOC", "DOC")
_PROVINCE_SUBJECT = "provinces/"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a centre wants to state: the bearer of the token, the envelope, the event."""

    centre: CentreId
    envelope: Envelope
    event: EventModel


@dataclass
class NotOwnSource(Rejected):
    """A centre speaks only for itself.

    Source: the POC reports for its province, the DOC and MOC for their body (programme of
    integrated provincial administration, 2003; domain.md 1). That `source` must be the bearer's
    own is ours.
    """

    source: str
    own: str
    rule = "not-own-source"


@dataclass
class NotForCentres(Rejected):
    """The type is stated by the network or by people with powers, never by a centre."""

    type: str
    rule = "not-for-centres"


@dataclass
class CentreNotRegistered(Rejected):
    """At the event's time no such centre was registered."""

    centre: str
    day: date
    rule = "centre-not-registered"


@dataclass
class ProvinceUnknown(Rejected):
    """At the event's time there was no such province.

    Source: Bueng Kan (TH-38) exists since 23 March 2011, by the Act establishing Changwat Bueng
    Kan, B.E. 2554.
    """

    province: str
    day: date
    rule = "province-unknown"


@dataclass
class PlaceNotEntitled(Rejected):
    """The centre speaks about its own province alone.

    Source: status events are accepted from any centre entitled to speak about its subject: a POC
    about its province, a DOC or MOC about its own field anywhere (domain.md 5).
    """

    centre: str
    place: str
    province: str
    rule = "place-not-entitled"


@dataclass
class OriginalNotNamed(Rejected):
    """A correction or withdrawal names in `originalid` the event it is about."""

    type: str
    rule = "original-not-named"


@dataclass
class OriginalNotOwn(Rejected):
    """A correction or withdrawal comes from the original's centre or a centre above it.

    Source: a correction may only come from the same centre (or the centre above it), domain.md 6.
    """

    centre: str
    original_source: str
    rule = "original-not-own"


def check_source(centre: CentreId, source: str) -> None:
    """The centre states this in its own name.

    Raises:
        NotOwnSource: another centre's URI, or none of a centre.
    """
    own = source_of_centre(centre)
    if source != own:
        raise NotOwnSource(source, own)


def check_type(type_: str) -> None:
    """The type is not one that only the network states; whether it exists is for its reader.

    Raises:
        NotForCentres: the type is a decision's.
    """
    if type_ not in _STATUS and newest(type_) in _DECISIONS:
        raise NotForCentres(type_)


def check(statement: Statement, registry: Registry) -> None:
    """The centre may state this about these places at that time.

    Raises:
        Rejected: one of this module's refusals, by name.
    """
    check_source(statement.centre, statement.envelope.source)
    check_type(statement.envelope.type)
    day = day_of(statement.envelope.time)
    centre = registry.centre(statement.centre, day)
    if centre is None:
        raise CentreNotRegistered(statement.centre, day)
    speakers = [centre]
    event = statement.event
    if isinstance(event, EventCorrected | EventWithdrawn):
        speakers += _of_original(statement, registry, day)
    for place in places(statement.envelope, event):
        if place != NATION and registry.province(place, day) is None:
            raise ProvinceUnknown(place, day)
        for speaker in speakers:
            _check_place(speaker, place)


def places(envelope: Envelope, event: EventModel) -> Iterator[str]:
    """Every province (or `TH`) that the event is about, by its subject and its data."""
    if envelope.subject is not None and envelope.subject.startswith(_PROVINCE_SUBJECT):
        yield envelope.subject.removeprefix(_PROVINCE_SUBJECT)
    if isinstance(event, _PLACED):
        yield event.place
    elif isinstance(event, _SPREAD):
        yield from event.provinces or ()
    elif isinstance(event, EventCorrected) and newest(event.corrected_type) in CORRECTABLE:
        yield from places(envelope, corrected(event))


def _of_original(statement: Statement, registry: Registry, day: date) -> list[CentreRegistered]:
    """The original's centre when it is another: what replaces its words must be its to say."""
    envelope = statement.envelope
    if envelope.originalid is None:
        raise OriginalNotNamed(envelope.type)
    source = envelope.originalsource or envelope.source
    if source == envelope.source:
        return []
    original = centre_of_source(source)
    below = registry.latest(CentreRegistered, original, day) if original else None
    if below is None or not registry.is_above(statement.centre, below.centre, day):
        raise OriginalNotOwn(statement.centre, source)
    return [below]


def _check_place(centre: CentreRegistered, place: str) -> None:
    # A ministry's and a department's field is not written down as data: they speak about it
    # anywhere, also for the nation. Bangkok speaks for itself, the press desk quotes about any
    # place.
    if centre.level in _ANYWHERE or centre.province is None:
        return
    if place != centre.province:
        raise PlaceNotEntitled(centre.centre, place, centre.province)
