"""The network opens once."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import decode
from schemas.events.model import EventModel
from schemas.events.record import NetworkOpened
from services.domain.opening import DECIDER, Opening, open_at

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1)).map(lambda m: m.replace(tzinfo=UTC))  # noqa: DTZ001 -- Hypothesis bounds naive moments


@given(st.lists(MOMENTS, min_size=1))
def test_the_first_opening_is_the_opening(moments: list[datetime]) -> None:
    history: list[EventModel] = []
    for moment in moments:
        history += open_at(DECIDER.fold(history), moment)
    assert history == [NetworkOpened(opened_at=moments[0])]
    assert DECIDER.fold([*history, NetworkOpened(opened_at=moments[-1])]) == Opening(moments[0])


@given(MOMENTS)
def test_it_reads_back_as_it_was_written(moment: datetime) -> None:
    (event,) = open_at(Opening(), moment)
    assert decode(event.type, event.model_dump_json().encode()) == event
