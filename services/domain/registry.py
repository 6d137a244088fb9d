"""Reference data with dates, in memory: who and what there is on a day in Bangkok.

Of several versions of one thing the one with the latest `valid_from` not after the day rules; when
it has ended, nothing does. A version stated again (same id, same `valid_from`) replaces what was
stated before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache, cached_property

from schemas.events.clocks import ClocksSet
from schemas.events.model import EventModel
from schemas.events.order import DeputyRegistered, TenureRegistered
from schemas.events.policy import PolicyRegistered, PolicyRevoked
from schemas.events.record import ArchiveImported, NetworkOpened
from schemas.events.registry import (
    CentreRegistered,
    ClusterRegistered,
    DepartmentRegistered,
    InspectorRegistered,
    MinistryRegistered,
    PrecedenceSet,
    ProvinceRegistered,
    RegionRegistered,
)
from schemas.events.signing import KeyRegistered, SigningRequired
from schemas.ids import CentreId, ProvinceCode
from services.domain.signing import Keys, keys_of

BANGKOK_TIME = timezone(timedelta(hours=7))
"""Thai time: without daylight saving since 1920, so an offset says it all."""

MODELS: dict[str, type[EventModel]] = {
    "province": ProvinceRegistered,
    "cluster": ClusterRegistered,
    "region": RegionRegistered,
    "ministry": MinistryRegistered,
    "department": DepartmentRegistered,
    "centre": CentreRegistered,
    "key": KeyRegistered,
    "signing": SigningRequired,
    "inspector": InspectorRegistered,
    "precedence": PrecedenceSet,
    "clocks": ClocksSet,
    "deputy": DeputyRegistered,
    "tenure": TenureRegistered,
    "policy": PolicyRegistered,
    "revocation": PolicyRevoked,
    "network": NetworkOpened,
    "archive": ArchiveImported,
}
"""What an entry of each subject is: the first word of the event's type, but for `revocation`."""

FIGURES = "figures"
"""The entry under which the precedence of sources stands."""

CLOCKS = "directives"
"""The entry under which the clocks of directives stand."""

OPENING = "opening"
"""The entry under which the network's opening stands."""

_FOLDERS = {
    "province": "provinces",
    "cluster": "clusters",
    "region": "regions",
    "ministry": "ministries",
    "department": "departments",
    "inspector": "inspectors",
    "deputy": "deputies",
}
"""The subjects that an order of the Prime Minister can name, as their streams are called."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One dated version of one thing. Half-open: `valid_to` is the first day after it."""

    subject: str
    entry: str
    valid_from: date | None
    valid_to: date | None
    model: EventModel

    def ended_by(self, day: date) -> bool:
        """Whether it was over on that day."""
        return self.valid_to is not None and self.valid_to <= day


def day_of(moment: datetime) -> date:
    """The day in Bangkok on which the moment lies."""
    return moment.astimezone(BANGKOK_TIME).date()


def start_of(day: date) -> datetime:
    """The day's first moment in Bangkok."""
    return datetime.combine(day, time(), BANGKOK_TIME)


@dataclass(frozen=True)
class Registry:
    """Everything that was registered, by subject and id, newest version first."""

    versions: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)

    def at[Model: EventModel](self, model: type[Model], entry: str, day: date) -> Model | None:
        """What was registered of this kind under this id on that day, or None."""
        version = self._begun(model, entry, day)
        if version is None or version.ended_by(day) or not isinstance(version.model, model):
            return None
        return version.model

    def latest[Model: EventModel](self, model: type[Model], entry: str, day: date) -> Model | None:
        """As `at`, and when it was over by that day, what was registered last."""
        version = self._begun(model, entry, day)
        return version.model if version and isinstance(version.model, model) else None

    def _begun(self, model: type[EventModel], entry: str, day: date) -> Entry | None:
        # Plain loops and no generators: the door asks this for every event.
        for version in self.versions.get((subject_of(model.type), entry), ()):
            if version.valid_from is None or version.valid_from <= day:
                return version
        return None

    def each[Model: EventModel](self, model: type[Model], day: date) -> Iterator[Model]:
        """Everything of this kind that there was on that day, by id."""
        ids = self._ids.get(subject_of(model.type), ())
        return (found for entry in ids if (found := self.at(model, entry, day)) is not None)

    @cached_property
    def _ids(self) -> dict[str, list[str]]:
        """What has a version, by subject, ascending."""
        ids: dict[str, list[str]] = {}
        for subject, entry in sorted(self.versions):
            ids.setdefault(subject, []).append(entry)
        return ids

    def province(self, code: str, day: date) -> ProvinceRegistered | None:
        """The province with this ISO code as it was on that day."""
        return self.at(ProvinceRegistered, code, day)

    def centre(self, centre: str, day: date) -> CentreRegistered | None:
        """The centre as it was registered on that day."""
        return self.at(CentreRegistered, centre, day)

    def ministry(self, ministry: str, day: date) -> MinistryRegistered | None:
        """The ministry as it was on that day."""
        return self.at(MinistryRegistered, ministry, day)

    def department(self, department: str, day: date) -> DepartmentRegistered | None:
        """The department, and whose it was, on that day."""
        return self.at(DepartmentRegistered, department, day)

    def precedence(self, day: date) -> PrecedenceSet | None:
        """Whose figure was shown on that day when sources contradicted each other."""
        return self.at(PrecedenceSet, FIGURES, day)

    def clocks(self, day: date) -> ClocksSet | None:
        """The clocks that directives issued on that day had; None as long as none were set."""
        return self.at(ClocksSet, CLOCKS, day)

    @property
    def opened_at(self) -> datetime | None:
        """When the network began to take events in by itself; None as long as it has not."""
        opening = self.at(NetworkOpened, OPENING, date.max)
        return None if opening is None else opening.opened_at

    def is_above(self, centre: str, other: str, day: date) -> bool:
        """Whether `centre` stood above `other`, at any distance, on that day.

        Above a centre that is gone stands whoever stood above it last.
        """
        passed = {other}
        below = self.latest(CentreRegistered, other, day)
        while below is not None and below.parent is not None and below.parent not in passed:
            if below.parent == centre:
                return True
            # A ring of parents would be a mistake of registration; it must not hold a reader.
            passed.add(below.parent)
            below = self.latest(CentreRegistered, below.parent, day)
        return False

    def succeeds(self, province: str) -> tuple[ProvinceCode, ...]:
        """The provinces this one was cut out of when it began."""
        return tuple(
            ProvinceCode(code)
            for version in self.versions.get(("province", province), ())
            if isinstance(version.model, ProvinceRegistered)
            for code in version.model.succeeds
        )

    def centres(self) -> tuple[CentreId, ...]:
        """Every centre that ever was, by id."""
        return tuple(map(CentreId, self._ids.get("centre", ())))

    def signing(self, centre: str) -> Keys:
        """How this centre signs: its keys of all times, and whether it has to."""
        return self._signing.get(centre) or Keys(centre)

    @cached_property
    def _signing(self) -> dict[str, Keys]:
        """By centre, made once: the door asks for every slice of a request."""
        stated: dict[str, list[EventModel]] = {}
        for dated in self.versions.values():
            model = dated[0].model
            if isinstance(model, KeyRegistered | SigningRequired):
                stated.setdefault(model.centre, []).append(model)
        return {centre: keys_of(centre, models) for centre, models in stated.items()}


def registry_of(entries: Iterable[Entry]) -> Registry:
    """The registry that these entries make, in the order in which they were stated."""
    stated: dict[tuple[str, str], dict[date | None, Entry]] = {}
    for entry in entries:
        stated.setdefault((entry.subject, entry.entry), {})[entry.valid_from] = entry
    return Registry(
        {
            key: tuple(sorted(dated.values(), key=_begin, reverse=True))
            for key, dated in stated.items()
        }
    )


@cache
def subject_of(type_: str) -> str:
    """Under which subject the registry keeps events of this type."""
    return "revocation" if type_ == PolicyRevoked.type else type_.partition(".")[0]


def entry_of(event: EventModel) -> str | None:
    """The id of the thing that a registration is about, or None when it is none."""
    match event:
        case (
            ProvinceRegistered(province=entry)
            | ClusterRegistered(cluster=entry)
            | RegionRegistered(region=entry)
            | MinistryRegistered(ministry=entry)
            | DepartmentRegistered(department=entry)
            | CentreRegistered(centre=entry)
            | InspectorRegistered(inspector=entry)
            | DeputyRegistered(deputy=entry)
            | TenureRegistered(tenure=entry)
            | PolicyRegistered(policy=entry)
            | PolicyRevoked(policy=entry)
        ):
            return entry
        case KeyRegistered(centre=centre, key_id=key):
            return f"{centre}/{key}"
        case SigningRequired(centre=centre, required_from=begin):
            return f"{centre}/{begin.astimezone(UTC).isoformat()}"
        case PrecedenceSet():
            return FIGURES
        case ClocksSet():
            return CLOCKS
        case NetworkOpened():
            return OPENING
        case ArchiveImported(revision=revision):
            return str(revision)
        case _:
            return None


def stream(subject: str, entry: str) -> str:
    """The one stream on which this entry is decided, so that a judgement can guard on it."""
    return f"registry/{_FOLDERS[subject]}/{entry}"


def stream_of(event: EventModel) -> str | None:
    """The stream of a registration that an order can name; None of anything else."""
    subject, entry = subject_of(event.type), entry_of(event)
    return stream(subject, entry) if entry is not None and subject in _FOLDERS else None


def _begin(entry: Entry) -> date:
    return entry.valid_from or date.min
