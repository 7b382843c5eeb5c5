"""Time and ids: days where the contract is, ids in order, derived ones the same again."""

from datetime import UTC, date, datetime, timedelta
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proforma.clock import SetClock, SystemClock, day_begins, derived_id, new_id, today
from proforma.context import Context, Principal


def test_the_day_is_the_one_where_the_contract_is() -> None:
    clock = SetClock(datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    assert today(clock) == date(2026, 3, 1)
    assert today(clock, "Europe/Berlin") == date(2026, 3, 2)
    assert today(clock, "America/New_York") == date(2026, 3, 1)
    clock.advance(timedelta(hours=1))
    assert today(clock) == date(2026, 3, 2)
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    assert today(clock) == date(2026, 1, 1)


def test_the_machines_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Beirut",
       "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Kolkata", "Pacific/Auckland"]))  # fmt: skip
def test_a_day_begins_with_its_first_instant(day: date, zone: str) -> None:
    begins = day_begins(day, zone)
    assert today(SetClock(begins), zone) == day
    assert today(SetClock(begins - timedelta(seconds=1)), zone) < day


@pytest.mark.parametrize("zone", ["", "Europe", "Mars/Olympus", "../etc/passwd", "Europe/Berlin\x00"])
def test_no_zone_is_a_value_error(zone: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        day_begins(date(2026, 3, 2), zone)


def test_ids_are_in_the_order_of_their_making() -> None:
    ids = [new_id() for _ in range(1_000)]
    assert ids == sorted(ids)
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {RFC_4122}


def test_the_same_parts_give_the_same_id() -> None:
    assert derived_id("a", 1) == derived_id("a", 1)
    assert derived_id("a", 1).version == 5
    # The parts are told apart: ("ab", "c") is not ("a", "bc").
    assert len({derived_id("ab", "c"), derived_id("a", "bc"), derived_id("abc"), derived_id("c", "ab")}) == 4


def test_an_id_that_must_not_be_made_twice() -> None:
    call = {"actor": "ada", "path": "/v1/things", "idempotency_key": "k"}
    assert Context(**call).once_id() == Context(**call).once_id()  # type: ignore[arg-type]
    others = [{**call, name: "other"} for name in call]
    assert len({Context(**one).once_id() for one in (call, *others)}) == 4  # type: ignore[arg-type]
    assert Context("ada").once_id() != Context("ada").once_id()


def test_admin_may_everything() -> None:
    assert Principal("ada", frozenset({"admin"})).may("manager")
    assert Principal("ada", frozenset({"biller", "approver"})).may("manager", "biller")
    assert not Principal("ada", frozenset({"submitter"})).may("manager", "biller")
    assert not Principal("ada", frozenset()).may("manager")
