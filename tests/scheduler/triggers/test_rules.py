"""When a day begins, wherever it is."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proforma.clock import day_begins
from scheduler.triggers.rules import latest_today

ZONES = sorted(available_timezones())


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("UTC", date(2026, 3, 2), datetime(2026, 3, 2, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 9), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("Pacific/Kiritimati", date(2026, 3, 3), datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("Pacific/Niue", date(2026, 3, 2), datetime(2026, 3, 2, 11, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 3, 2), datetime(2026, 3, 1, 18, 15, tzinfo=UTC)),
        # Clocks go from 00:00 to 01:00: the day begins at 01:00.
        ("Asia/Beirut", date(2026, 3, 29), datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("America/Santiago", date(2025, 9, 7), datetime(2025, 9, 7, 4, tzinfo=UTC)),
        # 00:00 comes twice: the first one counts.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        # A day that Samoa left out begins with the day after it.
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_day_begins(zone: str, day: date, begins: datetime) -> None:
    assert day_begins(day, zone) == begins


@settings(max_examples=500)
@given(st.sampled_from(ZONES), st.dates(date(2000, 1, 1), date(2199, 12, 31)))
def test_a_day_begins_at_its_first_instant(zone: str, day: date) -> None:
    begins = day_begins(day, zone)
    assert begins.astimezone(ZoneInfo(zone)).date() >= day
    assert (begins - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date() < day


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "", "../UTC"])
def test_no_zone(zone: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the zone database says it in several ways
        day_begins(date(2026, 3, 2), zone)


@given(st.sampled_from(ZONES), st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 - made aware below
def test_nobody_is_ahead_of_the_latest_today(zone: str, at: datetime) -> None:
    now = at.replace(tzinfo=UTC)
    assert now.astimezone(ZoneInfo(zone)).date() <= latest_today(now)
