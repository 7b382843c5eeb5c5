"""Ranges of days, against every day counted out."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.validity import Validity, first_overlap

START = date(2026, 1, 1)
DAYS = [START + timedelta(days=n) for n in range(-1, 8)]
ends = st.none() | st.sampled_from(DAYS[1:-1])
ranges = st.builds(Validity, ends, ends).filter(lambda one: one.in_order)


def days(one: Validity) -> set[date]:
    """The days of the small world that lie in the range; its ends stand for all days beyond."""
    return {day for day in DAYS if (one.first or day) <= day <= (one.last or day)}


@given(ranges, ranges)
def test_two_ranges_meet_when_they_share_a_day(one: Validity, other: Validity) -> None:
    assert one.meets(other) == other.meets(one) == bool(days(one) & days(other))


@given(st.lists(ranges, max_size=6))
def test_an_overlap_among_many_is_found_and_real(many: list[Validity]) -> None:
    pairs = [(n, m) for m in range(len(many)) for n in range(m) if days(many[n]) & days(many[m])]
    found = first_overlap(many)
    assert found in pairs if pairs else found is None


def test_ends_are_inclusive() -> None:
    march = Validity(date(2026, 3, 1), date(2026, 3, 31))
    assert march.meets(Validity(date(2026, 3, 31), None))
    assert not march.meets(Validity(date(2026, 4, 1), None))
    assert not Validity(date(2026, 3, 2), date(2026, 3, 1)).in_order
