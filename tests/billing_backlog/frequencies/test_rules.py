"""Run dates by frequency, held against dateutil's recurrence rules and against plain counting."""

import random
from calendar import monthrange
from datetime import date, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from dateutil.rrule import MONTHLY, WEEKLY, rrule, weekday

from billing_backlog.frequencies.rules import (
    LAST_DATE,
    WEEKDAYS,
    Day,
    Frequency,
    Occurrence,
    Terms,
    Weekday,
    months_later,
    run_dates,
)

NTH: dict[Occurrence, int] = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
EPOCH = date(2019, 1, 1).toordinal()


def expected(frequency: Frequency, start: date, first: date, last: date) -> list[date]:
    """The same by others: dateutil where it has the rule, one day after the other where it has not."""
    if frequency.days:
        return [day for day in every_day(first, last) if is_named(frequency.days, day)]
    assert frequency.weekday is not None
    at = WEEKDAYS.index(frequency.weekday)
    begins = datetime(start.year, start.month, start.day)  # noqa: DTZ001 - dateutil counts in plain days
    ends = datetime(last.year, last.month, last.day)  # noqa: DTZ001
    if frequency.period == "month":
        named = [weekday(at)(NTH[one]) for one in frequency.occurrences]
        found = rrule(MONTHLY, dtstart=begins, until=ends, byweekday=named)
    else:
        # dateutil counts calendar weeks: begun on the weekday itself, they are ours.
        anchor = begins + relativedelta(weekday=weekday(at)(1))
        found = rrule(WEEKLY, interval=2 if frequency.period == "two_weeks" else 1, dtstart=anchor, until=ends)
    return [one.date() for one in found if one.date() >= first]


def every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def is_named(days: object, day: date) -> bool:
    assert isinstance(days, tuple)
    length = monthrange(day.year, day.month)[1]
    if day.day == length:
        return any(one == "last" or one >= length for one in days)
    return day.day in days


def some_frequency(chance: random.Random) -> Frequency:
    on: Weekday = chance.choice(WEEKDAYS)
    match chance.randrange(4):
        case 0:
            return Frequency("week", on)
        case 1:
            return Frequency("two_weeks", on)
        case 2:
            return Frequency("month", on, occurrences=tuple(chance.sample(list(NTH), chance.randint(1, 4))))
    choices: list[Day] = [*range(1, 32), 29, 30, 31, "last"]
    return Frequency("month", days=tuple(dict.fromkeys(chance.choices(choices, k=chance.randint(1, 4)))))


def test_ten_thousand_frequencies_name_the_days_that_dateutil_names() -> None:
    chance = random.Random(20201105)
    for _ in range(10_000):
        frequency = some_frequency(chance)
        start = date.fromordinal(EPOCH + chance.randrange(2500))
        first = start + timedelta(days=chance.choice([0, 0, chance.randrange(400)]))
        last = first + timedelta(days=chance.randrange(-3, 160))
        found = list(run_dates(frequency, start, first, last))
        assert found == expected(frequency, start, first, last), (frequency, start, first, last)


@pytest.mark.parametrize(
    ("days", "year", "february"),
    [((29,), 2024, [29]), ((29,), 2023, [28]), ((29, 30, 31, "last"), 2023, [28]), ((28, 30), 2023, [28]),
     ((28, 30), 2024, [28, 29]), (("last",), 2100, [28]), ((31,), 2000, [29])],
)  # fmt: skip
def test_the_end_of_a_short_month_stands_for_what_it_has_not(
    days: tuple[Day, ...], year: int, february: list[int]
) -> None:
    first, last = date(year, 2, 1), date(year, 2, monthrange(year, 2)[1])
    found = run_dates(Frequency("month", days=days), first, first, last)
    assert [day.day for day in found] == february


def test_both_ends_are_included() -> None:
    monday = date(2020, 10, 5)
    terms = Terms(Frequency("week", "monday"), monday, monday + timedelta(days=14), 1)
    assert terms.dates(date(2020, 9, 1)) == [monday, monday + timedelta(days=7), monday + timedelta(days=14)]
    assert terms.dates(monday)[0] == monday
    assert terms.dates(monday + timedelta(days=1))[0] == monday + timedelta(days=7)
    assert terms.cut_off(monday) == date(2020, 10, 4)


def test_two_weeks_are_counted_from_the_start_whatever_the_day() -> None:
    terms = Terms(Frequency("two_weeks", "monday"), date(2020, 10, 1), None, 1)
    for later in range(400):
        today = date(2020, 10, 1) + timedelta(days=later)
        found = terms.dates(today)
        assert {(day - date(2020, 10, 5)).days % 14 for day in found} == {0}
        assert 0 <= (found[0] - today).days < 14


def test_it_looks_24_months_ahead_and_no_further() -> None:
    terms = Terms(Frequency("month", days=(15,)), date(2026, 1, 1), None, 1)
    assert terms.dates(date(2026, 3, 15))[-1] == date(2028, 3, 15)
    assert terms.dates(date(2026, 3, 14))[-1] == date(2028, 2, 15)
    assert len(terms.dates(date(2026, 3, 15))) == 25
    later = Terms(Frequency("month", days=(15,)), date(2029, 1, 1), None, 1)
    assert (later.dates(date(2026, 3, 15)), later.has_dates(date(2026, 3, 15))) == ([], True)


def test_terms_that_name_no_day() -> None:
    first_monday = Frequency("month", "monday", occurrences=("first",))
    between = Terms(first_monday, date(2020, 10, 6), date(2020, 11, 1), 1)
    assert (between.in_order, between.has_dates(date(2020, 1, 1))) == (True, False)
    over = Terms(first_monday, date(2020, 10, 5), date(2020, 10, 5), 1)
    assert (over.has_dates(date(2020, 10, 5)), over.has_dates(date(2020, 10, 6))) == (True, False)
    assert not Terms(first_monday, date(2020, 10, 6), date(2020, 10, 5), 1).in_order


def test_the_calendar_has_an_end() -> None:
    for frequency in (Frequency("week", "monday"), Frequency("month", days=(31,))):
        found = Terms(frequency, date(2199, 12, 1), None, 0).dates(date(2199, 12, 1))
        assert found
        assert max(found) <= LAST_DATE


@pytest.mark.parametrize(
    ("day", "later"),
    [(date(2024, 2, 29), date(2026, 2, 28)), (date(2026, 2, 28), date(2028, 2, 28)), (LAST_DATE, LAST_DATE),
     (date(2198, 6, 1), LAST_DATE)],
)  # fmt: skip
def test_months_later(day: date, later: date) -> None:
    assert months_later(day, 24) == later
