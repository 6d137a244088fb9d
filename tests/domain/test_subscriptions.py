"""Who may be told by webhook, how often, and what overtakes what."""

import pytest

from schemas.events.directive import DirectiveStep
from services.domain.readership import Readership
from services.domain.steps import STEPS
from services.domain.subscriptions import (
    MOST,
    OVERTAKING,
    TEST,
    VOIDING,
    SubscriptionDisabled,
    TooManySubscriptions,
    check_active,
    check_number,
    is_news,
    own_right,
)


def test_an_identity_has_twenty_subscriptions_at_most() -> None:
    check_number(MOST - 1)
    with pytest.raises(TooManySubscriptions):
        check_number(MOST)


def test_nothing_is_sent_to_what_is_disabled() -> None:
    check_active(is_disabled=False)
    with pytest.raises(SubscriptionDisabled):
        check_active(is_disabled=True)


def test_what_ends_a_directive_overtakes_and_a_takeover_voids_nothing() -> None:
    assert {"withdrawn", "reversed", "superseded"} == VOIDING
    assert {"assumed"} == OVERTAKING - VOIDING


def test_no_step_of_an_addressee_overtakes() -> None:
    steps: set[type[DirectiveStep]] = set(STEPS)
    assert {step.type.split(".")[1] for step in steps}.isdisjoint(OVERTAKING | {TEST})


def test_a_notice_is_an_addressee_s_own_right_and_no_overseer_s() -> None:
    addressee = Readership(addressees=frozenset({"TH-83"}))
    assert own_right(["TH-82", "TH-83"], addressee) == "TH-83"
    assert own_right(["TH-82"], addressee) is None
    assert own_right(["TH-83"], Readership(everything=True)) is None


@pytest.mark.parametrize(
    ("change", "addressee", "reads", "told"),
    [
        ("delivered", "TH-83", Readership(addressees=frozenset({"TH-83"})), False),
        ("delivered", "TH-83", Readership(everything=True), True),
        ("delivered", "TH-83", Readership(places=frozenset({"TH-83"})), True),
        ("undeliverable", "TH-83", Readership(addressees=frozenset({"TH-83"})), True),
        ("acknowledged", "TH-83", Readership(addressees=frozenset({"TH-83"})), True),
        ("issued", None, Readership(addressees=frozenset({"TH-83"})), True),
    ],
)
def test_an_addressee_is_told_everything_but_that_it_was_delivered_to_itself(
    change: str, addressee: str | None, reads: Readership, *, told: bool
) -> None:
    assert is_news(change, addressee, reads) is told
