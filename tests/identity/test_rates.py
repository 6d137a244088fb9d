"""How much one identity may ask: a quota at once, which comes back evenly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.identity import Identity
from services.identity.rates import MOST_ACCOUNTS, Account, Meter, Rate
from services.operation.problems import Problem

TEN = Rate("reads", quota=10, window_seconds=60)
PM = Identity("pm")


def is_let_in(account: Account, now: float, amount: int = 1) -> bool:
    try:
        account.require(now=now)
    except Problem:
        return False
    account.spend(amount, now=now)
    return True


def test_a_quota_may_be_used_at_once_and_comes_back_evenly() -> None:
    account = Account(TEN)
    assert [is_let_in(account, 100.0) for _ in range(11)] == [True] * 10 + [False]
    assert not is_let_in(account, 105.9)
    assert is_let_in(account, 106.0)
    assert not is_let_in(account, 106.0)
    assert [is_let_in(account, 1_000.0) for _ in range(11)] == [True] * 10 + [False]


def test_a_refusal_says_when_and_by_which_policy() -> None:
    account = Account(TEN)
    account.spend(10, now=0.0)
    with pytest.raises(Problem) as refused:
        account.require(now=0.5)
    problem = refused.value
    assert problem.kind.status == 429
    assert problem.headers == {
        "Retry-After": "6",
        "RateLimit-Policy": '"reads";q=10;w=60',
        "RateLimit": '"reads";r=0;t=60',
    }
    assert problem.body()["violated-policies"] == ["reads"]
    assert {"title", "title_en", "detail", "detail_en"} <= set(problem.body())


def test_the_headers_say_what_is_left_and_when_all_of_it_is() -> None:
    account = Account(TEN)
    assert account.headers(now=0.0)["RateLimit"] == '"reads";r=10;t=0'
    account.spend(3, now=0.0)
    assert account.headers(now=0.0)["RateLimit"] == '"reads";r=7;t=18'
    assert account.headers(now=6.0)["RateLimit"] == '"reads";r=8;t=12'


def test_what_went_beyond_the_quota_is_waited_for() -> None:
    account = Account(TEN)
    assert is_let_in(account, 0.0, amount=30)
    assert not is_let_in(account, 125.9)
    assert is_let_in(account, 126.0)


def test_identities_do_not_use_each_others_quota() -> None:
    meter = Meter(TEN)
    meter.account(PM, now=0.0).spend(10, now=0.0)
    assert not is_let_in(meter.account(Identity("pm"), now=0.0), 0.0)
    assert is_let_in(meter.account(Identity("opdc"), now=0.0), 0.0)


def test_only_who_owes_nothing_is_forgotten() -> None:
    meter = Meter(TEN)
    for number in range(MOST_ACCOUNTS):
        meter.account(number, now=0.0).spend(1, now=0.0)
    meter.account(PM, now=0.0).spend(10, now=0.0)
    meter.account(Identity("opdc"), now=7.0)
    assert len(meter) == 2
    assert not is_let_in(meter.account(PM, now=5.0), 5.0)


@given(st.lists(st.floats(min_value=0, max_value=50), max_size=200))
def test_no_window_lets_in_more_than_twice_the_quota(pauses: list[float]) -> None:
    account, now, let_in = Account(TEN), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if is_let_in(account, now):
            let_in.append(now)
    for begin in let_in:
        assert sum(begin <= one < begin + 60 for one in let_in) <= 20
