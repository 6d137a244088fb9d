"""The country that is measured: 77 provinces with a centre each, eight deputies, one flood."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from schemas.envelope import Envelope
from services.domain.registry import start_of

BEGIN = datetime.now(UTC) - timedelta(days=1)
PROVINCES = [f"TH-{code}" for code in range(10, 87)]
DEPUTIES = [f"deputy-{nth}" for nth in range(8)]
REPORT_BYTES = 470
"""A report in structured mode, at most."""

INCIDENT = "flood-2568"
CENTRES = [f"poc:{province}" for province in PROVINCES]
CENTRAL = "/centres/doc/moi.ddpm"
OF_THE_CHAIN = ("tenure.registered.v1", "order.issued.v1")
"""What lies on the stream by which orders are judged."""

type Event = tuple[Envelope, bytes]


def registry() -> list[Event]:
    """The registrations and the one order that make the country."""
    return [_registered(nth, type_, data) for nth, (type_, data) in enumerate(_entries())]


def _entries() -> Iterator[tuple[str, dict[str, object]]]:
    for code in PROVINCES:
        yield "province.registered.v1", {"province": code, "name_th": code, "name_en": code}
    yield "ministry.registered.v1", {"ministry": "moi", "name_th": "กระทรวงมหาดไทย"}
    yield from (("centre.registered.v1", {"name_th": "ศูนย์", **centre}) for centre in _centres())
    yield "precedence.set.v1", {"sources": ["doc:moi.ddpm", "poc", "PMOC", "MOC", "DOC"]}
    for deputy in DEPUTIES:
        yield "deputy.registered.v1", {"deputy": deputy, "name_th": deputy}
        yield (
            "tenure.registered.v1",
            {
                "tenure": f"{deputy}.1",
                "deputy": deputy,
                "office": "deputy_pm",
                "valid_from": "2024-01-01",
            },
        )
    yield "network.opened.v1", {"opened_at": (BEGIN - timedelta(days=30)).isoformat()}
    yield "order.issued.v1", _order()


def _centres() -> Iterator[dict[str, object]]:
    yield {"centre": "pmoc", "level": "PMOC"}
    yield {"centre": "moc:moi", "level": "MOC", "ministry": "moi", "parent": "pmoc"}
    yield {"centre": "doc:moi.ddpm", "level": "DOC", "ministry": "moi", "parent": "moc:moi"}
    for code in PROVINCES:
        yield {"centre": f"poc:{code}", "level": "POC", "province": code, "parent": "moc:moi"}


def _order() -> dict[str, object]:
    # Bangkok, TH-10, lies outside the scheme of areas.
    areas = [
        {
            "act": "assign",
            "dimension": "area",
            "target": code,
            "deputy": deputy_of(code),
            "power": "area",
        }
        for code in PROVINCES[1:]
    ]
    return {
        "number": "1/2568",
        "effective_from": start_of(date(2024, 1, 1)).isoformat(),
        "complete": ["area", "function", "agenda"],
        "clauses": areas,
    }


def offices(count: int) -> list[Event]:
    """So many more centres of the ministry, spread over the provinces."""
    return [
        _registered(
            100_000 + nth,
            "centre.registered.v1",
            {
                "centre": f"doc:moi.office-{nth}",
                "level": "DOC",
                "name_th": "สำนักงาน",
                "ministry": "moi",
                "parent": "moc:moi",
                "province": PROVINCES[nth % len(PROVINCES)],
            },
        )
        for nth in range(count)
    ]


def reshuffle(serial: int, effective_from: datetime, *, among: int = len(DEPUTIES)) -> Event:
    """An order by which every province moves on to the next of so many deputies."""
    return _registered(200_000 + serial, "order.issued.v1", shuffled(serial, effective_from, among))


def shuffled(serial: int, effective_from: datetime, among: int) -> dict[str, object]:
    """What the order says."""
    areas = [
        {
            "act": "assign",
            "dimension": "area",
            "target": code,
            "deputy": DEPUTIES[(nth + serial) % among],
            "power": "area",
        }
        for nth, code in enumerate(PROVINCES[1:])
    ]
    return {
        "number": f"{serial}/2568",
        "effective_from": effective_from.isoformat(),
        "complete": ["area"],
        "clauses": areas,
    }


def _registered(nth: int, type_: str, data: dict[str, object]) -> Event:
    envelope = Envelope(id=f"r{nth}", source="/centres/pmoc", type=type_, time=BEGIN)
    return envelope, json.dumps({"source": "bench", **data}).encode()


def deputy_of(province: str) -> str:
    """Who oversees the province."""
    return DEPUTIES[PROVINCES.index(province) % len(DEPUTIES)]


def opening(*, days_before: int = 0) -> Event:
    """The flood, in every province, from an hour and so many days before the beginning on."""
    data = {
        "incident": INCIDENT,
        "hazard": "flood",
        "title_th": "อุทกภัย",
        "severity": "severe",
        "provinces": PROVINCES,
    }
    envelope = Envelope(
        id=f"opening-{days_before}",
        source=CENTRAL,
        type="incident.opened.v1",
        time=BEGIN - timedelta(days=days_before, hours=1),
    )
    return envelope, json.dumps(data).encode()


def source_of(province: str) -> str:
    """The province's centre as the source of events."""
    return f"/centres/poc/{province}"


def report(province: str, nth: int, prefix: str, *, padding: int = 0) -> bytes:
    """A situation report in structured mode, about 370 bytes: `nth` makes its id and its time."""
    time = (BEGIN + timedelta(milliseconds=nth)).isoformat()
    return (
        f'{{"specversion":"1.0","id":"{prefix}-{nth:09d}","source":"/centres/poc/{province}",'
        f'"type":"situation.reported.v1","time":"{time}","subject":"provinces/{province}",'
        f'"sequence":"{nth:010d}","data":{data_of(province, nth, padding)}}}'
    ).encode()


def event(province: str, nth: int, prefix: str) -> Event:
    """The same report as an envelope and its data."""
    envelope = Envelope(
        id=f"{prefix}-{nth:09d}",
        source=source_of(province),
        type="situation.reported.v1",
        time=BEGIN + timedelta(milliseconds=nth),
        subject=f"provinces/{province}",
        sequence=f"{nth:010d}",
    )
    return envelope, data_of(province, nth).encode()


def data_of(province: str, nth: int, padding: int = 0) -> str:
    """What the report says."""
    return (
        f'{{"incident":"{INCIDENT}","place":"{province}","dead":{nth % 7},'
        f'"injured":{nth % 900},"displaced":{nth % 50_000},"households":{nth % 9_000},'
        f'"damage_baht":"{nth % 1_000_000}.50","note":"ระดับน้ำทรงตัว{"." * padding}"}}'
    )


def reports(province: str, numbers: Sequence[int], prefix: str, *, padding: int = 0) -> bytes:
    """Reports as NDJSON."""
    return b"\n".join(report(province, nth, prefix, padding=padding) for nth in numbers)
