"""Orders as tests write them: moments in hours after one, clauses in a word."""

from datetime import UTC, datetime, timedelta

from schemas.events.order import (
    Absence,
    Appointment,
    Assignment,
    Clause,
    Dimension,
    OrderIssued,
    PartRevoked,
    Power,
    Substitutes,
    TenureRegistered,
)
from services.domain.chain import Chain
from services.domain.matrix import Matrix, matrix_at

BEGIN = datetime(2024, 1, 1, 2, 30, tzinfo=UTC)
"""Half past nine in Bangkok: no day's boundary."""

HOUR = timedelta(hours=1)
NEARLY = timedelta(microseconds=1)


def order(number: str, begins: datetime, *clauses: Clause, **fields: object) -> OrderIssued:
    """An order of these clauses, complete in nothing unless the fields say so."""
    stated = {"number": number, "effective_from": begins, "source": "test", **fields}
    return OrderIssued.model_validate({**stated, "clauses": list(clauses)})


def gives(
    target: str, deputy: str, power: Power = "area", dimension: Dimension = "area", **fields: object
) -> Assignment:
    """One clause that gives one target."""
    named = {"dimension": dimension, "target": target, "deputy": deputy, "power": power}
    return Assignment.model_validate(named | fields)


def area(number: str, begins: datetime, /, **holders: str) -> OrderIssued:
    """A complete area order: `area("1/2567", BEGIN, TH_83="a")`."""
    given = (gives(target.replace("_", "-"), deputy) for target, deputy in holders.items())
    return order(number, begins, *given, complete=["area"])


def function(target: str, deputy: str, power: Power = "oversee", **fields: object) -> Assignment:
    """One clause that gives a ministry or agency."""
    return gives(target, deputy, power, "function", **fields)


def appointed(deputy: str, tenure: str | None = None) -> Appointment:
    """One clause that makes a person a deputy PM."""
    return Appointment(tenure=tenure or f"{deputy}.1", deputy=deputy, office="deputy_pm")


def ring(deputy: str, *substitutes: str) -> Substitutes:
    """Who stands in for the deputy."""
    return Substitutes(deputy=deputy, substitutes=list(substitutes))


def away(deputy: str) -> Absence:
    """The deputy is away."""
    return Absence(deputy=deputy)


def part_revoked(number: str, target: str, power: Power | None = None) -> PartRevoked:
    """A province, or with a power a unit, is taken out of an order."""
    dimension: Dimension = "area" if target.startswith("TH-") else "function"
    return PartRevoked(order=number, dimension=dimension, target=target, power=power)


def tenure(deputy: str, begins: str, ends: str | None = None, **fields: str) -> TenureRegistered:
    """A registered tenure; its days are those of Bangkok."""
    stated = {"tenure": f"{deputy}.{begins}", "deputy": deputy, "office": "deputy_pm"}
    dates = {"valid_from": begins, "valid_to": ends, "source": "test"}
    return TenureRegistered.model_validate(stated | dates | fields)


def at(
    moment: datetime, *orders: OrderIssued, tenures: tuple[TenureRegistered, ...] = ()
) -> Matrix:
    """The matrix of these orders and tenures."""
    return matrix_at(Chain(orders, tenures), moment)


def holder(matrix: Matrix, target: str = "TH-83") -> str:
    """The one who holds the province, or its cover."""
    cell = matrix.cell("area", target)
    return cell.holdings[0].given.deputy if cell.holdings else cell.cover


def powers(matrix: Matrix, target: str, within: str | None = None) -> dict[str, str]:
    """Who holds which power over a ministry or agency."""
    cell = matrix.cell("function", target, within)
    return {holding.given.deputy: holding.power for holding in cell.holdings}
