"""Every refusal of a rule has its HTTP status, and says which rule it was."""

import importlib
import inspect
import pkgutil
from dataclasses import fields

import pytest

import services.domain
from services.api.problems import of_rejected
from services.api.refusals import REFUSALS
from services.domain.entitlement import NotForCentres
from services.domain.grounds import BeyondPowers
from services.domain.rejected import Rejected


def refusals() -> set[type[Rejected]]:
    """Every subclass that the rules define."""
    found: set[type[Rejected]] = set()
    for module in pkgutil.iter_modules(services.domain.__path__, "services.domain."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(member, Rejected) and member is not Rejected:
                found.add(member)
    return found


def rule_of(refused: type[Rejected]) -> str:
    return refused.rule


def test_every_refusal_has_a_status() -> None:
    assert set(REFUSALS) == refusals()
    assert {refusal.status for refusal in REFUSALS.values()} <= {403, 404, 409, 422}


EVERY_REFUSAL = sorted(refusals(), key=rule_of)


@pytest.mark.parametrize("refused", EVERY_REFUSAL)
def test_a_refusal_is_told_in_two_languages_with_what_it_carries(refused: type[Rejected]) -> None:
    carried = {field.name: field.name for field in fields(refused)}  # type: ignore[arg-type]
    told = REFUSALS[refused].told(refused(**carried))
    # What is met at the door is told by the door.
    if told is None:
        assert refused.__module__.split(".")[-1] in ("entitlement", "signatures", "signing")
        return
    for text in (told.th, told.en):
        assert "{" not in text


def test_every_refusal_has_a_name_of_its_own() -> None:
    assert len({refusal.rule for refusal in refusals()}) == len(refusals())


def test_a_refusal_is_named_by_its_rule() -> None:
    body = of_rejected(NotForCentres("order.issued.v1")).body()
    assert (body["type"], body["status"], body["rule"]) == (
        "urn:kamkap:problem:not-for-centres",
        403,
        "not-for-centres",
    )


def test_a_refusal_carries_what_a_person_needs_to_know() -> None:
    body = of_rejected(BeyondPowers(("TH-82",))).body()
    assert (body["status"], body["offer"]) == (403, "send-to-prime-minister-with-opinion")
    assert "TH-82" in str(body["detail"])
    assert "TH-82" in str(body["detail_en"])
