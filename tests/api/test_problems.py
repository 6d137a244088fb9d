"""Every refusal of a rule has its HTTP status, and says which rule it was."""

import importlib
import inspect
import pkgutil

import services.domain
from services.api.problems import STATUS_OF, of_rejected
from services.domain.entitlement import NotForCentres
from services.domain.rejected import Rejected


def refusals() -> set[type[Rejected]]:
    """Every subclass that the rules define."""
    found: set[type[Rejected]] = set()
    for module in pkgutil.iter_modules(services.domain.__path__, "services.domain."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(member, Rejected) and member is not Rejected:
                found.add(member)
    return found


def test_every_refusal_has_a_status() -> None:
    assert set(STATUS_OF) == refusals()
    assert set(STATUS_OF.values()) <= {403, 409, 422}


def test_every_refusal_has_a_name_of_its_own() -> None:
    assert len({refusal.rule for refusal in refusals()}) == len(refusals())


def test_a_refusal_is_named_by_its_rule() -> None:
    body = of_rejected(NotForCentres("order.issued.v1")).body()
    assert (body["type"], body["status"], body["rule"]) == (
        "urn:kamkap:problem:not-for-centres",
        403,
        "not-for-centres",
    )
