"""The demonstration country under the network's own rules: who may speak, who holds what."""

import json
from collections import Counter
from datetime import date, datetime
from functools import cache
from typing import Any

from schemas.envelope import Envelope
from schemas.events import decode
from schemas.events.directive import DirectiveDrafted, DirectiveIssued, DirectiveStep
from schemas.events.order import Dimension
from schemas.events.registry import CentreRegistered, MinistryRegistered, ProvinceRegistered
from schemas.ids import centre_of_source
from services.agent import demo
from services.agent.archive import events_of
from services.domain import chain, directives
from services.domain.addressees import spoken_for
from services.domain.directives import Directive
from services.domain.entitlement import Statement, check
from services.domain.issuing import Circumstances, check_draft, mandate_of
from services.domain.matrix import Matrix
from services.domain.registry import Entry, Registry, registry_of, start_of
from services.domain.validity import Validity
from services.identity.identity import Identity

ANDAMAN = ("TH-81", "TH-82", "TH-83", "TH-85", "TH-91", "TH-92")


@cache
def decisions() -> list[Any]:
    return [
        decode(event["type"], json.dumps(event["data"]).encode())
        for event in events_of(demo.registry())
    ]


def registry() -> Registry:
    entries = []
    for model in decisions():
        if isinstance(model, CentreRegistered):
            entry = Entry("centre", model.centre, model.valid_from, model.valid_to, model)
        elif isinstance(model, ProvinceRegistered):
            entry = Entry("province", model.province, model.valid_from, model.valid_to, model)
        elif isinstance(model, MinistryRegistered):
            entry = Entry("ministry", model.ministry, model.valid_from, model.valid_to, model)
        else:
            continue
        entries.append(entry)
    return registry_of(entries)


@cache
def validity() -> Validity:
    return Validity(chain.DECIDER.fold(decisions()))


@cache
def matrix(day: date) -> Matrix:
    return Matrix(validity(), start_of(day))


def covers(day: date) -> Counter[str]:
    provinces = [model.province for model in decisions() if isinstance(model, ProvinceRegistered)]
    return Counter(matrix(day).cell("area", province).cover for province in provinces)


def holders(dimension: Dimension, target: str, day: date) -> set[tuple[str, str]]:
    cell = matrix(day).cell(dimension, target)
    return {(holding.given.deputy, holding.power) for holding in cell.holdings}


def test_every_event_is_one_its_centre_may_state() -> None:
    known = registry()
    for path in (*demo.tsunami_2004(), *demo.highway_floods()):
        for event in events_of(path):
            if event["type"].startswith("directive."):
                continue
            centre = centre_of_source(event["source"])
            assert centre is not None
            envelope = Envelope(
                id=event["id"],
                source=event["source"],
                type=event["type"],
                time=datetime.fromisoformat(event["time"]),
                subject=event["subject"],
                originalid=event.get("originalid"),
            )
            body = decode(event["type"], json.dumps(event["data"]).encode())
            check(Statement(centre, envelope, body), known)


def test_every_directive_of_the_tsunami_is_issued_and_answered_as_the_rules_have_it() -> None:
    (path,) = (path for path in demo.tsunami_2004() if path.stem == "directives")
    known, standing = registry(), dict[str, Directive]()
    for event in events_of(path):
        body = decode(event["type"], json.dumps(event["data"]).encode())
        at, name = (
            datetime.fromisoformat(event["time"]),
            event["subject"].removeprefix("directives/"),
        )
        directive = standing.get(name, Directive())
        now = Circumstances(Matrix(validity(), at), known)
        match body:
            case DirectiveDrafted():
                check_draft(Identity.parse(body.drafted_by), body, now)
                made = directives.draft(directive, body)
            case DirectiveIssued():
                assert directive.draft is not None
                who = Identity.parse(body.issued_by)
                mandate = mandate_of(who, directive.draft, now)
                acting = directives.Actor(body.issued_by, frozenset({"issuer"}))
                (issued,) = directives.issue(directive, acting, mandate, now=at)
                assert isinstance(issued, DirectiveIssued)
                numbered = [one.model_copy(update={"clause": None}) for one in issued.authority]
                # What is over has no clocks.
                made = [issued.model_copy(update={"authority": numbered, "clocks": []})]
            case DirectiveStep():
                own = spoken_for(Identity.parse(body.by), known, at.date())
                acting = directives.Actor(body.by, frozenset({"addressee"}), own)
                made = directives.step(directive, body, acting)
            case other:
                raise AssertionError(other.type)
        assert made == [body]
        standing[name] = directives.evolve(directive, body)
    assert {name for name, one in standing.items() if "issued" not in one.standing.values()} == {
        "tsunami-2004-reports"
    }


def test_on_the_tsunamis_day_one_made_up_deputy_holds_the_six_andaman_provinces() -> None:
    day = date(2004, 12, 26)
    for province in ANDAMAN:
        assert holders("area", province, day) == {("deputy-andaman", "area")}
    assert covers(day) == {"overseer": 6, "not_known": 70, "outside_scheme": 1}


def test_under_a_complete_order_every_province_but_bangkok_is_overseen() -> None:
    for day in (date(2019, 8, 1), date(2023, 11, 1), date(2024, 12, 1), date(2025, 8, 1)):
        assert covers(day) == {"overseer": 76, "outside_scheme": 1}


def test_between_the_missing_order_and_the_next_complete_one_cover_is_not_known() -> None:
    assert covers(date(2020, 8, 12)) == {"overseer": 76, "outside_scheme": 1}
    assert covers(date(2020, 8, 13)) == {"not_known": 76, "outside_scheme": 1}


def test_of_an_order_that_is_only_partly_known_the_rest_is_not_known() -> None:
    assert covers(date(2025, 10, 1)) == {"overseer": 31, "not_known": 45, "outside_scheme": 1}


def test_an_amendment_passes_a_province_on() -> None:
    assert holders("area", "TH-83", date(2024, 10, 1)) != set()
    before, after = date(2024, 10, 23), date(2024, 11, 4)
    moved = {
        target
        for target in matrix(after).targets("area")
        if holders("area", target, before) != holders("area", target, after)
    }
    assert moved != set()


def test_justice_is_overseen_but_for_special_investigation() -> None:
    (holding,) = matrix(date(2019, 8, 1)).cell("function", "moj").holdings
    assert holding.given.except_th == "กรมสอบสวนคดีพิเศษ"
    investigation = matrix(date(2019, 8, 1)).cell("function", "moj.dsi", within="moj")
    assert investigation.cover == "uncovered"
