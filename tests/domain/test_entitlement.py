"""Who may state what, about which place, at which time."""

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from schemas.envelope import Envelope
from schemas.events import decode
from schemas.events.registry import CentreRegistered, ProvinceRegistered
from schemas.ids import CentreId, source_of_centre
from services.domain.entitlement import (
    CentreNotRegistered,
    NotForCentres,
    NotOwnSource,
    OriginalNotNamed,
    OriginalNotOwn,
    PlaceNotEntitled,
    ProvinceUnknown,
    Statement,
    check,
)
from services.domain.registry import Entry, Registry, registry_of

AUGUST = datetime(2026, 8, 1, tzinfo=UTC)
BEFORE_BUENG_KAN = datetime(2011, 3, 22, 16, 59, tzinfo=UTC)
REPORT = "situation.reported.v1"


def a_centre(name: str, level: str, **more: object) -> Entry:
    model = CentreRegistered.model_validate(
        {"centre": name, "level": level, "name_th": name, "source": "test", **more}
    )
    return Entry("centre", name, model.valid_from, model.valid_to, model)


def a_province(code: str, since: date | None = None) -> Entry:
    model = ProvinceRegistered(province=code, name_th=code, valid_from=since, source="test")
    return Entry("province", code, since, None, model)


REGISTRY: Registry = registry_of(
    [
        a_province("TH-82"),
        a_province("TH-83"),
        a_province("TH-10"),
        a_province("TH-38", date(2011, 3, 23)),
        a_centre("pmoc", "PMOC"),
        a_centre("moc:moi", "MOC", parent="pmoc", ministry="moi"),
        a_centre("doc:moi.ddpm", "DOC", parent="moc:moi", department="moi.ddpm"),
        a_centre("poc:TH-83", "POC", parent="moc:moi", province="TH-83"),
        a_centre("poc:TH-82", "POC", parent="moc:moi", province="TH-82"),
        a_centre("poc:TH-10", "POC", province="TH-10", valid_from=date(2030, 1, 1)),
        a_centre("city:TH-10", "other", province="TH-10"),
        a_centre("press:archive", "other"),
        a_centre("doc:moi.gone", "DOC", parent="moc:moi", valid_to=date(2020, 1, 1)),
    ]
)


def statement(
    centre: str,
    type_: str,
    data: str,
    *,
    time: datetime = AUGUST,
    source: str | None = None,
    **attributes: str | None,
) -> Statement:
    own = source_of_centre(CentreId(centre))
    stated = {name: value for name, value in attributes.items() if value is not None}
    envelope = replace(Envelope(id="e1", source=source or own, type=type_, time=time), **stated)
    return Statement(CentreId(centre), envelope, decode(type_, data.encode()))


def report(place: str) -> str:
    return f'{{"incident": "flood", "place": "{place}", "dead": 1}}'


@pytest.mark.parametrize(
    ("centre", "place"),
    [
        ("poc:TH-83", "TH-83"),
        ("city:TH-10", "TH-10"),
        ("press:archive", "TH-83"),
        ("press:archive", "TH"),
        ("doc:moi.ddpm", "TH-83"),
        ("doc:moi.ddpm", "TH"),
        ("moc:moi", "TH"),
        ("pmoc", "TH"),
    ],
)
def test_a_centre_may_report_about_what_it_is_entitled_to(centre: str, place: str) -> None:
    check(statement(centre, REPORT, report(place)), REGISTRY)


@pytest.mark.parametrize(
    ("centre", "place"),
    [("poc:TH-83", "TH-82"), ("poc:TH-83", "TH"), ("city:TH-10", "TH-83"), ("city:TH-10", "TH")],
)
def test_a_provinces_centre_speaks_about_its_province_alone(centre: str, place: str) -> None:
    with pytest.raises(PlaceNotEntitled) as refused:
        check(statement(centre, REPORT, report(place)), REGISTRY)
    assert refused.value.place == place


def test_a_centre_speaks_only_in_its_own_name() -> None:
    with pytest.raises(NotOwnSource) as refused:
        check(statement("poc:TH-83", REPORT, report("TH-83"), source="/centres/pmoc"), REGISTRY)
    assert refused.value.own == "/centres/poc/TH-83"


def test_the_subject_names_no_other_province() -> None:
    with pytest.raises(PlaceNotEntitled):
        check(statement("poc:TH-83", REPORT, report("TH-83"), subject="provinces/TH-82"), REGISTRY)


def test_a_province_that_was_not_there_yet_is_refused_by_name() -> None:
    with pytest.raises(ProvinceUnknown) as refused:
        check(statement("pmoc", REPORT, report("TH-38"), time=BEFORE_BUENG_KAN), REGISTRY)
    assert (refused.value.province, refused.value.day) == ("TH-38", date(2011, 3, 22))
    check(statement("pmoc", REPORT, report("TH-38")), REGISTRY)


def test_a_centre_must_be_registered_at_the_events_time() -> None:
    with pytest.raises(CentreNotRegistered):
        check(statement("poc:TH-10", REPORT, report("TH-10")), REGISTRY)


def test_a_decision_is_not_for_centres() -> None:
    opened = '{"opened_at": "2026-01-01T00:00:00Z"}'
    with pytest.raises(NotForCentres):
        check(statement("pmoc", "network.opened.v1", opened), REGISTRY)


def test_an_older_version_of_a_status_type_may_still_be_posted() -> None:
    counted = (
        '{"place": "TH-83", "period_from": "2026-07-01", "period_to": "2026-08-01",'
        ' "category": "road", "count": 3}'
    )
    check(statement("poc:TH-83", "complaints.counted.v1", counted), REGISTRY)


def test_every_province_of_an_incident_is_judged() -> None:
    opened = (
        '{"incident": "flood", "hazard": "flood", "title_th": "น้ำท่วม", "severity": "minor",'
        ' "provinces": ["TH-83", "TH-82"]}'
    )
    check(statement("moc:moi", "incident.opened.v1", opened), REGISTRY)
    with pytest.raises(PlaceNotEntitled):
        check(statement("poc:TH-83", "incident.opened.v1", opened), REGISTRY)


def test_an_update_that_names_no_province_is_about_none() -> None:
    updated = '{"incident": "flood", "severity": "severe"}'
    check(statement("poc:TH-83", "incident.updated.v1", updated), REGISTRY)


def test_a_sign_of_life_is_about_no_place() -> None:
    check(statement("poc:TH-83", "heartbeat.sent.v1", "{}"), REGISTRY)


WITHDRAWN = '{"reason": "wrong"}'


def test_a_withdrawal_names_its_original() -> None:
    with pytest.raises(OriginalNotNamed):
        check(statement("poc:TH-83", "event.withdrawn.v1", WITHDRAWN), REGISTRY)


@pytest.mark.parametrize(
    ("centre", "original"),
    [
        ("poc:TH-83", None),
        ("poc:TH-83", "/centres/poc/TH-83"),
        ("moc:moi", "/centres/poc/TH-83"),
        ("pmoc", "/centres/poc/TH-83"),
    ],
)
def test_its_own_centre_or_one_above_withdraws_an_event(centre: str, original: str | None) -> None:
    said = statement(
        centre, "event.withdrawn.v1", WITHDRAWN, originalid="e0", originalsource=original
    )
    check(said, REGISTRY)


@pytest.mark.parametrize("original", ["/centres/poc/TH-82", "/centres/pmoc", "elsewhere"])
def test_nobody_beside_or_below_withdraws_an_event(original: str) -> None:
    said = statement(
        "poc:TH-83", "event.withdrawn.v1", WITHDRAWN, originalid="e0", originalsource=original
    )
    with pytest.raises(OriginalNotOwn):
        check(said, REGISTRY)


def correction(place: str) -> str:
    return f'{{"corrected_type": "{REPORT}", "corrected_data": {report(place)}, "reason": "typo"}}'


def test_a_correction_from_above_says_what_the_original_could_have_said() -> None:
    attributes = {"originalid": "e0", "originalsource": "/centres/poc/TH-83"}

    def corrected(place: str) -> Statement:
        envelope = replace(
            Envelope(id="e1", source="/centres/moc/moi", type="event.corrected.v1", time=AUGUST),
            **attributes,
        )
        event = decode(envelope.type, correction(place).encode())
        return Statement(CentreId("moc:moi"), envelope, event)

    check(corrected("TH-83"), REGISTRY)
    with pytest.raises(PlaceNotEntitled):
        check(corrected("TH-82"), REGISTRY)


def test_a_correction_of_its_own_stays_in_its_province() -> None:
    with pytest.raises(PlaceNotEntitled):
        check(
            statement("poc:TH-83", "event.corrected.v1", correction("TH-82"), originalid="e0"),
            REGISTRY,
        )


def test_the_centre_of_the_original_may_be_gone() -> None:
    said = statement(
        "moc:moi",
        "event.withdrawn.v1",
        WITHDRAWN,
        originalid="e0",
        originalsource="/centres/doc/moi.gone",
    )
    check(said, REGISTRY)
