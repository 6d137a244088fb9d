"""The read models there are, in the order their tables are made."""

from services.projections import (
    alerts,
    centres,
    directives,
    incidents,
    indicators,
    oversight,
    registry,
    situations,
)
from services.projections.fact import ReadModel

MODELS: tuple[ReadModel, ...] = (
    registry.MODEL,
    oversight.MODEL,
    centres.MODEL,
    incidents.MODEL,
    situations.MODEL,
    indicators.MODEL,
    alerts.MODEL,
    directives.MODEL,
)
