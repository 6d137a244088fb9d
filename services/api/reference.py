"""Reference data and orders as they were known, in the memory of the process.

They come from decisions alone and are few; a snapshot says in a handful of numbers whether what is
remembered is still what it holds.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import chain

from schemas.events.order import OrderIssued, TenureRegistered
from schemas.events.registry import CentreRegistered, ProvinceRegistered
from services.api.database import Connection
from services.domain.chain import Chain
from services.domain.matrix import Matrix
from services.domain.registry import Registry, day_of, registry_of
from services.domain.validity import Validity
from services.readmodels.confidential import NAME_READER
from services.readmodels.moment import Archive, Cut, Known, Live, Moment
from services.readmodels.registry_reader import entries_of
from services.readmodels.statements import fetch

# A registry of the whole state is some megabytes (an exercise shares the actual one), a moment of
# it some hundred kilobytes.
_REMEMBERED = 16
_MOMENTS = 64
_DAYS = 16
_STATES = 2
_EVER = datetime.max.replace(tzinfo=UTC)

_STATE = f"""
SELECT {NAME_READER},
       (SELECT array_agg(next_position ORDER BY slot) FROM projections.progress) AS progress,
       (SELECT number FROM registry.revision) AS registry,
       (SELECT number FROM oversight.revision) AS oversight,
       'registry.revision'::regclass::oid::bigint AS registry_table,
       'oversight.revision'::regclass::oid::bigint AS oversight_table
"""


# Everything whose being known changes what `_read` reads: facts, their originals, their versions.
_STEPS = """
WITH facts AS (
    SELECT slot, position, root_slot, root_position, accepted_at FROM registry.entries
    UNION ALL
    SELECT slot, position, root_slot, root_position, accepted_at FROM oversight.orders
    UNION ALL
    SELECT slot, position, root_slot, root_position, accepted_at FROM events.versions
    WHERE root_slot = 64
)
SELECT slot, position, accepted_at FROM facts
UNION SELECT root_slot, root_position, NULL FROM facts
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a transaction sees: the next position of every slot, and which reference data."""

    progress: tuple[int, ...]
    reference: tuple[int | None, ...]


@dataclass(frozen=True)
class Registered:
    """What was registered on a day in Bangkok; the same until a registration begins or ends."""

    registry: Registry
    day: date

    @cached_property
    def provinces(self) -> tuple[ProvinceRegistered, ...]:
        """The provinces there were, by code."""
        return tuple(self.registry.each(ProvinceRegistered, self.day))

    @cached_property
    def centres(self) -> tuple[CentreRegistered, ...]:
        """The centres there were, by id."""
        return tuple(self.registry.each(CentreRegistered, self.day))

    @cached_property
    def centre(self) -> Mapping[str, CentreRegistered]:
        """The same by id."""
        return {one.centre: one for one in self.centres}

    @cached_property
    def named_in(self) -> Mapping[str | None, str]:
        """The ids of the centres in each province, and in none, with commas between them."""
        ids: dict[str | None, list[str]] = {}
        for one in self.centres:
            ids.setdefault(one.province, []).append(one.centre)
        return {province: ",".join(named) for province, named in ids.items()}


@dataclass(frozen=True)
class There:
    """What was registered, and who held what, at a moment."""

    matrix: Matrix
    registered: Registered


@dataclass(frozen=True)
class Reference:
    """Reference data and orders as they were known at one moment."""

    registry: Registry
    chain: Chain
    _there: OrderedDict[tuple[int, int], There] = field(default_factory=OrderedDict)
    _registered: OrderedDict[int, Registered] = field(default_factory=OrderedDict)

    def at(self, moment: datetime) -> There:
        """What is remembered of the moment: between two days on which a registration begins or
        ends, and two moments at which an order or tenure does, everything stays as it is."""
        days = bisect_right(self._days, day_of(moment))
        key = days, bisect_right(self._validity.boundaries, moment)
        if (found := self._there.get(key)) is None:
            registered = self._on(days, day_of(moment))
            found = self._there[key] = There(Matrix(self._validity, moment), registered)
            if len(self._there) > _MOMENTS:
                self._there.popitem(last=False)
        return found

    def _on(self, days: int, day: date) -> Registered:
        if (found := self._registered.get(days)) is None:
            found = self._registered[days] = Registered(self.registry, day)
            if len(self._registered) > _DAYS:
                self._registered.popitem(last=False)
        return found

    @cached_property
    def _days(self) -> list[date]:
        versions = chain.from_iterable(self.registry.versions.values())
        days = {day for one in versions for day in (one.valid_from, one.valid_to)}
        return sorted(day for day in days if day is not None)

    @cached_property
    def _validity(self) -> Validity:
        return Validity(self.chain)


async def snapshot(connection: Connection, reader: str) -> Snapshot:
    """How far this transaction sees; from now on row security gives it what is this reader's."""
    (row,) = await fetch(connection, _STATE, {"reader": reader})
    _, progress, *numbers = row.values()
    return Snapshot(tuple(progress), tuple(numbers))


@dataclass(frozen=True)
class _Steps:
    """The places and the moments at which what is known of reference data changes."""

    places: Mapping[int, Sequence[int]]
    """Positions by slot, ascending."""
    moments: Sequence[datetime]

    def before(self, known: Known) -> tuple[object, ...]:
        """The same for everything that is known at the same step, so that one reading serves."""
        match known:
            case Live():
                return ()
            case Cut(ends=ends):
                return tuple(bisect_left(at, ends[slot]) for slot, at in self.places.items())
            case Archive(time=time, revision=revision):
                return (bisect_right(self.moments, time), revision)


async def _steps(connection: Connection) -> _Steps:
    rows = await fetch(connection, _STEPS, {})
    places: dict[int, set[int]] = {}
    for row in rows:
        places.setdefault(row.slot, set()).add(row.position)
    moments = {row.accepted_at for row in rows if row.accepted_at is not None}
    return _Steps({slot: sorted(at) for slot, at in sorted(places.items())}, sorted(moments))


class ReferenceCache:
    """Reference data as they were known at the moments asked for last."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], Reference] = OrderedDict()
        self._steps: OrderedDict[tuple[int | None, ...], _Steps] = OrderedDict()
        self._reading = asyncio.Lock()

    def held(self, seen: Snapshot) -> Reference | None:
        """What is known now, if it is remembered."""
        return self._known.get((*seen.reference, "actual", Live))

    async def at(
        self, connection: Connection, seen: Snapshot, known: Known, realm: str = "actual"
    ) -> Reference:
        """The reference data that were known, as this transaction sees them; an exercise and a test
        have the actual ones, and on top of them orders of their own."""
        steps = self._steps.get(seen.reference) or await self._steps_of(connection, seen)
        key = (*seen.reference, realm, type(known), *steps.before(known))
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        actual = None if realm == "actual" else await self.at(connection, seen, known)
        # One reads for all who wait for the same: a decision would else be read once a request.
        async with self._reading:
            if key not in self._known:
                moment = Moment(_EVER, known, realm)
                self._known[key] = (
                    await _read(connection, moment)
                    if actual is None
                    else await _exercised(connection, moment, actual)
                )
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return self._known[key]

    async def _steps_of(self, connection: Connection, seen: Snapshot) -> _Steps:
        async with self._reading:
            if seen.reference not in self._steps:
                self._steps[seen.reference] = await _steps(connection)
                if len(self._steps) > _STATES:
                    self._steps.popitem(last=False)
            return self._steps[seen.reference]


async def _read(connection: Connection, moment: Moment) -> Reference:
    # Registrations state their own intervals, so their time is not asked for: what is registered
    # today about 2003 was so in 2003.
    entries = await fetch(
        connection,
        f"""SELECT subject, entry, valid_from, valid_to, body::text AS body
            FROM registry.entries e WHERE {moment.counts("e")} ORDER BY position""",
        moment.parameters,
    )
    registry = registry_of(entries_of(entries))
    return Reference(registry, Chain(await _orders(connection, moment), tuple(_tenures(registry))))


async def _exercised(connection: Connection, moment: Moment, actual: Reference) -> Reference:
    """What an exercise or a test goes by: most have no orders of their own."""
    own = Chain(await _orders(connection, moment))
    return Reference(actual.registry, actual.chain.then(own)) if own.orders else actual


async def _orders(connection: Connection, moment: Moment) -> tuple[OrderIssued, ...]:
    rows = await fetch(
        connection,
        f"""SELECT body::text AS body
            FROM oversight.orders o WHERE {moment.counts("o")} ORDER BY position""",
        moment.parameters,
    )
    return tuple(OrderIssued.model_validate_json(row["body"]) for row in rows)


def _tenures(registry: Registry) -> Iterable[TenureRegistered]:
    for (subject, _), versions in registry.versions.items():
        # Of a tenure stated again with another beginning, the later statement is the newer version.
        if subject == "tenure" and isinstance(tenure := versions[0].model, TenureRegistered):
            yield tenure
