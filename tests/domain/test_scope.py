"""What each kind of identity may see; who is not named here sees nothing."""

from datetime import UTC, datetime

import pytest

from schemas.events.order import Entrusted
from schemas.events.registry import CentreRegistered
from services.domain.chain import Chain
from services.domain.matrix import matrix_at
from services.domain.registry import Entry, registry_of
from services.domain.scope import NOTHING, Resource, Scope, may_retry, scope_of
from services.identity.identity import Identity
from tests.domain.prime_minister import HOUR, NEARLY, away, function, gives, order, ring

DAY = datetime(2024, 9, 30, 17, tzinfo=UTC)
"""The first moment of October in Bangkok."""


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
DUTY = Entrusted(deputy="b", inspector="i", provinces=["TH-82"], duties=["inspect"])
CHAIN = Chain(
    (
        order(
            "1/2567",
            DAY,
            gives("TH-83", "a"),
            function("moi", "a"),
            gives("drugs", "a", "oversee", "agenda"),
            gives("TH-82", "b"),
            ring("a", "b"),
        ),
        order("2/2567", DAY + HOUR, away("a"), DUTY, effective_to=DAY + 2 * HOUR),
    )
)


def seen_by(identity: str, moment: datetime = DAY) -> Scope:
    return scope_of(Identity.parse(identity), matrix_at(CHAIN, moment), REGISTRY)


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
def test_a_deputy_sees_what_the_orders_give_at_the_moment(identity: str) -> None:
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
    assert seen_by("deputy:a", DAY - NEARLY).provinces == frozenset()


@pytest.mark.parametrize("identity", ["deputy:b", "secretariat:b"])
def test_a_substitute_sees_the_absent_deputy_s_during_the_absence_alone(identity: str) -> None:
    for moment, provinces in ((0, {"TH-82"}), (1, {"TH-82", "TH-83"}), (2, {"TH-82"})):
        scope = seen_by(identity, DAY + moment * HOUR)
        assert scope.provinces == provinces
        assert scope.sees_deputy("a") == (moment == 1)
        assert (scope.ministries == {"moi"}) == (moment == 1)


def test_an_inspector_sees_the_provinces_entrusted_as_long_as_they_are() -> None:
    scope = seen_by("inspector:i", DAY + HOUR)
    assert scope.provinces == {"TH-82"}
    assert not scope.sees_deputy("b")
    assert scope.reads(Resource.SITUATION)
    assert seen_by("inspector:i", DAY + 2 * HOUR) == Scope(frozenset({Resource.REFERENCE}))


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
    assert scope_of(Identity("deputy"), matrix_at(CHAIN, DAY), REGISTRY) == NOTHING
    assert not NOTHING.reads(Resource.REFERENCE)


@pytest.mark.parametrize("identity", ["pm", "deputy:a", "poc:TH-83", "moc:moi", "analyst", "opdc"])
def test_only_an_operator_has_things_tried_again(identity: str) -> None:
    assert may_retry(Identity.parse("operator"))
    assert not may_retry(Identity.parse(identity))
