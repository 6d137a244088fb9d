"""COVID-19 counts by province and case date, as the Department of Disease Control published them.

`time` is the publication; the case date is data. A later publication for the same province and date
is a revision. A date that cannot be right is flagged and kept: the archive shows what was said.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from schemas.events.indicator import IndicatorMeasured
from services.agent.record import Event, Record, Row, event_of
from services.domain.registry import BANGKOK_TIME

CENTRE = "doc:moph.ddc"
INDICATORS = {"cases": "covid-19.cases", "deaths": "covid-19.deaths"}
UNIT = "persons"

FIRST_PLAUSIBLE = date(2020, 1, 1)
"""The first case in Thailand was found in January 2020."""

MONTHS_IN_YEAR = 12

WINDOW_SLACK_DAYS = 2
"""A publication of the last 30 days may begin a day or two before them."""


def of_case_events(rows: Iterable[Row]) -> Iterator[Event]:
    """One event for each number a row states; an empty cell states none."""
    for row in rows:
        for column, indicator in INDICATORS.items():
            if row[column]:
                yield _measured(row, indicator, Decimal(row[column]))


def _measured(row: Row, indicator: str, value: Decimal) -> Event:
    published = datetime.fromisoformat(row["published_at"])
    case_date = date.fromisoformat(row["case_date"])
    province = f"TH-{row['province_code']}"
    body = IndicatorMeasured(
        indicator=indicator,
        place=province,
        date=case_date,
        value=value,
        unit=UNIT,
        implausible=implausible(
            case_date,
            published=published.astimezone(BANGKOK_TIME).date(),
            window_days=int(row["window_days"]),
        ),
    )
    return event_of(
        Record(
            id=f"{indicator}-{province}-{case_date}-{row['source_commit']}",
            centre=CENTRE,
            subject=f"provinces/{province}",
            time=published,
            accepted=published,
            body=body,
        )
    )


def implausible(case_date: date, *, published: date, window_days: int) -> str | None:
    """Why the case date cannot be right, or None.

    A publication covers its last `window_days` days. A date outside of them that falls inside with
    day and month changed over was most likely written the other way round.
    """
    window = (published - timedelta(days=window_days + WINDOW_SLACK_DAYS), published)
    turned = _turned(case_date)
    inside = window[0] <= case_date <= window[1]
    looks_turned = not inside and turned is not None and window[0] <= turned <= window[1]
    remark = f"; day and month look swapped, {turned} would fit" if looks_turned else ""
    if case_date < FIRST_PLAUSIBLE:
        return f"before the disease was known in the country{remark}"
    if case_date > published:
        return f"later than its publication on {published}{remark}"
    if looks_turned:
        return f"outside the {window_days} days the publication covers{remark}"
    return None


def _turned(day: date) -> date | None:
    """The date with day and month changed over; None when there is no such date."""
    return date(day.year, day.day, day.month) if day.day <= MONTHS_IN_YEAR else None
