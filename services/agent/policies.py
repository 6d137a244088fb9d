"""Cabinet policies and resolutions as decisions, as far as a source states their day."""

from collections.abc import Iterable, Iterator
from datetime import date

from schemas.events.policy import PolicyRegistered
from services.agent.orders import id_of
from services.agent.record import Event, Record, Row, day_after, end_of, event_of
from services.agent.registry import REGISTRAR
from services.domain.registry import start_of


def policies(rows: Iterable[Row]) -> Iterator[Event]:
    """Every policy and resolution of the table, known from the end of the day it was decided."""
    for row in rows:
        decided = date.fromisoformat(row["decided_on"])
        stated = {name: value for name, value in row.items() if value}
        body = PolicyRegistered.model_validate({**stated, "valid_to": day_after(row["valid_to"])})
        subject = f"policies/{body.policy}"
        yield event_of(
            Record(
                id=id_of(subject),
                centre=REGISTRAR,
                subject=subject,
                time=start_of(decided),
                accepted=end_of(decided),
                body=body,
            )
        )
