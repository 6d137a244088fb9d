"""Orders of the PM to rows."""

from collections.abc import Iterator

from schemas.events.order import OrderIssued
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.oversight import ASSIGNMENTS, METADATA, ORDERS


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    order = fact.event
    if not isinstance(order, OrderIssued):
        return
    yield fact.row(
        ORDERS,
        order.number,
        order.kind,
        order.scope,
        order.effective_from,
        order.effective_to,
        order.revokes,
        order.amends,
        order.order_missing,
        order.illustrative,
        order.note,
    )
    for nth, assignment in enumerate(order.assignments):
        yield fact.row(
            ASSIGNMENTS,
            nth,
            order.number,
            assignment.dimension,
            assignment.target,
            assignment.deputy,
            assignment.power,
            assignment.except_th,
        )


MODEL = ReadModel("oversight", METADATA, project)
