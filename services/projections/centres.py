"""Silences, returns and counter resets to rows."""

from collections.abc import Iterator

from schemas.events.heartbeat import HeartbeatSent
from schemas.events.silence import CentreHeard, CentreSilent
from services.projections.fact import Fact, ReadModel, Row
from services.readmodels.centres import METADATA, RESETS, SILENCES


def project(fact: Fact) -> Iterator[Row]:
    """The rows this fact makes."""
    match fact.event:
        case CentreSilent() as silent:
            yield fact.row(SILENCES, silent.centre, "silent", silent.silent_since)
        case CentreHeard() as heard:
            yield fact.row(SILENCES, heard.centre, "heard", heard.heard_at)
        case HeartbeatSent(sequence_reset=True):
            yield fact.row(RESETS)
        case _:
            return


MODEL = ReadModel("centres", METADATA, project)
