"""Orders of the PM to rows."""

from collections.abc import Iterator

from schemas.events.order import OrderIssued
from services.projections.fact import (
    COUNT_ON,
    COUNT_VERSIONS_ON,
    Fact,
    ReadModel,
    Row,
    counted,
)
from services.readmodels.oversight import METADATA, ORDERS, REVISION


def project(fact: Fact) -> Iterator[Row]:
    """The row this order makes, and the next revision."""
    if isinstance(fact.event, OrderIssued):
        body = fact.event.model_dump_json(exclude_defaults=True)
        yield fact.row(ORDERS, fact.event.number, body)
        yield counted(REVISION)


MODEL = ReadModel(
    "oversight",
    METADATA,
    project,
    {REVISION.name: (COUNT_ON,)},
    on_versions=(COUNT_VERSIONS_ON,),
)
