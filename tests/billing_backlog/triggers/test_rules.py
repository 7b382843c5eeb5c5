"""What a trigger does."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from billing_backlog.triggers.rules import CurrentRow, Due, distinct, outcome
from proforma.clock import SetClock, day_begins, today
from tests.support.zones import ZONES, changes_of, first_instant

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
