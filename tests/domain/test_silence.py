"""A silence is raised once for what armed it and ended once, whatever is commanded how often."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import EventModel, decode
from schemas.events.silence import CentreHeard, CentreSilent
from services.domain.silence import (
    DECIDER,
    LOOK_BACK_SECONDS,
    Hearing,
    Listening,
    Missed,
    fall_silent,
    hear_again,
    looks_back,
    ran_out_at,
    was_silent,
)

CENTRE = "poc:TH-83"
NOON = datetime(2026, 10, 15, 5, tzinfo=UTC)

type Command = Callable[[Hearing], list[EventModel]]


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def missed(minutes: float) -> Missed:
    return Missed(CENTRE, ran_out_at=at(minutes), last_heard=at(minutes - 60))


def silent(minutes: float) -> CentreSilent:
    return CentreSilent(centre=CENTRE, silent_since=at(minutes), last_heard=at(minutes - 60))


def heard(minutes: float) -> CentreHeard:
    return CentreHeard(centre=CENTRE, heard_at=at(minutes))


def given_history(*events: EventModel) -> Hearing:
    return DECIDER.fold(events)


def test_a_missed_interval_is_stated() -> None:
    assert fall_silent(given_history(), missed(0)) == [silent(0)]


def test_a_centre_that_was_never_heard_falls_silent_too() -> None:
    (event,) = fall_silent(given_history(), Missed(CENTRE, at(0), None))
    assert event == CentreSilent(centre=CENTRE, silent_since=at(0))


def test_of_a_silent_centre_silence_is_not_stated_again() -> None:
    assert fall_silent(given_history(silent(0)), missed(60)) == []


def test_a_silent_centre_is_heard_again() -> None:
    assert hear_again(given_history(silent(0)), CENTRE, heard_at=at(1)) == [heard(1)]


def test_a_centre_that_is_not_silent_is_not_heard_again() -> None:
    for hearing in (given_history(), given_history(silent(0), heard(1))):
        assert hear_again(hearing, CENTRE, heard_at=at(2)) == []


def test_what_was_heard_before_the_silence_does_not_end_it() -> None:
    assert hear_again(given_history(silent(5)), CENTRE, heard_at=at(5)) == []


def test_an_interval_that_ran_out_before_the_return_is_no_news() -> None:
    assert fall_silent(given_history(silent(0), heard(5)), missed(0)) == []
    assert fall_silent(given_history(silent(0), heard(5)), missed(65)) == [silent(65)]


def test_other_events_change_nothing() -> None:
    other = decode("heartbeat.sent.v1", b"{}")
    assert given_history(silent(0), other) == given_history(silent(0))


def test_the_interval_ran_out_as_long_ago_as_the_listening_clock_says() -> None:
    assert ran_out_at(100.0, Listening(at(10), 130.0)) == at(9.5)


INCREMENTS = st.lists(st.floats(0, 15, allow_subnormal=False), min_size=1, max_size=30)


@given(INCREMENTS, st.floats(0.001, 100))
def test_an_interval_that_ran_out_unseen_did_so_between_two_signs_of_life(
    increments: list[float], seconds: float
) -> None:
    """Armed at the first tick, heard at the one after the last: silent and heard, in this order."""
    listened = [sum(increments[:nth]) for nth in range(len(increments) + 1)]
    ticks = [Listening(at(0) + timedelta(seconds=shown), shown) for shown in listened]
    before, heard_at = ticks[-1], ticks[-1].time + timedelta(microseconds=1)
    if not was_silent(seconds, before):
        assert not any(was_silent(seconds, tick) for tick in ticks)
        return
    passed = next(tick for tick in ticks if tick.listened > seconds)
    since = ran_out_at(seconds, passed)
    assert ticks[0].time <= since <= passed.time <= before.time
    (stated,) = fall_silent(Hearing(), Missed(CENTRE, since, ticks[0].time))
    history = [stated, *hear_again(given_history(stated), CENTRE, heard_at=heard_at)]
    assert [event.type for event in history] == [CentreSilent.type, CentreHeard.type]


@given(st.floats(0.1, 1e7))
def test_the_look_back_is_bounded_in_time_and_in_steps(shortest: float) -> None:
    assert looks_back(shortest) <= LOOK_BACK_SECONDS
    assert looks_back(shortest) / shortest <= 200


MINUTES = st.integers(0, 20)
COMMANDS = st.lists(
    st.one_of(
        MINUTES.map(lambda m: lambda hearing: fall_silent(hearing, missed(m))),
        MINUTES.map(lambda m: lambda hearing: hear_again(hearing, CENTRE, heard_at=at(m))),
    ),
    max_size=30,
)


def after(commands: list[Command]) -> list[EventModel]:
    history: list[EventModel] = []
    for command in commands:
        history += command(DECIDER.fold(history))
    return history


def moment_of(event: EventModel) -> datetime:
    match event:
        case CentreSilent(silent_since=moment) | CentreHeard(heard_at=moment):
            return moment
        case _:
            raise AssertionError(event)


@given(COMMANDS)
def test_a_repeated_command_yields_nothing(commands: list[Command]) -> None:
    history = after(commands)
    for command in commands[-1:]:
        assert command(DECIDER.fold(history)) == []


@given(COMMANDS, st.data())
def test_a_command_that_had_effect_never_has_it_again(
    commands: list[Command], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(commands))) if commands else []
    effects: dict[int, int] = {}
    history: list[EventModel] = []
    for command in [*commands, *again]:
        new = command(DECIDER.fold(history))
        history += new
        effects[id(command)] = effects.get(id(command), 0) + len(new)
    assert all(count <= 1 for count in effects.values())


@given(COMMANDS)
def test_silences_and_returns_take_turns_and_time_goes_on(commands: list[Command]) -> None:
    history = after(commands)
    assert [event.type for event in history] == [
        (CentreSilent.type, CentreHeard.type)[nth % 2] for nth in range(len(history))
    ]
    moments = [moment_of(event) for event in history]
    assert moments == sorted(set(moments))


@given(COMMANDS)
def test_every_event_reads_back_as_it_was_written(commands: list[Command]) -> None:
    for event in after(commands):
        assert decode(event.type, event.model_dump_json().encode()) == event
