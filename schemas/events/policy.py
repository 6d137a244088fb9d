"""Policies and resolutions of the cabinet, and of ministries: what a suspension may rest on."""

from datetime import date
from typing import ClassVar, Literal

from schemas.events.model import EventModel, Key, Name, Text

PolicyKind = Literal["cabinet_policy", "cabinet_resolution", "ministry_policy"]
Outcome = Literal["approved", "agreed", "noted", "referred"]
"""อนุมัติ, เห็นชอบ, รับทราบ, มอบหมายให้พิจารณา."""


class PolicyRegistered(EventModel):
    """A policy or resolution with its text. Half-open: `valid_to` is the first day after it."""

    type: ClassVar[str] = "policy.registered.v1"

    policy: Key
    kind: PolicyKind
    outcome: Outcome
    ministry: Key | None = None
    """Whose own policy it is; None of the cabinet's."""
    title_th: Name
    title_en: Name | None = None
    text_th: Text
    decided_on: date
    valid_from: date
    valid_to: date | None = None
    source: Text
    """Where the text stands."""


class PolicyRevoked(EventModel):
    """A policy or resolution rules no more from a day on."""

    type: ClassVar[str] = "policy.revoked.v1"

    policy: Key
    valid_from: date
    """The first day on which it rules no more."""
    revoked_by: Key | None = None
    """The policy or resolution that revokes it, where that one is registered."""
    source: Text
