"""Situation reports to rows: one per report, and which figures each source ever stated."""

from collections.abc import Iterator
from decimal import Decimal

from schemas.events.situation import FIGURES, SituationReported
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.situations import METADATA, REPORTS, SERIES

# Facts of several workers may meet in one row: the union of bits is the same in any order, and
# rows are locked in the order of their keys.
_SERIES = """
INSERT INTO {schema}.{table} AS known
SELECT realm, place, incident, source, bit_or(stated) FROM unnest($1::{schema}.{table}[])
GROUP BY realm, place, incident, source ORDER BY realm, place, incident, source
ON CONFLICT (realm, place, incident, source) DO UPDATE SET stated = known.stated | excluded.stated
WHERE known.stated | excluded.stated <> known.stated
"""


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    report = fact.event
    if not isinstance(report, SituationReported):
        return
    figures = [_number(getattr(report, name)) for name in FIGURES]
    stated = sum(1 << nth for nth, value in enumerate(figures) if value is not None)
    yield fact.row(
        REPORTS,
        report.incident,
        report.place,
        report.district,
        figures,
        report.severity,
        report.needs,
        report.note,
        report.stated_by,
    )
    yield SERIES, (fact.realm, report.place, report.incident, fact.source, stated)


def _number(value: int | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)


MODEL = ReadModel("situations", METADATA, project, {"series": (_SERIES,)})
