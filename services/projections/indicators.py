"""Measurements to rows."""

from collections.abc import Iterator

from schemas.events.indicator import IndicatorMeasured
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.indicators import MEASUREMENTS, METADATA, NAMES


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    measured = fact.event
    if not isinstance(measured, IndicatorMeasured):
        return
    yield fact.row(
        MEASUREMENTS,
        measured.indicator,
        measured.place,
        measured.date,
        measured.value,
        measured.unit,
        measured.implausible,
    )
    yield NAMES, (fact.realm, measured.indicator, measured.place, fact.source)


_NAMES = """
INSERT INTO {schema}.{table}
SELECT DISTINCT realm, indicator, place, source FROM unnest($1::{schema}.{table}[])
ORDER BY realm, indicator, place, source
ON CONFLICT DO NOTHING
"""

MODEL = ReadModel("indicators", METADATA, project, {"names": (_NAMES,)})
