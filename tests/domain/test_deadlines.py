"""What falls due of a directive when: stated once, in order, and never of what is done."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.clocks import Clock, ClocksSet, DirectiveDue, DirectiveEscalated
from schemas.events.directive import (
    Authority,
    Capacity,
    DirectiveAcknowledged,
    DirectiveActStopped,
    DirectiveBegun,
    DirectiveComplied,
    DirectiveDelivered,
    DirectiveDrafted,
    DirectiveKind,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveStep,
)
from schemas.events.model import EventModel
from services.domain import clocks, deadlines, directives
from services.domain.directives import DECIDER, Actor, Directive, Mandate
from services.domain.rejected import Rejected

NOON = datetime(2024, 9, 1, 5, tzinfo=UTC)
MOI, PHUKET = "moi", "TH-83"
ALL = Actor("x", frozenset({"issuer", "addressee", "pm", "network"}), frozenset({MOI, PHUKET}))
SUSPENDS: dict[str, Any] = {"kind": "suspension", "stops": {"act_th": "x", "policy": "p"}}


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def drafted(**said: object) -> DirectiveDrafted:
    stated = {"directive": "d", "deputy": "a", "drafted_by": "secretariat:a", "kind": "order",
              "title_th": "x", "text_th": "x", "addressees": [MOI, PHUKET], **said}  # fmt: skip
    return DirectiveDrafted.model_validate(stated)


def life(capacity: Capacity = "holder", **said: object) -> list[EventModel]:
    """A draft and its issue at noon."""
    written = drafted(**said)
    given = Mandate(capacity, [Authority(addressee=one) for one in written.addressees])
    return [written, *directives.issue(DECIDER.fold([written]), ALL, given, now=NOON)]


def issued(*steps: EventModel, capacity: Capacity = "holder", **said: object) -> Directive:
    return DECIDER.fold([*life(capacity, **said), *steps])


def taken(model: type[DirectiveStep], to: str = PHUKET, **said: object) -> DirectiveStep:
    return model.model_validate({"directive": "d", "addressee": to, "by": "x", **said})


REPORTED = [taken(DirectiveAcknowledged), taken(DirectiveReported, report="x")]


def owing(directive: Directive, addressee: str = PHUKET) -> list[tuple[str, datetime]]:
    return [(clock.owes, clock.ends) for clock in deadlines.owed(directive, addressee)]


def falling(directive: Directive, hours: float, addressee: str = PHUKET) -> list[str]:
    """What is stated of one addressee by then, first to last."""
    fallen = deadlines.fallen(directive, now=at(hours))
    return [_said(event) for event in fallen if event.addressee == addressee]


def _said(event: DirectiveDue) -> str:
    step = event.type.split(".")[1]
    return f"{event.owes} {event.to if isinstance(event, DirectiveEscalated) else step}"


# How long there is.


def test_it_is_noted_in_a_day_and_answered_in_three_where_the_draft_states_no_time() -> None:
    assert owing(issued()) == [("acknowledgement", at(24)), ("report", at(72))]


@pytest.mark.parametrize(
    ("said", "noted", "answered"),
    [
        ({"acknowledge_by": at(1), "report_by": at(2)}, 1, 2),
        ({"report_by": at(2)}, 2, 2),
        ({"report_by": at(240)}, 24, 240),
        ({"acknowledge_by": at(1)}, 1, 72),
        ({"acknowledge_by": at(240)}, 240, 240),
    ],
    ids=["both", "the answer, soon", "the answer, late", "the note", "the note, late"],
)
def test_what_the_draft_states_is_due_as_stated_and_noted_no_later_than_answered(
    said: dict[str, Any], noted: int, answered: int
) -> None:
    expected = [("acknowledgement", at(noted)), ("report", at(answered))]
    assert owing(issued(**said)) == expected


def test_advice_owes_that_it_is_noted_and_nothing_else() -> None:
    advice = issued(kind="advice", report_by=at(2))
    assert owing(advice) == [("acknowledgement", at(2))]
    assert owing(DECIDER.fold([*life(kind="advice"), taken(DirectiveAcknowledged)])) == []


def test_a_suspension_owes_that_the_act_has_stopped() -> None:
    assert owing(issued(**SUSPENDS)) == [("acknowledgement", at(24)), ("confirmation", at(72))]
    assert owing(issued(taken(DirectiveActStopped), **SUSPENDS)) == []


def test_the_policy_of_the_issue_goes_on_ruling_it() -> None:
    policy = ClocksSet(acknowledge_seconds=3_600, report_seconds=7_200, reminder_percent=50,
                       level_seconds=600, levels=["pm"], source="test")  # fmt: skip
    written = drafted()
    given = Mandate("holder", [Authority(addressee=one) for one in written.addressees])
    (event,) = directives.issue(DECIDER.fold([written]), ALL, given, now=NOON, policy=policy)
    directive = DECIDER.fold([written, event])
    assert owing(directive) == [("acknowledgement", at(1)), ("report", at(2))]
    assert falling(directive, 1.5) == [
        "acknowledgement overdue", "report reminded", "acknowledgement pm"
    ]  # fmt: skip


# With whom it lies.


@pytest.mark.parametrize(
    ("capacity", "classification", "offices"),
    [
        ("holder", "open", ["secretariat", "deputy", "pmoc", "pm"]),
        ("substitute", "restricted", ["secretariat", "deputy", "pmoc", "pm"]),
        ("holder", "confidential", ["secretariat", "deputy", "pm"]),
        ("prime_minister", "open", ["pmoc", "pm"]),
        ("acting_pm", "confidential", ["pm"]),
    ],
)
def test_it_goes_up_through_the_offices_that_there_are_and_what_is_confidential_passes_the_pmoc_by(
    capacity: Capacity, classification: str, offices: list[str]
) -> None:
    directive = issued(capacity=capacity, classification=classification)
    levels = [alarm.to for alarm in clocks.alarms(directive.clocks[0]) if alarm.level]
    assert levels == offices


def test_it_is_reminded_then_overdue_then_goes_up_one_level_a_day() -> None:
    moments = {alarm.to or alarm.step: alarm.falls_at for alarm in clocks.alarms(a_clock())}
    assert moments == {
        "reminded": at(18), "overdue": at(24), "secretariat": at(48), "deputy": at(72),
        "pmoc": at(96), "pm": at(120),
    }  # fmt: skip


def a_clock() -> Clock:
    return issued().clocks[0]


# What is stated.


def test_at_the_deadline_it_is_still_in_time() -> None:
    assert falling(issued(), 24) == ["acknowledgement reminded"]
    assert falling(issued(), 24.01) == ["acknowledgement overdue"]


def test_what_was_missed_is_stated_in_order_and_with_when_it_fell() -> None:
    fallen = deadlines.fallen(issued(), now=at(80))
    of_phuket = {_said(one): when for one, when in fallen.items() if one.addressee == PHUKET}
    assert list(of_phuket.items()) == [
        ("acknowledgement overdue", at(24)),
        ("acknowledgement secretariat", at(48)),
        ("acknowledgement deputy", at(72)),
        ("report overdue", at(72)),
    ]


def test_what_is_stated_already_is_not_stated_again() -> None:
    directive = issued()
    stated = deadlines.fallen(directive, now=at(50))
    after = DECIDER.fold([*life(), *stated])
    assert not deadlines.fallen(after, now=at(50))
    assert falling(after, 73) == ["acknowledgement deputy", "report overdue"]


def test_what_is_done_goes_up_no_further() -> None:
    late = [*life(), *deadlines.fallen(issued(), now=at(50))]
    noted = DECIDER.fold([*late, taken(DirectiveAcknowledged)])
    assert deadlines.escalated_to(DECIDER.fold(late), PHUKET) == "secretariat"
    assert deadlines.escalated_to(noted, PHUKET) is None
    assert falling(noted, 71) == ["report reminded"]
    assert falling(noted, 71, MOI) == ["report reminded"]
    assert falling(DECIDER.fold([*late, *REPORTED]), 1_000) == []


def test_what_was_done_before_it_was_stated_is_not_stated() -> None:
    assert falling(issued(*REPORTED), 1_000) == []


@pytest.mark.parametrize("end", ["withdraw", "reverse", "take over", "supersede"])
def test_what_is_ended_or_taken_over_goes_up_no_further(end: str) -> None:
    ending: dict[str, list[EventModel]] = {
        "withdraw": directives.withdraw(issued(), ALL, reason="x"),
        "reverse": directives.reverse(issued(), ALL, reason="x"),
        "take over": directives.take_over(issued(), ALL, reason="x"),
        "supersede": directives.supersede(issued(), ALL, by_directive="e"),
    }
    assert not deadlines.fallen(issued(*ending[end]), now=at(1_000))


def test_a_returned_report_has_as_much_time_as_there_was_anew() -> None:
    before = issued(*REPORTED, report_by=at(2))
    back = deadlines.timed(before, taken(DirectiveReturned, reason="x"), now=at(10))
    after = directives.evolve(before, back)
    assert owing(after) == [("report", at(12))]
    assert falling(after, 11.8) == ["report reminded"]
    assert falling(after, 36.5) == ["report overdue", "report secretariat"]


def test_an_objection_stops_the_clock_and_sets_it_not_back() -> None:
    objected = issued(taken(DirectiveObjected, reason="x"))
    assert falling(objected, 100) == []
    begun = directives.evolve(objected, taken(DirectiveBegun))
    assert falling(begun, 100) == ["report overdue", "report secretariat"]


def test_a_directive_of_before_the_clocks_states_nothing() -> None:
    written, event = life()
    old = event.model_copy(update={"clocks": []})
    assert not deadlines.fallen(DECIDER.fold([written, old]), now=at(1_000))


def test_one_decision_states_no_more_than_fits_and_the_next_one_the_rest() -> None:
    to = [f"TH-{nth}" for nth in range(10, 87)]
    history = life(addressees=to)
    sizes = []
    while fallen := deadlines.fallen(DECIDER.fold(history), now=at(1_000)):
        history += fallen
        sizes.append(len(fallen))
    assert sizes == [deadlines.AT_ONCE, 77 * 10 - deadlines.AT_ONCE]


def test_no_standing_follows_from_what_a_timer_states() -> None:
    late = [*life(), *deadlines.fallen(issued(), now=at(1_000))]
    assert DECIDER.fold(late).standing == issued().standing
    assert DECIDER.fold(late).phase == "open"


# Whatever happens, whoever looks when.

MADE: list[tuple[type[DirectiveStep], dict[str, object]]] = [
    (DirectiveDelivered, {"channel": "pull"}),
    (DirectiveAcknowledged, {}),
    (DirectiveObjected, {"reason": "x"}),
    (DirectiveBegun, {}),
    (DirectiveReported, {"report": "x"}),
    (DirectiveReturned, {"reason": "x"}),
    (DirectiveComplied, {}),
    (DirectiveActStopped, {}),
]
SCAN = -1
TURNS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(st.just(SCAN), st.just(SCAN), st.integers(0, len(MADE) - 1)),
        st.sampled_from([MOI, PHUKET]),
    ),
    max_size=40,
)
type Turn = tuple[datetime, Directive, list[EventModel]]
KINDS: list[DirectiveKind] = ["order", "report", "inquiry", "suspension", "advice"]


def walked(kind: DirectiveKind, turns: Iterable[tuple[int, int, str]]) -> list[Turn]:
    """The states of a life in which a timer looks whenever the turns say so, with its history."""
    said = SUSPENDS if kind == "suspension" else {"kind": kind}
    history: list[EventModel] = life(**said)
    now = NOON
    states: list[Turn] = []
    for minutes_of_20, what, to in turns:
        now += timedelta(minutes=20 * minutes_of_20)
        directive = DECIDER.fold(history)
        new: Iterable[EventModel]
        if what == SCAN:
            new = deadlines.fallen(directive, now=now)
        else:
            model, fields = MADE[what]
            step = deadlines.timed(directive, taken(model, to, **fields), now=now)
            try:
                new = directives.step(directive, step, ALL)
            except Rejected:
                new = []
        new = list(new)
        states.append((now, directive, new))
        history += new
    return states


@settings(deadline=None)
@given(st.sampled_from(KINDS), TURNS)
def test_whatever_happens_each_thing_is_stated_once_in_order_and_never_after_it_was_done(
    kind: DirectiveKind, turns: list[tuple[int, int, str]]
) -> None:
    stated: list[DirectiveDue] = []
    for now, directive, new in walked(kind, turns):
        for event in new:
            if isinstance(event, DirectiveDue):
                stated.append(event)
                owed = owing(directive, event.addressee)
                assert (event.owes, event.due_at) in owed
                assert event.since < now
    assert all(count == 1 for count in Counter(stated).values())
    levels: dict[tuple[str, str, datetime], list[int]] = {}
    for event in stated:
        if isinstance(event, DirectiveEscalated):
            levels.setdefault((event.addressee, event.owes, event.due_at), []).append(event.level)
    assert all(found == list(range(1, len(found) + 1)) for found in levels.values())


@settings(deadline=None)
@given(st.sampled_from(KINDS), TURNS)
def test_after_a_look_everything_owed_that_fell_due_is_stated(
    kind: DirectiveKind, turns: list[tuple[int, int, str]]
) -> None:
    now, directive, new = walked(kind, [*turns, (0, SCAN, MOI)])[-1]
    after = directive
    for event in new:
        after = directives.evolve(after, event)
    for addressee, clock in (
        (to, one) for to in after.standing for one in deadlines.owed(after, to)
    ):
        said = {
            (type(one).type.split(".")[1], getattr(one, "level", 0))
            for one in after.stated.get(addressee, ())
            if (one.owes, one.due_at) == (clock.owes, clock.ends)
        } - {("reminded", 0)}
        expected = {
            (alarm.step, alarm.level)
            for alarm in clocks.alarms(clock)
            if alarm.falls_at < now and alarm.step != "reminded"
        }
        assert said == expected


@settings(deadline=None)
@given(st.sampled_from(KINDS), TURNS, st.integers(0, 200))
def test_looking_more_often_states_the_same_of_what_nobody_answers(
    kind: DirectiveKind, turns: list[tuple[int, int, str]], hours: int
) -> None:
    """Two timers, one that looks now and then, one that was away all the time."""
    looks = [(minutes, SCAN, to) for minutes, _, to in turns]
    end = sum(minutes for minutes, _, _ in looks)
    last = (max(0, 3 * hours - end), SCAN, MOI)
    often = [one for _, _, new in walked(kind, [*looks, last]) for one in new]
    once = [one for _, _, new in walked(kind, [(end + last[0], SCAN, MOI)]) for one in new]
    is_kept = [one for one in often if one.type != "directive.reminded.v1"]
    assert is_kept == [one for one in once if one.type != "directive.reminded.v1"]
