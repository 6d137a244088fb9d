"""Who keeps policies and resolutions, and which may be the ground of a suspension, on which day."""

from datetime import date, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.directive import DirectiveClosed
from schemas.events.model import EventModel
from schemas.events.policy import PolicyKind, PolicyRegistered, PolicyRevoked
from schemas.events.registry import CentreRegistered
from services.domain import policies
from services.domain.policies import DECIDER, Policy, PolicyRevokedAlready
from services.domain.registry import BANGKOK_TIME, Entry, Registry, registry_of, start_of
from services.domain.rejected import Rejected
from services.identity.identity import Identity

DECIDED = date(2004, 5, 18)
REVOKED = date(2018, 1, 9)
NOON = datetime(2004, 12, 26, 12, tzinfo=BANGKOK_TIME)


def registered(**said: object) -> PolicyRegistered:
    stated: dict[str, object] = {
        "policy": "p",
        "kind": "cabinet_resolution",
        "outcome": "agreed",
        "title_th": "มติ",
        "text_th": "มติ",
        "decided_on": DECIDED,
        "valid_from": DECIDED,
        "source": "test",
    }
    return PolicyRegistered.model_validate(stated | said)


def revoked(day: date = REVOKED) -> PolicyRevoked:
    return PolicyRevoked(policy="p", valid_from=day, source="test")


def ground(*stated: PolicyRegistered | PolicyRevoked, at: datetime = NOON) -> str:
    policy = DECIDER.fold(stated)
    try:
        policies.check_ground(policy, "p", at=at)
    except Rejected as refused:
        return refused.rule
    return "a ground"


@pytest.mark.parametrize(
    ("kind", "outcome", "came"),
    [
        ("cabinet_resolution", "agreed", "a ground"),
        ("cabinet_resolution", "approved", "a ground"),
        ("cabinet_policy", "approved", "a ground"),
        ("cabinet_resolution", "noted", "policy-not-approved"),
        ("cabinet_resolution", "referred", "policy-not-approved"),
        ("cabinet_policy", "noted", "policy-not-approved"),
        ("ministry_policy", "approved", "policy-not-of-cabinet"),
        ("ministry_policy", "noted", "policy-not-of-cabinet"),
    ],
)
def test_only_what_the_cabinet_approved_or_agreed_is_a_ground(
    kind: str, outcome: str, came: str
) -> None:
    assert ground(registered(kind=kind, outcome=outcome)) == came


def test_it_is_a_ground_from_the_first_moment_of_its_day_to_the_last() -> None:
    stated = (registered(), revoked())
    moments = [(DECIDED, -1), (DECIDED, 0), (REVOKED, -1), (REVOKED, 0)]
    assert [
        ground(
            *stated, at=datetime.fromtimestamp(start_of(day).timestamp() + seconds, BANGKOK_TIME)
        )
        for day, seconds in moments
    ] == ["policy-unknown", "a ground", "a ground", "policy-not-in-force"]


def test_what_ends_by_itself_is_no_ground_after_it() -> None:
    assert ground(registered(valid_to=date(2004, 12, 26))) == "policy-not-in-force"
    assert ground(registered(valid_to=date(2004, 12, 27))) == "a ground"


def test_what_was_not_decided_yet_is_no_ground() -> None:
    assert ground(registered(decided_on=date(2005, 1, 1))) == "policy-not-in-force"
    assert ground() == "policy-unknown"


def test_of_two_texts_that_begin_alike_the_one_stated_later_stands() -> None:
    assert ground(registered(outcome="agreed"), registered(outcome="noted")) == (
        "policy-not-approved"
    )


def test_what_is_neither_changes_nothing() -> None:
    assert policies.evolve(Policy(), DirectiveClosed(directive="d")) == Policy()


@given(
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
)
def test_once_revoked_it_is_never_a_ground_again(begun: date, ended: date, day: date) -> None:
    came = ground(registered(decided_on=begun, valid_from=begun), revoked(ended), at=start_of(day))
    assert (came == "a ground") == (begun <= day < ended)


# The register.


def network() -> Registry:
    stated = {"name_th": "ศูนย์", "source": "test"}
    centres = [
        CentreRegistered.model_validate({"centre": name, "level": level, **stated, **more})
        for name, level, more in (
            ("moc:moi", "MOC", {"ministry": "moi"}),
            ("doc:moi.ddpm", "DOC", {}),
            ("poc:TH-83", "POC", {"province": "TH-83"}),
        )
    ]
    return registry_of(Entry("centre", one.centre, None, None, one) for one in centres)


@pytest.mark.parametrize(
    ("who", "kind", "keeps"),
    [
        ("cabinet", "cabinet_policy", None),
        ("cabinet", "cabinet_resolution", None),
        ("moc:moi", "ministry_policy", "moi"),
        ("cabinet", "ministry_policy", "not-policy-keeper"),
        ("moc:moi", "cabinet_policy", "not-policy-keeper"),
        ("moc:unheard-of", "ministry_policy", "not-policy-keeper"),
        ("doc:moi.ddpm", "ministry_policy", "not-policy-keeper"),
        ("poc:TH-83", "ministry_policy", "not-policy-keeper"),
        ("pm", "cabinet_resolution", "not-policy-keeper"),
    ],
)
def test_each_policy_has_one_keeper(who: str, kind: PolicyKind, keeps: str | None) -> None:
    try:
        whose = policies.keeps(Identity.parse(who), kind, network(), DECIDED)
    except Rejected as refused:
        whose = refused.rule
    assert whose == keeps


@pytest.mark.parametrize(
    ("before", "text", "refused"),
    [
        ([registered()], {"kind": "cabinet_policy"}, "policy-id-taken"),
        ([registered()], {"kind": "ministry_policy", "ministry": "moi"}, "policy-id-taken"),
        ([registered(kind="ministry_policy", ministry="moi")],
         {"kind": "ministry_policy", "ministry": "moph"}, "policy-id-taken"),
        ([registered(), revoked()], {"title_th": "x"}, "policy-revoked-already"),
    ],
)  # fmt: skip
def test_a_text_that_is_not_of_its_policy_is_refused(
    before: list[PolicyRegistered | PolicyRevoked], text: dict[str, object], refused: str
) -> None:
    with pytest.raises(Rejected) as why:
        policies.register(DECIDER.fold(before), registered(**text))
    assert why.value.rule == refused


def test_a_policy_is_revoked_once() -> None:
    policy = DECIDER.fold([registered(), revoked()])
    assert policies.revoke(policy, revoked()) == []
    with pytest.raises(PolicyRevokedAlready):
        policies.revoke(policy, revoked(date(2019, 1, 1)))


TEXTS = st.builds(
    lambda title, begins: registered(title_th=title, valid_from=begins),
    st.sampled_from(["ก", "ข"]),
    st.dates(date(2004, 1, 1), date(2004, 1, 3)),
)
ENDS = st.builds(revoked, st.dates(date(2004, 1, 2), date(2004, 1, 4)))


@given(st.lists(TEXTS | ENDS, max_size=8))
def test_what_is_taken_is_taken_once_and_nothing_after_the_revocation(
    commands: list[PolicyRegistered | PolicyRevoked],
) -> None:
    taken: list[EventModel] = []
    for command in commands:
        for turn in range(2):
            policy = DECIDER.fold(taken)
            if isinstance(command, PolicyRevoked):
                decide = partial(policies.revoke, policy, command)
            else:
                decide = partial(policies.register, policy, command)
            try:
                new = decide()
            except PolicyRevokedAlready:
                assert policy.revoked
                continue
            assert new == [] or turn == 0
            taken += new
    revocations = [one for one in taken if isinstance(one, PolicyRevoked)]
    assert len(revocations) <= 1
    assert taken[-1:] == revocations or revocations == []
