"""What may follow what in a directive's life, and by whose hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.events.directive import (
    Authority,
    DirectiveAcknowledged,
    DirectiveActStopped,
    DirectiveBegun,
    DirectiveComplied,
    DirectiveDelivered,
    DirectiveDrafted,
    DirectiveLifted,
    DirectiveObjected,
    DirectiveReported,
    DirectiveReturned,
    DirectiveReversed,
    DirectiveStep,
    DirectiveSuperseded,
    DirectiveTakenOver,
    DirectiveUndeliverable,
    DirectiveUpheld,
    DirectiveWithdrawn,
)
from schemas.events.model import EventModel
from services.domain import directives
from services.domain.directives import DECIDER, Actor, Directive, Mandate
from services.domain.rejected import Rejected
from services.domain.steps import Phase, Standing

NOW = datetime(2024, 9, 1, 8, tzinfo=UTC)
MOI, PHUKET = "moi", "TH-83"

DEPUTY = Actor("deputy:a", frozenset({"issuer"}))
SECRETARIAT = Actor("secretariat:a", frozenset({"drafter"}))
PM = Actor("pm", frozenset({"pm"}))
MINISTRY = Actor("moc:moi", frozenset({"addressee"}), frozenset({MOI}))
PROVINCE = Actor("poc:TH-83", frozenset({"addressee"}), frozenset({PHUKET}))
NETWORK = Actor("network", frozenset({"network"}))
NOBODY = Actor("analyst", frozenset())
ACTORS = [DEPUTY, SECRETARIAT, PM, MINISTRY, PROVINCE, NETWORK, NOBODY]

KINDS = ["order", "report", "inquiry", "suspension", "advice"]

# Written out by hand and not derived: from where each step leads where, for which kinds, by whom.
LIFE = """
deliver      network    issued       delivered     order report inquiry suspension advice
acknowledge  addressee  issued       acknowledged  order report inquiry suspension advice
acknowledge  addressee  delivered    acknowledged  order report inquiry suspension advice
object       addressee  issued       objected      order report inquiry suspension
object       addressee  delivered    objected      order report inquiry suspension
object       addressee  acknowledged objected      order report inquiry suspension
begin        addressee  acknowledged in_progress   order report inquiry
begin        addressee  objected     in_progress   order report inquiry
begin        addressee  returned     in_progress   order report inquiry
report       addressee  acknowledged reported      order report inquiry
report       addressee  in_progress  reported      order report inquiry
report       addressee  returned     reported      order report inquiry
accept       issuer     reported     complied      order report inquiry
return       issuer     reported     returned      order report inquiry
confirm      addressee  issued       stopped       suspension
confirm      addressee  delivered    stopped       suspension
confirm      addressee  acknowledged stopped       suspension
confirm      addressee  objected     stopped       suspension
lift         issuer     issued       lifted        suspension
lift         issuer     delivered    lifted        suspension
lift         issuer     acknowledged lifted        suspension
lift         issuer     objected     lifted        suspension
lift         issuer     stopped      lifted        suspension
uphold       issuer     objected     upheld        suspension
uphold       issuer     stopped      upheld        suspension
"""
LEADS = {
    (kind, name, since): to
    for name, _, since, to, *kinds in (line.split() for line in LIFE.strip().splitlines())
    for kind in kinds
}
HAND = {line.split()[0]: line.split()[1] for line in LIFE.strip().splitlines()}
STANDINGS = [
    "issued", "delivered", "acknowledged", "objected", "in_progress", "reported", "complied",
    "returned", "stopped", "lifted", "upheld",
]  # fmt: skip
PHASES = ["none", "draft", "open", "taken_over", "closed", "withdrawn", "reversed", "superseded"]
DONE = {"complied", "lifted", "upheld"}

MADE: dict[str, Callable[[str], DirectiveStep]] = {
    "deliver": lambda to: DirectiveDelivered(
        directive="d", addressee=to, by="network", channel="pull"
    ),
    "acknowledge": lambda to: DirectiveAcknowledged(directive="d", addressee=to, by="x"),
    "object": lambda to: DirectiveObjected(directive="d", addressee=to, by="x", reason="no road"),
    "begin": lambda to: DirectiveBegun(directive="d", addressee=to, by="x"),
    "report": lambda to: DirectiveReported(directive="d", addressee=to, by="x", report="done"),
    "accept": lambda to: DirectiveComplied(directive="d", addressee=to, by="x"),
    "return": lambda to: DirectiveReturned(directive="d", addressee=to, by="x", reason="which?"),
    "confirm": lambda to: DirectiveActStopped(directive="d", addressee=to, by="x"),
    "lift": lambda to: DirectiveLifted(directive="d", addressee=to, by="x", reason="mended"),
    "uphold": lambda to: DirectiveUpheld(directive="d", addressee=to, by="x", reason="stands"),
}


def drafted(kind: str = "order", **other: object) -> DirectiveDrafted:
    stops = {"act_th": "การประมูล", "policy": "cabinet-2004-05-18"} if kind == "suspension" else None
    stated: dict[str, Any] = {
        "directive": "d",
        "deputy": "a",
        "drafted_by": "secretariat:a",
        "kind": kind,
        "title_th": "อพยพ",
        "text_th": "ให้อพยพประชาชน",
        "addressees": [MOI, PHUKET],
        "stops": stops,
    }
    return DirectiveDrafted.model_validate(stated | other)


def mandate(acting_for: str | None = None) -> Mandate:
    authority = [
        Authority(addressee=MOI, order="1/2567", clause=1, dimension="function", target=MOI,
                  power="command"),
        Authority(addressee=PHUKET, order="2/2567", clause=3, dimension="area", target=PHUKET,
                  power="area"),
    ]  # fmt: skip
    return Mandate("substitute" if acting_for else "holder", authority, acting_for)


def issued(kind: str = "order", **other: object) -> Directive:
    written = drafted(kind, **other)
    ruling = directives.issue(DECIDER.fold([written]), DEPUTY, mandate(), now=NOW)
    return DECIDER.fold([written, *ruling])


def standing(kind: str, phase: str, moi: str) -> Directive:
    stands: dict[str, Standing] = {MOI: cast(Standing, moi), PHUKET: "issued"}
    return Directive(cast(Phase, phase), drafted(kind), stands)


def outcome(decide: Callable[..., list[EventModel]], *given: object) -> list[EventModel] | str:
    try:
        return decide(*given)
    except Rejected as refused:
        return refused.rule


def may(name: str, actor: Actor, phase: str) -> bool:
    match HAND[name]:
        case "addressee":
            return actor is MINISTRY
        case "network":
            return actor is NETWORK
        case _:
            return actor is PM or (actor is DEPUTY and phase != "taken_over")


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_from_every_state_by_every_hand_is_as_the_table_says(kind: str) -> None:
    for phase, stands, name, actor in product(PHASES[2:], STANDINGS, MADE, ACTORS):
        before = standing(kind, phase, stands)
        taken = MADE[name](MOI)
        came = outcome(directives.step, before, taken, actor)
        to = LEADS.get((kind, name, stands))
        repeats = any(key[:2] == (kind, name) and LEADS[key] == stands for key in LEADS)
        late = name == "deliver" and stands != "issued"
        case = (phase, stands, name, actor.identity)
        if not may(name, actor, phase):
            assert came == ("not-issuer" if HAND[name] == "issuer" else "not-addressee"), case
        elif phase not in ("open", "taken_over"):
            assert came == "illegal-step", case
        elif repeats or late:
            assert came == [], case
        elif to is None:
            assert came == "illegal-step", case
        else:
            assert came == [taken], case
            assert directives.evolve(before, taken).standing[MOI] == to, case


@pytest.mark.parametrize(
    ("decide", "since", "hands", "refusal", "event"),
    [
        (
            lambda d, a: directives.withdraw(d, a, reason="x"),
            {"draft", "open", "taken_over"}, "issuer", "not-issuer", DirectiveWithdrawn,
        ),
        (
            lambda d, a: directives.supersede(d, a, by_directive="e"),
            {"open", "taken_over"}, "issuer", "not-issuer", DirectiveSuperseded,
        ),
        (
            lambda d, a: directives.reverse(d, a, reason="x"),
            {"open", "taken_over", "closed"}, "pm", "not-prime-minister", DirectiveReversed,
        ),
        (
            lambda d, a: directives.take_over(d, a, reason="x"),
            {"open"}, "pm", "not-prime-minister", DirectiveTakenOver,
        ),
    ],
    ids=["withdraw", "supersede", "reverse", "take over"],
)  # fmt: skip
def test_the_whole_is_ended_by_the_right_hand_from_the_right_phase(
    decide: Callable[[Directive, Actor], list[EventModel]],
    since: set[str],
    hands: str,
    refusal: str,
    event: type[EventModel],
) -> None:
    for phase, actor in product(PHASES, ACTORS):
        before = Directive() if phase == "none" else standing("order", phase, "issued")
        came = outcome(decide, before, actor)
        allowed = actor is PM or (hands == "issuer" and actor is DEPUTY and phase != "taken_over")
        after = directives.evolve(before, event.model_construct(superseded_by="e"))
        if phase == "none":
            assert came == "directive-unknown"
        elif event is DirectiveWithdrawn and phase == "withdrawn":
            assert came == []
        elif not allowed:
            assert came == refusal
        elif after == before and event is not DirectiveSuperseded:
            assert came == []
        elif phase in since:
            assert isinstance(came, list)
            assert [type(one) for one in came] == [event]
        else:
            assert came == "illegal-step"


def test_who_wrote_the_draft_does_not_issue_it() -> None:
    own = DECIDER.fold([drafted(drafted_by="deputy:a")])
    with pytest.raises(directives.OwnDraft):
        directives.issue(own, DEPUTY, mandate(), now=NOW)


def test_the_prime_minister_needs_nobody_elses_draft() -> None:
    own = DECIDER.fold([drafted(drafted_by="pm", deputy="pm")])
    given = Mandate("prime_minister", [Authority(addressee=MOI), Authority(addressee=PHUKET)])
    (event,) = directives.issue(own, PM, given, now=NOW)
    assert directives.evolve(own, event).phase == "open"


def test_a_substitute_does_not_issue_on_the_deputys_behalf_what_it_wrote() -> None:
    own = DECIDER.fold([drafted(drafted_by="deputy:b")])
    substitute = Actor("deputy:b", frozenset({"issuer"}))
    with pytest.raises(directives.OwnDraft):
        directives.issue(own, substitute, mandate("a"), now=NOW)


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase != "draft"])
def test_only_a_draft_is_issued(phase: str) -> None:
    with pytest.raises(directives.IllegalStep):
        directives.issue(standing("order", phase, "issued"), DEPUTY, mandate(), now=NOW)


@pytest.mark.parametrize(("answer", "report"), [(-1, 2), (0, None), (None, -1), (3, 2)], ids=str)
def test_what_is_due_lies_ahead_and_the_answer_before_the_report(
    answer: int | None, report: int | None
) -> None:
    due: dict[str, Any] = {
        "acknowledge_by": None if answer is None else NOW + timedelta(hours=answer),
        "report_by": None if report is None else NOW + timedelta(hours=report),
    }
    with pytest.raises(directives.DueInThePast):
        directives.issue(DECIDER.fold([drafted(**due)]), DEPUTY, mandate(), now=NOW)


def test_a_draft_is_written_anew_until_it_is_issued() -> None:
    first, second = drafted(), drafted(title_th="อพยพทันที")
    written = DECIDER.fold([first])
    assert directives.draft(written, first) == []
    assert directives.draft(written, second) == [second]
    with pytest.raises(directives.DirectiveIdTaken):
        directives.draft(issued(), second)
    with pytest.raises(directives.DirectiveIdTaken):
        directives.draft(written, drafted(deputy="b"))


def test_a_step_about_nobody_addressed_is_no_step() -> None:
    with pytest.raises(directives.DirectiveUnknown):
        directives.step(issued(), MADE["acknowledge"]("moph"), MINISTRY)
    with pytest.raises(directives.DirectiveUnknown):
        directives.step(Directive(), MADE["acknowledge"](MOI), MINISTRY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "order", "stops": {"act_th": "x", "policy": "p"}},
        {"kind": "suspension", "stops": None},
        {"addressees": [MOI, MOI]},
        {"addressees": []},
    ],
    ids=["an order stops", "a suspension stops nothing", "twice", "nobody"],
)
def test_a_draft_that_contradicts_itself_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        drafted(**wrong)


@given(
    st.sampled_from(KINDS),
    st.lists(
        st.tuples(st.sampled_from(list(MADE)), st.sampled_from([MOI, PHUKET]),
                  st.sampled_from(ACTORS)),
        max_size=60,
    ),
)  # fmt: skip
def test_however_it_is_walked_it_closes_exactly_when_nothing_is_owed(
    kind: str, walk: list[tuple[str, str, Actor]]
) -> None:
    directive = issued(kind)
    for name, addressee, actor in walk:
        taken = MADE[name](addressee)
        came = outcome(directives.step, directive, taken, actor)
        if isinstance(came, str):
            continue
        for event in came:
            directive = directives.evolve(directive, event)
        again = outcome(directives.step, directive, taken, actor)
        assert again == ("illegal-step" if directive.phase == "closed" else [])
    owes = {"acknowledged"} if kind == "advice" else DONE
    assert (directive.phase == "closed") == (set(directive.standing.values()) <= owes)


def test_what_could_not_be_delivered_is_told_of_whom_it_was_issued_to_and_moves_nobody() -> None:
    directive = issued()
    told = DirectiveUndeliverable(
        directive="d", addressee=MOI, channel="webhook", subscriber="moc:moi", notice="n",
        attempts=10, since=NOW, reason="status 500",
    )  # fmt: skip
    assert outcome(directives.undeliverable, directive, told) == [told]
    assert directives.evolve(directive, told) == directive
    other = told.model_copy(update={"addressee": "TH-10"})
    assert outcome(directives.undeliverable, directive, other) == "directive-unknown"
