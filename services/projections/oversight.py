"""Orders of the PM to rows."""

from collections.abc import Iterator

from schemas.events.order import OrderIssued
from services.projections.fact import Fact, ReadModel, Row, counted
from services.readmodels.oversight import METADATA, ORDERS, REVISION


def project(fact: Fact) -> Iterator[Row]:
    """The row this order makes."""
    if isinstance(fact.event, OrderIssued):
        body = fact.event.model_dump_json(exclude_defaults=True)
        yield fact.row(ORDERS, fact.event.number, body)


MODEL = counted(ReadModel("oversight", METADATA, project), REVISION)
