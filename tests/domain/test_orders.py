"""An order that names two holders for one thing contradicts itself."""

from datetime import date

import pytest

from schemas.events.order import Assignment, OrderIssued
from services.domain.orders import Contradiction, contradictions


def order(*assignments: dict[str, str]) -> OrderIssued:
    stated = {"dimension": "function", "target": "moj", "power": "oversee"}
    return OrderIssued(
        number="1/2567",
        kind="function",
        scope="complete",
        effective_from=date(2024, 1, 1),
        assignments=[Assignment.model_validate(stated | one) for one in assignments],
        source="test",
    )


def test_two_holders_of_one_power_contradict_each_other() -> None:
    found = contradictions(order({"deputy": "a"}, {"deputy": "b"}))
    assert list(found) == [Contradiction("function", "moj", "oversee", ("a", "b"))]


def test_a_power_inside_a_wider_one_is_the_same_power() -> None:
    found = contradictions(order({"deputy": "a", "power": "oversee+command"}, {"deputy": "b"}))
    assert [one.power for one in found] == ["oversee"]


@pytest.mark.parametrize(
    "other",
    [
        {"deputy": "a"},
        {"deputy": "b", "power": "command"},
        {"deputy": "b", "target": "moi"},
        {"deputy": "b", "dimension": "agenda"},
    ],
)
def test_one_holder_for_each_thing_is_no_contradiction(other: dict[str, str]) -> None:
    assert list(contradictions(order({"deputy": "a"}, other))) == []
