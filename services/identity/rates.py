"""How much one identity may ask of one process: the generic cell rate algorithm (GCRA).

A quota may be used at once and comes back evenly over its window. Nothing is counted by address, so
nobody is refused for whom they share a network with.

Headers: draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from services.operation.problems import Kind, Problem, Text
from services.operation.settings import Settings

RATE_EXCEEDED = Kind(
    "rate-exceeded", 429, Text("เรียกถี่เกินกำหนด", "More than the rate that is allowed")
)
MOST_ACCOUNTS = 65_536
"""So many identities are remembered before those who owe nothing are forgotten."""


@dataclass(frozen=True)
class Rate:
    """So many in so many seconds; `name` is what the headers call it."""

    name: str
    quota: int
    window_seconds: int = 60

    @cached_property
    def policy(self) -> str:
        """The rate as `RateLimit-Policy` has it."""
        return f'"{self.name}";q={self.quota};w={self.window_seconds}'


def reads_of(settings: Settings) -> Rate:
    """How often one identity may ask the gateway."""
    return Rate("reads", settings.reads_per_minute)


def events_of(settings: Settings) -> Rate:
    """How many events one centre may hand to the door."""
    return Rate("events", settings.events_per_minute)


class Account:
    """What one identity has used of a rate."""

    __slots__ = ("_owed_until", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._owed_until = float("-inf")

    def spend(self, amount: int, *, now: float) -> None:
        """So much more is used; where it goes beyond the quota, the next wait is longer."""
        rate = self._rate
        spent = amount * rate.window_seconds / rate.quota
        self._owed_until = max(self._owed_until, now) + spent

    def require(self, *, now: float) -> None:
        """One more may be used now.

        Raises:
            Problem: 429 with the whole seconds after which it may.
        """
        wait = self._wait(now)
        if wait > 0:
            raise _exceeded(self._rate, ceil(wait), self.headers(now=now))

    def headers(self, *, now: float) -> dict[str, str]:
        """What is left, and after how many seconds all of it is."""
        rate = self._rate
        owed = max(0.0, self._owed_until - now)
        left = max(0, int((rate.window_seconds - owed) * rate.quota / rate.window_seconds + 1e-6))
        return {
            "RateLimit-Policy": rate.policy,
            "RateLimit": f'"{rate.name}";r={left};t={ceil(owed)}',
        }

    def is_settled(self, now: float) -> bool:
        """Whether it is as if nothing had ever been used."""
        return self._owed_until <= now

    def _wait(self, now: float) -> float:
        rate = self._rate
        one = rate.window_seconds / rate.quota
        # A billionth of a second is the clock's rounding, not somebody's haste.
        wait = self._owed_until + one - now - rate.window_seconds
        return wait if wait > 1e-9 else 0.0


class Meter:
    """The accounts of one rate in this process."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._accounts: dict[Hashable, Account] = {}

    def account(self, identity: Hashable, *, now: float) -> Account:
        """The identity's account: one look-up, unless it is new."""
        account = self._accounts.get(identity)
        if account is None:
            if len(self._accounts) >= MOST_ACCOUNTS:
                self._forget(now)
            account = self._accounts[identity] = Account(self._rate)
        return account

    def __len__(self) -> int:
        """How many identities are remembered."""
        return len(self._accounts)

    def _forget(self, now: float) -> None:
        kept = {who: one for who, one in self._accounts.items() if not one.is_settled(now)}
        self._accounts = kept


def _exceeded(rate: Rate, wait_seconds: int, headers: dict[str, str]) -> Problem:
    return Problem(
        RATE_EXCEEDED,
        Text(
            f"เกิน {rate.quota} ต่อ {rate.window_seconds} วินาที ลองใหม่ใน {wait_seconds} วินาที",
            f"More than {rate.quota} in {rate.window_seconds} s: again in {wait_seconds} s",
        ),
        headers={**headers, "Retry-After": str(wait_seconds)},
        extensions={"violated-policies": [rate.name]},
    )
