"""What each kind of identity may see; who is not named here sees nothing."""

from datetime import date

import pytest

from schemas.events.registry import CentreRegistered
from services.domain.matrix import Assigned, Matrix, Order
from services.domain.registry import Entry, Registry, registry_of
from services.domain.scope import NOTHING, Resource, Scope, may_retry, scope_of
from services.identity.identity import Identity

DAY = date(2024, 10, 1)


def centre(name: str, level: str, **fields: str) -> Entry:
    body = {"centre": name, "level": level, "name_th": name, "source": "test", **fields}
    return Entry("centre", name, None, None, CentreRegistered.model_validate(body))


REGISTRY = registry_of(
    [
        centre("moc:moi", "MOC", ministry="moi"),
        centre("doc:moi.ddpm", "DOC", ministry="moi", parent="moc:moi"),
        centre("poc:TH-83", "POC", province="TH-83", parent="moc:moi"),
        centre("city:TH-10", "other", province="TH-10"),
    ]
)
ORDERS = [
    Order(
        "1/2567",
        "mixed",
        "complete",
        DAY,
        assignments=(
            Assigned("area", "TH-83", "a", "area"),
            Assigned("function", "moi", "a", "oversee"),
            Assigned("agenda", "drugs", "a", "oversee"),
            Assigned("area", "TH-82", "b", "area"),
        ),
    )
]


def seen_by(identity: str, day: date = DAY, registry: Registry = REGISTRY) -> Scope:
    return scope_of(Identity.parse(identity), Matrix(day, ORDERS, []), registry)


@pytest.mark.parametrize(
    "identity", ["pm", "pmoc", "cabinet", "committee", "interior", "opdc", "budget", "analyst"]
)
def test_offices_of_the_nation_see_every_place_but_not_the_quarantine(identity: str) -> None:
    scope = seen_by(identity)
    assert scope.sees_place("TH-83")
    assert scope.sees_place("TH")
    assert scope.sees_deputy("a")
    assert not scope.reads(Resource.QUARANTINE)


@pytest.mark.parametrize("identity", ["deputy:a", "secretariat:a"])
def test_a_deputy_sees_what_the_orders_give_on_the_day(identity: str) -> None:
    scope = seen_by(identity)
    assert scope.provinces == {"TH-83"}
    assert scope.ministries == {"moi"}
    assert scope.agendas == {"drugs"}
    assert scope.sees_deputy("a")
    assert not scope.sees_deputy("b")
    assert not scope.sees_place("TH-82")
    assert not scope.sees_place("TH")
    assert scope.sees_centre("poc:TH-83", "TH-83")
    assert not scope.sees_centre("poc:TH-82", "TH-82")


def test_a_deputy_sees_no_place_before_the_order_begins() -> None:
    assert seen_by("deputy:a", date(2024, 9, 30)).provinces == frozenset()


@pytest.mark.parametrize("identity", ["poc:TH-83", "governor:TH-83"])
def test_a_province_sees_itself(identity: str) -> None:
    scope = seen_by(identity)
    assert scope.sees_place("TH-83")
    assert not scope.sees_place("TH-82")
    assert not scope.sees_deputy("a")


def test_a_ministry_sees_its_incidents_everywhere_and_how_its_departments_are_heard() -> None:
    scope = seen_by("moc:moi")
    assert scope.ministries == {"moi"}
    assert scope.provinces == frozenset()
    assert scope.sees_centre("doc:moi.ddpm", None)
    assert not scope.sees_centre("poc:TH-83", "TH-83")


def test_a_department_sees_its_ministry_s_incidents() -> None:
    scope = seen_by("doc:moi.ddpm")
    assert scope.ministries == {"moi"}
    assert not scope.sees_centre("moc:moi", None)


def test_bangkok_s_centre_sees_bangkok() -> None:
    assert seen_by("city:TH-10").provinces == {"TH-10"}


@pytest.mark.parametrize("identity", ["screening", "inspector:a", "doc:unheard-of"])
def test_others_see_reference_data_alone(identity: str) -> None:
    assert seen_by(identity) == Scope(frozenset({Resource.REFERENCE}))


def test_the_operator_sees_how_centres_are_heard_and_no_situation() -> None:
    scope = seen_by("operator")
    assert scope.reads(Resource.QUARANTINE)
    assert scope.sees_centre("poc:TH-83", "TH-83")
    assert not scope.reads(Resource.SITUATION)
    assert not scope.sees_deputy("a")


def test_an_identity_no_rule_names_sees_nothing() -> None:
    assert scope_of(Identity("deputy"), Matrix(DAY, ORDERS, []), REGISTRY) == NOTHING
    assert not NOTHING.reads(Resource.REFERENCE)


@pytest.mark.parametrize("identity", ["pm", "deputy:a", "poc:TH-83", "moc:moi", "analyst", "opdc"])
def test_only_an_operator_has_things_tried_again(identity: str) -> None:
    assert may_retry(Identity.parse("operator"))
    assert not may_retry(Identity.parse(identity))
