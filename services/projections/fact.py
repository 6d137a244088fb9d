"""A fact as read models see it: an admitted event, placed in the log and in time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import MetaData, Table

from schemas.envelope import DECISIONS_SLOT
from schemas.events import EventModel

type Row = tuple[Table, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Fact:
    """One event that has effect.

    A correction stands here as its original's type, with the original's `time` and root; `slot`
    and `position` are its own. A withdrawal makes no fact: it is a version without a payload.
    """

    realm: str
    slot: int
    position: int
    root_slot: int
    root_position: int
    time: datetime
    source: str
    sequence: int | None
    id: str
    accepted_at: datetime | None
    archive_revision: int | None
    key: str
    """What parks together when it cannot be applied: the event's subject, or itself, by realm."""
    event: EventModel

    def row(self, table: Table, *own: object) -> Row:
        """A row of a fact table: the columns every one has, then its own."""
        return table, (
            self.realm,
            self.slot,
            self.position,
            self.root_slot,
            self.root_position,
            self.time,
            self.source,
            self.sequence,
            self.id,
            self.accepted_at,
            self.archive_revision,
            *own,
        )


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A read model: its tables, and the rows each fact makes.

    `inserts` has the statement of a table whose rows are not simply kept once; it takes the rows
    as `$1`, an array of the table's row type, and is given the schema's name as `{schema}` and that
    of the events as `{events}`. `on_versions` runs when originals are corrected, withdrawn or
    sealed; it takes their places as `$1` (slots) and `$2` (positions).
    """

    name: str
    metadata: MetaData
    project: Callable[[Fact], Iterable[Row]]
    inserts: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    on_versions: tuple[str, ...] = ()


KEEP_ONCE = (
    "INSERT INTO {schema}.{table} SELECT * FROM unnest($1::{schema}.{table}[]) "
    "ON CONFLICT DO NOTHING"
)
"""How rows are written unless their model says otherwise."""

_COUNT_ON = (
    "INSERT INTO {schema}.revision AS held SELECT DISTINCT ON (single) * "
    "FROM unnest($1::{schema}.revision[]) "
    "ON CONFLICT (single) DO UPDATE SET number = held.number + 1"
)
# Corrections of what centres state come often and change no decision.
_COUNT_VERSIONS_ON = (
    "UPDATE {schema}.revision SET number = number + 1 "
    f"WHERE {DECISIONS_SLOT} = ANY($1::smallint[]) AND cardinality($2::bigint[]) > 0"
)


def counted(model: ReadModel, revision: Table) -> ReadModel:
    """The model of decisions, whose revision counts on with every batch that changes its facts."""

    def project(fact: Fact) -> Iterator[Row]:
        if rows := list(model.project(fact)):
            yield from rows
            yield revision, (True, 1)

    return replace(
        model,
        project=project,
        inserts={**model.inserts, revision.name: (_COUNT_ON,)},
        on_versions=(*model.on_versions, _COUNT_VERSIONS_ON),
    )
