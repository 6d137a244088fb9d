"""Alerts to rows."""

from collections.abc import Iterator

from schemas.events.alert import AlertIssued
from services.domain.cap_reading import came_as
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.alerts import MESSAGES, METADATA


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes. An alert that states no beginning is effective when it is sent."""
    alert = fact.event
    if not isinstance(alert, AlertIssued):
        return
    outside = came_as(alert, realm=fact.realm, sent=fact.time)
    yield fact.row(
        MESSAGES,
        alert.alert,
        alert.message,
        alert.references,
        alert.incident,
        alert.event_th,
        alert.headline_th,
        alert.headline_en,
        alert.description,
        alert.instruction,
        alert.urgency,
        alert.severity,
        alert.certainty,
        alert.effective or fact.time,
        alert.expires,
        alert.provinces,
        outside and outside.sender,
        outside and outside.identifier,
    )


MODEL = ReadModel("alerts", METADATA, project)
