"""What a trigger does."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from billing_backlog.triggers.rules import CurrentRow, Due, distinct, outcome
from proforma.clock import SetClock, day_begins, today

TODAY = date(2026, 3, 2)
DUE = Due(uuid4(), uuid4(), TODAY)
ROW = CurrentRow(uuid4(), uuid4(), DUE.contract_id, TODAY, "not_run")


def test_a_current_unrun_row_runs() -> None:
    assert outcome(DUE, ROW, "active", TODAY) == "run"
    assert outcome(DUE, ROW, "active", TODAY + timedelta(days=400)) == "run"


def test_one_ahead_of_the_contracts_day_waits() -> None:
    assert outcome(DUE, ROW, "active", TODAY - timedelta(days=1)) == "waits"


@pytest.mark.parametrize("status", ["successful", "skipped", "failed"])
def test_a_row_that_ran_does_not_run_again(status: str) -> None:
    assert outcome(DUE, replace(ROW, status=status), "active", TODAY) == "has_run"


def test_no_row_no_run() -> None:
    assert outcome(DUE, None, "active", TODAY) == "no_row"
    assert outcome(DUE, replace(ROW, contract_id=uuid4()), "active", TODAY) == "no_row"


@pytest.mark.parametrize("status", ["draft", "closed", None])
def test_only_active_contracts_run(status: str | None) -> None:
    assert outcome(DUE, ROW, status, TODAY if status else None) == "not_active"


def test_each_once_oldest_first() -> None:
    older = replace(DUE, run_date=TODAY - timedelta(days=1))
    assert distinct([DUE, older, DUE]) == [older, DUE]


# Both changes of the clocks in the north and the south, at midnight and not, by half an hour, and none at all.
ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "America/Asuncion",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Hebron",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Atlantic/Reykjavik",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Chisinau",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Kiritimati",
]


def changes_of(zone: str, year: int) -> list[date]:
    """The days on which the zone's clocks are changed."""
    noons = [datetime(year, 1, 1, 12, tzinfo=ZoneInfo(zone)) + timedelta(days=n) for n in range(365)]
    return [after.date() for before, after in pairwise(noons) if before.utcoffset() != after.utcoffset()]


def first_instant(day: date, zone: str) -> datetime:
    """The first second at which calendars in the zone show the day, by halving: no rule of ours is in it."""
    low = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - 26 * 3600
    high = low + 52 * 3600
    while low < high:
        at = (low + high) // 2
        begun = datetime.fromtimestamp(at, ZoneInfo(zone)).date() >= day
        low, high = (low, at) if begun else (at + 1, high)
    return datetime.fromtimestamp(low, UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_a_row_is_due_from_the_first_instant_of_its_day_on(zone: str) -> None:
    """Around both changes of the clocks, or any day where there are none."""
    assert len(ZONES) == 40
    around = [change + timedelta(days=n) for change in changes_of(zone, 2026) or [TODAY] for n in (-1, 0, 1)]
    for day in around:
        begins = first_instant(day, zone)
        assert day_begins(day, zone) == begins, (zone, day)
        due = replace(DUE, run_date=day)
        clock = SetClock(begins - timedelta(microseconds=1))
        assert outcome(due, ROW, "active", today(clock, zone)) == "waits", (zone, day)
        clock.set(begins)
        assert outcome(due, ROW, "active", today(clock, zone)) == "run", (zone, day)


def test_most_of_the_zones_change_their_clocks_twice() -> None:
    assert sum(len(changes_of(zone, 2026)) == 2 for zone in ZONES) >= 24
