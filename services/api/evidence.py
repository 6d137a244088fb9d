"""Why two ends differ: which versions said what is shown, and how their events stand at each end.

Asked of what differs alone, so that it costs as much as the answer is long.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.api.bodies import Body
from services.api.database import Row
from services.api.figures import version_of
from services.api.reading import Question
from services.api.states import FIELDS, INCIDENT
from services.domain.changes import Difference, Entry, Standing, Standings, Version

# Latest first, as the fold of an incident has it.
_STATED = """
SELECT c.incident, c.change, c.hazard, c.title_th, c.title_en, c.severity, c.provinces,
       c.ministries, c.agendas, c.place, c.source, c.id, c.slot, c.position, c.root_slot,
       c.root_position
FROM incidents.changes c WHERE c.incident = ANY(:incidents) AND {counts}
ORDER BY c.incident, c.time DESC, c.source DESC, coalesce(c.sequence, -1) DESC, c.id DESC
"""

_STANDINGS = """
SELECT i.slot AS root_slot, i.position AS root_position, last.*
FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS shown (source, id)
JOIN events.identities i ON i.realm = :realm AND i.source = shown.source AND i.id = shown.id
LEFT JOIN LATERAL (
    SELECT v.slot, v.position, v.withdrawn, v.source, v.id FROM events.versions v
    WHERE v.root_slot = i.slot AND v.root_position = i.position AND {version_known}
    ORDER BY v.time DESC, v.source DESC, coalesce(v.sequence, -1) DESC, v.id DESC LIMIT 1
) last ON TRUE
WHERE i.slot IS NOT NULL AND i.time <= :as_of AND {known}
"""

type Changes = Sequence[Difference[Body]]
type Stated = Mapping[tuple[str, str], tuple[Version, ...]]
"""Which versions state each field of each incident; without a field, that it is there."""


async def evidenced(before: Question, after: Question, changes: Changes) -> Changes:
    """The same differences; those of incidents too now know which versions say them."""
    incidents = sorted({change.key[1] for change in changes if change.key[0] == INCIDENT})
    first, second = await _stated(before, incidents), await _stated(after, incidents)
    return [
        replace(
            change,
            before=_with(change.before, first, change.key[1:3]),
            after=_with(change.after, second, change.key[1:3]),
        )
        if change.key[0] == INCIDENT
        else change
        for change in changes
    ]


async def standings_at(question: Question, changes: Changes) -> Standings:
    """How the events that say what differs stand at this end."""
    shown = {
        (version.source, version.id)
        for change in changes
        for entry in (change.before, change.after)
        if entry is not None
        for version in entry.versions
    }
    moment = question.moment
    rows = await question.rows(
        _STANDINGS.format(known=moment.known_by("i"), version_known=moment.known_by("v")),
        sources=[source for source, _ in shown],
        ids=[id_ for _, id_ in shown],
    )
    return {(row.root_slot, row.root_position): _standing(row) for row in rows}


def _standing(row: Row) -> Standing:
    if row.slot is None:
        return Standing((row.root_slot, row.root_position))
    return Standing((row.slot, row.position), row.withdrawn, (row.source, row.id))


async def _stated(question: Question, incidents: Sequence[str]) -> Stated:
    rows = await question.rows(
        _STATED.format(counts=question.moment.counts("c")), incidents=list(incidents)
    )
    by_incident: dict[str, list[Row]] = {}
    for row in rows:
        by_incident.setdefault(row.incident, []).append(row)
    stated: dict[tuple[str, str], tuple[Version, ...]] = {}
    for incident, said in by_incident.items():
        for name in FIELDS:
            stated[incident, name] = _first(row for row in said if _states(row, name))
        opening = _first(row for row in reversed(said) if row.change == "opened")
        stated[incident, ""] = (*opening, *stated[incident, "provinces"])
    return stated


def _states(row: Row, name: str) -> bool:
    if name == "state":
        return bool(row.change != "updated")
    return row[name] is not None


def _first(rows: Iterable[Row]) -> tuple[Version, ...]:
    return next(((version_of(row),) for row in rows), ())


def _with(entry: Entry[Body] | None, stated: Stated, key: Sequence[str]) -> Entry[Body] | None:
    incident, name = key
    return entry and replace(entry, versions=stated.get((incident, name), ()))
