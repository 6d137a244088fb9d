"""What one addressee's life of a directive leads through: each step, from where, by whose hand.

Advice carries no compliance (domain.md 3, power 6); the steps themselves are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.events.directive import (
    DirectiveAcknowledged,
    DirectiveActStopped,
    DirectiveBegun,
    DirectiveComplied,
    DirectiveDelivered,
    DirectiveKind,
    DirectiveLifted,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveStep,
    DirectiveUpheld,
)

type Phase = Literal[
    "none", "draft", "open", "taken_over", "closed", "withdrawn", "reversed", "superseded"
]
type Standing = Literal[
    "issued", "delivered", "acknowledged", "objected", "in_progress", "reported", "complied",
    "returned", "stopped", "lifted", "upheld",
]  # fmt: skip
type Role = Literal["drafter", "issuer", "addressee", "pm", "network"]

RUNNING: frozenset[Phase] = frozenset({"open", "taken_over"})
"""While addressees owe something."""

DONE: Mapping[DirectiveKind, frozenset[Standing]] = {
    "order": frozenset({"complied"}),
    "report": frozenset({"complied"}),
    "inquiry": frozenset({"complied"}),
    "suspension": frozenset({"lifted", "upheld"}),
    "advice": frozenset({"acknowledged"}),
}
"""Where an addressee owes nothing more. Advice carries no compliance (domain.md 3, power 6)."""

_TO_COMPLY: frozenset[DirectiveKind] = frozenset({"order", "report", "inquiry"})
_BINDING: frozenset[DirectiveKind] = _TO_COMPLY | {"suspension"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a step leads, from where, by whose hand, for which kinds."""

    to: Standing
    since: frozenset[Standing]
    role: Role
    kinds: frozenset[DirectiveKind]


STEPS: Mapping[type[DirectiveStep], Rule] = {
    DirectiveDelivered: Rule("delivered", frozenset({"issued"}), "network", _BINDING | {"advice"}),
    DirectiveAcknowledged: Rule(
        "acknowledged", frozenset({"issued", "delivered"}), "addressee", _BINDING | {"advice"}
    ),
    DirectiveObjected: Rule(
        "objected", frozenset({"issued", "delivered", "acknowledged"}), "addressee", _BINDING
    ),
    DirectiveBegun: Rule(
        "in_progress",
        frozenset({"acknowledged", "objected", "returned"}),
        "addressee",
        _TO_COMPLY,
    ),
    DirectiveReported: Rule(
        "reported",
        frozenset({"acknowledged", "in_progress", "returned"}),
        "addressee",
        _TO_COMPLY,
    ),
    DirectiveComplied: Rule("complied", frozenset({"reported"}), "issuer", _TO_COMPLY),
    DirectiveReturned: Rule("returned", frozenset({"reported"}), "issuer", _TO_COMPLY),
    DirectiveActStopped: Rule(
        "stopped",
        frozenset({"issued", "delivered", "acknowledged", "objected"}),
        "addressee",
        frozenset({"suspension"}),
    ),
    DirectiveLifted: Rule(
        "lifted",
        frozenset({"issued", "delivered", "acknowledged", "objected", "stopped"}),
        "issuer",
        frozenset({"suspension"}),
    ),
    DirectiveUpheld: Rule(
        "upheld", frozenset({"objected", "stopped"}), "issuer", frozenset({"suspension"})
    ),
}
"""Every step towards or by one addressee. What is not here is refused."""

UNANSWERED: frozenset[Standing] = frozenset({"issued", "delivered"})
"""Where an addressee owes its answer."""

OWING: frozenset[Standing] = UNANSWERED | {"acknowledged", "in_progress", "returned"}
"""Where an addressee owes its report, or the confirmation that the act has stopped."""
