"""Who issues a directive by what, who stands on which side of it, and who reads it."""

from datetime import UTC, date, datetime

import pytest

from schemas.events.directive import DirectiveDrafted
from schemas.events.model import EventModel
from schemas.events.order import (
    Absence,
    ActingPrimeMinister,
    Assignment,
    Clause,
    OrderIssued,
    Substitutes,
)
from schemas.events.registry import (
    CentreRegistered,
    DepartmentRegistered,
    MinistryRegistered,
    ProvinceRegistered,
)
from services.domain import directives, issuing
from services.domain.addressees import ever_spoken_for, spoken_for
from services.domain.chain import Chain
from services.domain.directives import DECIDER, Directive
from services.domain.grounds import BeyondPowers, DeputyPresent, EarlierSubstitute, OutsideMatrix
from services.domain.issuing import Circumstances
from services.domain.matrix import matrix_at
from services.domain.readership import Readership, readership_of
from services.domain.registry import Entry, Registry, registry_of, subject_of
from services.domain.rejected import Rejected
from services.identity.identity import Identity

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 9, 1, tzinfo=UTC)
A, B, C, PM = (Identity.parse(one) for one in ("deputy:a", "deputy:b", "deputy:c", "pm"))


def registry() -> Registry:
    def entry(model: EventModel, id_: str) -> Entry:
        begin, end = getattr(model, "valid_from", None), getattr(model, "valid_to", None)
        return Entry(subject_of(model.type), id_, begin, end, model)

    def centre(id_: str, level: str, **body: object) -> Entry:
        stated = {"centre": id_, "level": level, "name_th": "ศูนย์", "source": "test", **body}
        return entry(CentreRegistered.model_validate(stated), id_)

    named = {"name_th": "ชื่อ", "source": "test"}
    return registry_of(
        [
            *(entry(ProvinceRegistered(province=one, **named), one)
              for one in ("TH-83", "TH-82", "TH-10")),
            entry(MinistryRegistered(ministry="moi", **named), "moi"),
            entry(DepartmentRegistered(department="moi.ddpm", ministry="moi", **named), "moi.ddpm"),
            centre("poc:TH-83", "POC", province="TH-83"),
            centre("moc:moi", "MOC", ministry="moi"),
            centre("doc:moi.ddpm", "DOC", ministry="moi"),
            centre("doc:gone", "DOC", department="moi.ddpm", valid_to=date(2024, 1, 1)),
            centre("city:TH-10", "other", province="TH-10"),
            centre("press:cnn", "other"),
        ]
    )  # fmt: skip


REGISTRY = registry()


def gives(dimension: str, target: str, deputy: str, power: str) -> Assignment:
    stated = {"dimension": dimension, "target": target, "deputy": deputy, "power": power}
    return Assignment.model_validate(stated)


AREA = gives("area", "TH-83", "a", "area")
INTERIOR = gives("function", "moi", "a", "oversee+command")
DRUGS = gives("agenda", "drugs", "a", "command")


def now(*clauses: Clause) -> Circumstances:
    issued = OrderIssued(number="1/2567", effective_from=BEGIN, clauses=list(clauses), source="x")
    return Circumstances(matrix_at(Chain((issued,)), NOW), REGISTRY)


def drafted(*to: str, deputy: str = "a", **said: object) -> DirectiveDrafted:
    stated = {"directive": "d", "deputy": deputy, "drafted_by": "secretariat:a", "kind": "order",
              "title_th": "x", "text_th": "x", "addressees": list(to), **said}  # fmt: skip
    return DirectiveDrafted.model_validate(stated)


def issued(written: DirectiveDrafted, by: Identity, there: Circumstances) -> Directive:
    mandate = issuing.mandate_of(by, written, there)
    draft = DECIDER.fold([written])
    actor = issuing.actor_of(by, draft, None, there)
    return DECIDER.fold([written, *directives.issue(draft, actor, mandate, now=NOW)])


@pytest.mark.parametrize(
    ("written", "clauses", "rests_on"),
    [
        (drafted("TH-83"), [AREA], {("area", "TH-83")}),
        (drafted("moi.ddpm"), [INTERIOR], {("function", "moi")}),
        (drafted("moi.ddpm", provinces=["TH-83"]), [AREA], {("area", "TH-83")}),
        (drafted("TH-82", agenda="drugs"), [DRUGS], {("agenda", "drugs")}),
        (drafted("TH-83", "moi"), [AREA, INTERIOR], {("area", "TH-83"), ("function", "moi")}),
    ],
    ids=["province", "department", "in a province", "agenda", "two holdings"],
)
def test_each_addressee_rests_on_what_the_issuer_holds_and_whoever_holds_it_next_has_it(
    written: DirectiveDrafted, clauses: list[Assignment], rests_on: set[tuple[str, str]]
) -> None:
    directive = issued(written, A, now(*clauses))
    assert {(one.dimension, one.target) for one in directive.authority} == rests_on
    moved = now(*(one.model_copy(update={"deputy": "b"}) for one in clauses))
    for who, is_issuer in ((A, False), (B, True), (C, False)):
        actor = issuing.actor_of(who, directive, None, moved)
        assert ("issuer" in actor.roles, actor.order) == (
            is_issuer,
            "1/2567" if is_issuer else None,
        )
    assert issuing.actor_of(A, directive, None, now()).roles == set()


def test_who_holds_a_part_of_it_stands_there_for_that_part_alone() -> None:
    directive = issued(drafted("TH-83", "moi"), A, now(AREA, INTERIOR))
    split = now(AREA, INTERIOR.model_copy(update={"deputy": "b"}))
    assert "issuer" in issuing.actor_of(A, directive, "TH-83", split).roles
    assert "issuer" not in issuing.actor_of(A, directive, "moi", split).roles
    assert "issuer" not in issuing.actor_of(A, directive, None, split).roles


@pytest.mark.parametrize(
    ("written", "by", "clauses", "refusal"),
    [
        (drafted("TH-82"), A, [AREA], OutsideMatrix),
        (drafted("TH-83", "TH-82"), A, [AREA], BeyondPowers),
        (drafted("TH-83"), B, [AREA], DeputyPresent),
        (drafted("TH-83"), C, [AREA, Absence(deputy="a"),
                               Substitutes(deputy="a", substitutes=["b", "c"])],
         EarlierSubstitute),
        (drafted("TH-83", deputy="pm"), A, [AREA], directives.NotPrimeMinister),
    ],
)  # fmt: skip
def test_what_the_mandate_does_not_reach_is_refused(
    written: DirectiveDrafted, by: Identity, clauses: list[Clause], refusal: type[Rejected]
) -> None:
    with pytest.raises(refusal):
        issuing.mandate_of(by, written, now(*clauses))


def test_an_acting_prime_minister_issues_in_the_pms_name_and_stands_in_the_pms_place() -> None:
    there = now(ActingPrimeMinister(deputy="b"))
    directive = issued(drafted("TH-82", deputy="pm"), B, there)
    assert "pm" in issuing.actor_of(B, directive, None, there).roles
    assert issuing.actor_of(B, directive, None, now()).roles == set()
    assert readership_of(B, there) == Readership(everything=True)


def test_a_substitute_stands_where_the_absent_deputy_does() -> None:
    away = now(AREA, Absence(deputy="a"), Substitutes(deputy="a", substitutes=["b"]))
    mandate = issuing.mandate_of(B, drafted("TH-83"), away)
    assert (mandate.capacity, mandate.acting_for, mandate.acting_by) == (
        "substitute",
        "a",
        "1/2567",
    )
    directive = issued(drafted("TH-83"), B, away)
    assert "issuer" in issuing.actor_of(B, directive, None, away).roles
    assert readership_of(B, away).own == {"a", "b"}


@pytest.mark.parametrize(
    ("who", "body"),
    [("poc:TH-83", {"TH-83"}), ("governor:TH-82", {"TH-82"}), ("moc:moi", {"moi"}),
     ("doc:moi.ddpm", {"moi.ddpm"}), ("city:TH-10", {"TH-10"}), ("press:cnn", set()),
     ("doc:gone", set()), ("pm", set()), ("analyst", set())],
)  # fmt: skip
def test_a_centre_speaks_for_its_body_while_it_is_registered(who: str, body: set[str]) -> None:
    assert spoken_for(Identity.parse(who), REGISTRY, NOW.date()) == body


def test_what_was_addressed_to_a_centre_that_is_gone_stays_its_to_read() -> None:
    gone = Identity.parse("doc:gone")
    assert ever_spoken_for(gone, REGISTRY) == {"moi.ddpm"}
    assert readership_of(gone, now()).addressees == {"moi.ddpm"}
    assert readership_of(Identity.parse("governor:TH-83"), now()).addressees == {"TH-83"}
    assert readership_of(Identity.parse("analyst"), now()).is_empty


@pytest.mark.parametrize("unknown", ["TH-99", "nowhere"])
def test_a_draft_to_what_is_not_there_is_refused(unknown: str) -> None:
    with pytest.raises(Rejected):
        issuing.check_draft(PM, drafted(unknown), now())


def test_the_pmoc_drafts_for_the_pm_alone() -> None:
    pmoc = Identity.parse("pmoc")
    issuing.check_draft(pmoc, drafted("TH-83", deputy="pm"), now())
    with pytest.raises(issuing.NotDrafter):
        issuing.check_draft(pmoc, drafted("TH-83"), now())


def test_a_step_is_about_whom_it_names_or_the_only_one_there_is() -> None:
    one = issued(drafted("TH-83"), PM, now())
    two = issued(drafted("TH-83", "TH-82"), PM, now())
    pm, poc = (Identity.parse(who) for who in ("pm", "poc:TH-83"))
    assert issuing.addressee_named(None, one, issuing.actor_of(pm, one, None, now())) == "TH-83"
    assert issuing.addressee_named(None, two, issuing.actor_of(poc, two, None, now())) == "TH-83"
    assert issuing.addressee_named("TH-82", two, issuing.actor_of(pm, two, None, now())) == "TH-82"
    with pytest.raises(issuing.AddresseeNotNamed):
        issuing.addressee_named(None, two, issuing.actor_of(pm, two, None, now()))


def test_nobody_stands_anywhere_towards_what_is_not_there() -> None:
    actor = issuing.actor_of(PM, Directive(), None, now())
    assert not actor.roles
    assert not issuing.is_seen(Directive(), actor)
